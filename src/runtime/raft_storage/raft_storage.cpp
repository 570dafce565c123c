#include "runtime/raft_storage/raft_storage.h"

#include <sys/stat.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "runtime/raft_storage/detail/files.h"

namespace bascule::raft_storage {
namespace {

using detail::File;

constexpr const char* log_name = "raft.log";
constexpr const char* snapshot_name = "raft.snapshot";
constexpr const char* lock_name = "raft.lock";

/// The error with the file's name in front of the place.
tl::unexpected<Error> in_file(const std::string& path, Error error) {
  error.where = error.where.empty() ? path : path + ", " + error.where;
  return tl::unexpected(std::move(error));
}

Result<void> make_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return fail_errno("cannot make the state directory", directory, errno);
}

Result<raft::Snapshot> load_snapshot(const std::string& directory, const raft::FileOwner& owner) {
  const std::string path = directory + "/" + snapshot_name;
  auto bytes = detail::read_whole(path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) return raft::Snapshot{};
  auto snapshot = raft::read_snapshot_file(**bytes, owner);
  if (!snapshot) return in_file(path, snapshot.error());
  return snapshot;
}

/// Reads the log, or begins one in a directory that has neither log nor snapshot.
Result<raft::LogContents> load_log(const std::string& directory, const raft::FileOwner& owner, bool may_begin) {
  const std::string path = directory + "/" + log_name;
  auto bytes = detail::read_whole(path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) {
    if (!may_begin) return fail("the consensus log is missing", path, "there is a snapshot without it");
    raft::LogWriter writer;
    *bytes = raft::LogWriter::begin(owner, writer);
    if (auto made = detail::replace_file(directory, log_name, **bytes); !made) return tl::unexpected(made.error());
  }
  auto log = raft::read_log(**bytes);
  if (!log) return in_file(path, log.error());
  if (!(log->owner == owner))
    return fail("the consensus log is not ours", path,
                "it belongs to server " + std::to_string(log->owner.server) + " of cluster " +
                    std::to_string(log->owner.cluster_hash));
  return log;
}

}  // namespace

struct RaftStorage::Worker {
  std::string directory;
  raft::FileOwner owner;
  Report report;
  File lock;
  File log;
  raft::LogWriter writer;

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<consensus::Persist> queue;
  bool ending = false;
  std::thread thread;

  [[nodiscard]] std::string log_path() const { return directory + "/" + log_name; }

  void run() {
    for (;;) {
      const auto batch = take_batch();
      if (batch.empty()) return;
      const auto written = write(batch);
      if (!written) return report(consensus::PersistFailed{written.error().text()});
      report(consensus::Persisted{batch.back().sequence});
    }
  }

  /// Waits for work. Empty: the end. A change with a snapshot is a batch by itself.
  std::deque<consensus::Persist> take_batch() {
    std::unique_lock guard(mutex);
    wake.wait(guard, [this] { return ending || !queue.empty(); });
    std::deque<consensus::Persist> batch;
    while (!queue.empty()) {
      const bool alone = queue.front().change.snapshot.has_value();
      if (alone && !batch.empty()) break;
      batch.push_back(std::move(queue.front()));
      queue.pop_front();
      if (alone) break;
    }
    return batch;
  }

  Result<void> write(const std::deque<consensus::Persist>& batch) {
    if (batch.front().change.snapshot) return write_anew(batch.front().change);
    Bytes bytes;
    const std::uint64_t offset = writer.file_bytes();
    for (const auto& persist : batch) {
      const Bytes records = writer.encode(persist.change);
      bytes.insert(bytes.end(), records.begin(), records.end());
    }
    if (auto written = detail::write_all(log, log_path(), offset, bytes); !written) return written;
    if (auto synced = detail::sync_data(log, log_path()); !synced) return synced;
    writer.set_synced(writer.file_bytes());
    return {};
  }

  /// First the snapshot, then the log that begins behind it; raft::combine() knows what a crash in between looks like.
  Result<void> write_anew(const raft::LogChange& change) {
    const Bytes snapshot = raft::encode_snapshot_file(owner, change.snapshot->snapshot);
    if (auto made = detail::replace_file(directory, snapshot_name, snapshot); !made)
      return tl::unexpected(made.error());
    return replace_log(change);
  }

  Result<void> replace_log(const raft::LogChange& change) {
    const Bytes file = raft::LogWriter::encode_new(owner, change, writer);
    auto made = detail::replace_file(directory, log_name, file);
    if (!made) return tl::unexpected(made.error());
    log = std::move(*made);
    writer.set_synced(writer.file_bytes());
    return {};
  }
};

Result<RaftStorage::Opened> RaftStorage::open(const std::string& directory, const raft::FileOwner& owner,
                                              Report report) {
  if (auto made = make_directory(directory); !made) return tl::unexpected(made.error());
  auto lock = detail::lock_file(directory + "/" + lock_name);
  if (!lock) return tl::unexpected(lock.error());
  auto snapshot = load_snapshot(directory, owner);
  if (!snapshot) return tl::unexpected(snapshot.error());
  auto contents = load_log(directory, owner, snapshot->index == 0);
  if (!contents) return tl::unexpected(contents.error());

  auto worker = std::make_unique<Worker>();
  const std::string path = directory + "/" + log_name;
  auto log = detail::open_file(path, O_RDWR);
  if (!log) return tl::unexpected(log.error());
  // What a killed process wrote may be in the page cache only: it counts from here on, so it must be durable.
  if (auto done = detail::cut(*log, path, contents->valid_bytes); !done) return tl::unexpected(done.error());
  if (auto done = detail::sync_data(*log, path); !done) return tl::unexpected(done.error());
  if (auto done = detail::sync_directory(directory); !done) return tl::unexpected(done.error());
  worker->writer = raft::LogWriter(contents->valid_bytes, contents->last_crc);
  auto combined = raft::combine(std::move(*contents), std::move(*snapshot));
  if (!combined) return in_file(path, combined.error());

  worker->directory = directory;
  worker->owner = owner;
  worker->report = std::move(report);
  worker->lock = std::move(*lock);
  worker->log = std::move(*log);
  if (combined->log_is_stale)
    if (auto done = worker->replace_log(raft::rewritten(combined->restored)); !done)
      return tl::unexpected(done.error());
  worker->thread = std::thread([raw = worker.get()] { raw->run(); });
  return Opened{std::unique_ptr<RaftStorage>(new RaftStorage(std::move(worker))), std::move(combined->restored)};
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
