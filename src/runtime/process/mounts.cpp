#include "runtime/process/mounts.h"

#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <sstream>
#include <utility>

#include "runtime/process/detail/descriptor.h"
#include "runtime/process/detail/files.h"
#include "runtime/process/worker.h"

namespace bascule::process {
namespace {

namespace asio = boost::asio;
using Wait = asio::posix::stream_descriptor;

constexpr int passes_max = 16;  // mounts stacked on one another
constexpr useconds_t busy_pause_us = 20'000;
constexpr int busy_tries = 10;

/// mountinfo writes space, tab, newline and backslash as \040 and so on.
std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t index = 0; index < text.size(); ++index) {
    const bool escape = text[index] == '\\' && index + 3 < text.size();
    if (!escape) {
      result += text[index];
      continue;
    }
    result += static_cast<char>(std::strtol(text.substr(index + 1, 3).c_str(), nullptr, 8));
    index += 3;
  }
  return result;
}

std::string resolved(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string result(real);
  ::free(real);
  return result;
}

bool parse_line(const std::string& line, Mount& mount) {
  std::istringstream words(line);
  std::string id, parent, device, root, target, word, source;
  if (!(words >> id >> parent >> device >> root >> target)) return false;
  if (std::sscanf(device.c_str(), "%u:%u", &mount.major, &mount.minor) != 2) return false;
  while (words >> word && word != "-") {
  }
  if (!(words >> mount.type >> source)) return false;
  mount.source = unescaped(source);
  mount.target = unescaped(target);
  return true;
}

/// What a worker and the loop share. A worker that hangs keeps it alive; it never touches the loop.
struct Job {
  std::string device;
  bool detach = false;
  Descriptor finished{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  UnmountResult result;

  void add(const std::string& target, bool clean) {
    const std::scoped_lock lock(mutex);
    result.targets.push_back(target);
    result.clean &= clean;
  }
  UnmountResult taken() {
    const std::scoped_lock lock(mutex);
    return result;
  }
};

/// The last processes of a killed service may need a moment to let go of it.
bool unmount_politely(const std::string& target) {
  for (int tries = 0; tries < busy_tries; ++tries) {
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL) return true;
    if (errno != EBUSY) return false;
    ::usleep(busy_pause_us);
  }
  return false;
}

void unmount_everything(Job& job) {
  for (int pass = 0; pass < passes_max; ++pass) {
    const auto mounts = mounts_of(job.device);
    if (mounts.empty()) return;
    const std::string& target = mounts.back().target;
    if (!job.detach && unmount_politely(target)) {
      job.add(target, true);
    } else {
      job.add(target, ::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno == EINVAL);
    }
  }
}

void unmount_and_tell(Job& job) {
  unmount_everything(job);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(job.finished.get(), &one, sizeof one);
}

}  // namespace

std::vector<Mount> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    Mount mount;
    if (parse_line(line, mount)) mounts.push_back(std::move(mount));
  }
  return mounts;
}

std::vector<Mount> all_mounts() { return parse_mountinfo(read_file("/proc/self/mountinfo")); }

std::vector<Mount> mounts_of(const std::string& device) {
  std::vector<Mount> result;
  if (device.empty()) return result;
  const std::string name = resolved(device);
  struct stat status {};
  const bool block = ::stat(name.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
  for (Mount& mount : parse_mountinfo(read_file("/proc/self/mountinfo"))) {
    const bool same = block && mount.major == major(status.st_rdev) && mount.minor == minor(status.st_rdev);
    if (same || mount.source == name || mount.source == device) result.push_back(std::move(mount));
  }
  return result;
}

/// One device being unmounted, seen from the loop.
struct Running {
  explicit Running(asio::io_context& io) : timer(io) {}
  asio::steady_timer timer;
  bool impatient = false;
  std::vector<std::shared_ptr<Wait>> waits;
  std::vector<std::function<void(const UnmountResult&)>> done;
};

struct Unmounter::State : std::enable_shared_from_this<Unmounter::State> {
  State(asio::io_context& context, Log sink) : io(context), log(std::move(sink)) {}
  asio::io_context& io;
  Log log;
  bool closed = false;
  std::map<std::string, std::shared_ptr<Running>> running;

  void start(const std::string& device, bool detach);
  void await(const std::shared_ptr<Job>& job, const std::shared_ptr<Wait>& wait);
  void finish(const std::string& device, UnmountResult result);
};

void Unmounter::State::start(const std::string& device, bool detach) {
  auto job = std::make_shared<Job>();
  job->device = device;
  job->detach = detach;
  job->result.clean = !detach;
  if (!job->finished.valid() || !start_worker([job] { unmount_and_tell(*job); })) {
    if (log) log("warning: no thread to unmount " + device + " with; it is detached at once");
    job->detach = true;  // MNT_DETACH itself does not wait for writes
    unmount_everything(*job);
    asio::post(io, [self = shared_from_this(), job] { self->finish(job->device, {false, job->taken().targets}); });
    return;
  }
  auto wait = std::make_shared<Wait>(io, ::dup(job->finished.get()));
  running[device]->waits.push_back(wait);
  await(job, wait);
}

void Unmounter::State::await(const std::shared_ptr<Job>& job, const std::shared_ptr<Wait>& wait) {
  wait->async_wait(Wait::wait_read, [self = shared_from_this(), job, wait](const boost::system::error_code& error) {
    if (error || self->closed) return;
    std::uint64_t count = 0;  // readiness alone is a hint
    if (::read(job->finished.get(), &count, sizeof count) != sizeof count) return self->await(job, wait);
    self->finish(job->device, job->taken());
  });
}

void Unmounter::State::finish(const std::string& device, UnmountResult result) {
  const auto found = running.find(device);
  if (closed || found == running.end()) return;
  const auto one = found->second;
  running.erase(found);
  one->timer.cancel();
  boost::system::error_code ignored;
  for (const auto& wait : one->waits) wait->close(ignored);
  if (one->impatient || !mounts_of(device).empty()) result.clean = false;
  if (log && !result.targets.empty()) {
    log(device + (result.clean ? " unmounted from " : " detached from ") + result.targets.front());
  }
  for (const auto& done : one->done) done(result);
}

Unmounter::Unmounter(asio::io_context& io, Log log) : state_(std::make_shared<State>(io, std::move(log))) {}

Unmounter::~Unmounter() {
  state_->closed = true;
  boost::system::error_code ignored;
  for (auto& [device, one] : state_->running) {
    one->timer.cancel();
    for (const auto& wait : one->waits) wait->close(ignored);
  }
}

void Unmounter::unmount_all(const std::string& device, Duration patience,
                            std::function<void(const UnmountResult&)> done) {
  auto& one = state_->running[device];
  if (one) {
    one->done.push_back(std::move(done));
    return;
  }
  one = std::make_shared<Running>(state_->io);
  one->done.push_back(std::move(done));
  one->timer.expires_after(patience);
  one->timer.async_wait([state = state_, device](const boost::system::error_code& error) {
    if (error || state->closed || !state->running.contains(device)) return;
    state->running[device]->impatient = true;
    state->start(device, true);
  });
  state_->start(device, false);
}

}  // namespace bascule::process
