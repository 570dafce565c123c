#include "runtime/uring/offload.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace bascule::uring {

struct Offload::Job {
  std::function<void()> done;
  std::atomic<bool> finished{false};
  std::thread thread;
};

Result<std::unique_ptr<Offload>> Offload::create(Ring& ring) {
  const int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) return fail_errno("no event descriptor", "eventfd", errno);
  return std::unique_ptr<Offload>(new Offload(ring, descriptor));
}

Offload::Offload(Ring& ring, int descriptor) : ring_(ring), descriptor_(descriptor) {
  watch_ = ring_.watch(descriptor_, POLLIN, [this](int) { collect(); });
}

Offload::~Offload() {
  for (auto& job : jobs_) job->thread.join();
  ring_.cancel(watch_);
  ::close(descriptor_);
}

void Offload::run(std::function<void()> work, std::function<void()> done) {
  jobs_.push_back(std::make_unique<Job>());
  Job* const job = jobs_.back().get();
  job->done = std::move(done);
  job->thread = std::thread([job, work = std::move(work), descriptor = descriptor_] {
    work();
    job->finished = true;
    const std::uint64_t one = 1;
    (void)!::write(descriptor, &one, sizeof one);
  });
}

void Offload::collect() {
  std::uint64_t count = 0;
  (void)!::read(descriptor_, &count, sizeof count);
  std::vector<std::unique_ptr<Job>> finished;
  for (auto& job : jobs_)
    if (job->finished) finished.push_back(std::move(job));
  std::erase(jobs_, nullptr);
  for (auto& job : finished) {
    job->thread.join();
    job->done();
  }
}

}  // namespace bascule::uring
