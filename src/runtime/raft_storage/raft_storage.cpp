#include "runtime/raft_storage/raft_storage.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/raft_storage/log_files.h"

namespace bascule::raft_storage {

struct RaftStorage::Worker {
  Worker(LogFiles files_in, Report report_in) : files(std::move(files_in)), report(std::move(report_in)) {}

  LogFiles files;
  Report report;

  std::mutex mutex;
  std::condition_variable wake;
  std::vector<consensus::Persist> queue;
  bool ending = false;
  std::thread thread;

  void run() {
    for (;;) {
      const auto batch = take_batch();
      if (batch.empty()) return;
      const auto written = files.write(batch);
      if (!written) return report(consensus::PersistFailed{written.error().text()});
      report(consensus::Persisted{batch.back().sequence});
    }
  }

  /// Waits for work. Empty: the end. A change with a snapshot is a batch by itself.
  std::vector<consensus::Persist> take_batch() {
    std::unique_lock guard(mutex);
    wake.wait(guard, [this] { return ending || !queue.empty(); });
    const auto has_snapshot = [](const consensus::Persist& each) { return each.change.snapshot.has_value(); };
    auto end = std::find_if(queue.begin(), queue.end(), has_snapshot);
    if (end == queue.begin() && end != queue.end()) ++end;
    std::vector<consensus::Persist> batch(std::make_move_iterator(queue.begin()), std::make_move_iterator(end));
    queue.erase(queue.begin(), end);
    return batch;
  }
};

Result<RaftStorage::Opened> RaftStorage::open(const std::string& directory, const raft::FileOwner& owner,
                                              Report report) {
  auto opened = LogFiles::open(directory, owner);
  if (!opened) return tl::unexpected(opened.error());
  auto worker = std::make_unique<Worker>(std::move(opened->files), std::move(report));
  worker->thread = std::thread([raw = worker.get()] { raw->run(); });
  return Opened{std::unique_ptr<RaftStorage>(new RaftStorage(std::move(worker))), std::move(opened->restored)};
}

RaftStorage::RaftStorage(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}

RaftStorage::~RaftStorage() {
  {
    const std::lock_guard guard(worker_->mutex);
    worker_->ending = true;
  }
  worker_->wake.notify_one();
  worker_->thread.join();
}

void RaftStorage::persist(consensus::Persist persist) {
  {
    const std::lock_guard guard(worker_->mutex);
    worker_->queue.push_back(std::move(persist));
  }
  worker_->wake.notify_one();
}

}  // namespace bascule::raft_storage
