#include "runtime/raft_storage/raft_storage.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

namespace bascule::raft_storage {

namespace {
constexpr const char* log_name = "raft.log";
constexpr const char* snapshot_name = "raft.snapshot";
}  // namespace

RaftStorage::RaftStorage(std::string directory, raft::FileOwner owner, Completion completion, File lock)
    : directory_(std::move(directory)), owner_(owner), completion_(std::move(completion)), lock_(std::move(lock)) {}

Result<RaftStorage::Opened> RaftStorage::open(const std::string& directory, const raft::FileOwner& owner,
                                              Completion completion) {
  auto lock = open_file(directory + "/raft.lock", O_RDWR | O_CREAT);
  if (!lock) return tl::unexpected(lock.error());
  if (::flock(lock->descriptor(), LOCK_EX | LOCK_NB) != 0)
    return fail("the consensus log is in use", directory, "another bascule-managerd holds it",
                "end that one first, or give this one another --state-dir");
  std::unique_ptr<RaftStorage> storage(new RaftStorage(directory, owner, std::move(completion), std::move(*lock)));
  auto restored = storage->recover();
  if (!restored) return tl::unexpected(restored.error());
  storage->worker_ = std::thread([raw = storage.get()] { raw->work(); });
  return Opened{std::move(storage), std::move(*restored)};
}

RaftStorage::~RaftStorage() {
  {
    const std::lock_guard guard(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  if (worker_.joinable()) worker_.join();
}

Result<raft::Restored> RaftStorage::recover() {
  const std::string log_path = directory_ + "/" + log_name;
  auto log_bytes = read_whole(log_path);
  if (!log_bytes) return tl::unexpected(log_bytes.error());
  auto snapshot_bytes = read_whole(directory_ + "/" + snapshot_name);
  if (!snapshot_bytes) return tl::unexpected(snapshot_bytes.error());
  if (log_bytes->empty() && snapshot_bytes->empty()) {
    if (auto begun = begin_log(); !begun) return tl::unexpected(begun.error());
    return raft::Restored{};
  }
  auto contents = raft::read_log(*log_bytes);
  if (!contents) return tl::unexpected(contents.error());
  if (contents->owner != owner_)
    return fail("the consensus log belongs to somebody else", log_path, "it was written for another cluster or node",
                "give this node its own --state-dir");
  raft::Snapshot snapshot;
  if (!snapshot_bytes->empty()) {
    auto read = raft::read_snapshot_file(*snapshot_bytes, owner_);
    if (!read) return tl::unexpected(read.error());
    snapshot = std::move(*read);
  }
  auto file = open_file(log_path, O_WRONLY | O_APPEND);
  if (!file) return tl::unexpected(file.error());
  if (::ftruncate(file->descriptor(), static_cast<off_t>(contents->valid_bytes)) != 0)
    return fail_errno("the torn tail of the consensus log cannot be cut", log_path, errno);
  if (auto synced = sync_data(*file, log_path); !synced) return tl::unexpected(synced.error());
  log_ = std::move(*file);
  writer_ = raft::LogWriter(contents->valid_bytes, contents->last_crc);
  return raft::combine(std::move(*contents), std::move(snapshot));
}

Result<void> RaftStorage::begin_log() {
  const Bytes header = raft::LogWriter::begin(owner_, writer_);
  if (auto done = replace_whole(directory_, log_name, header); !done) return done;
  writer_.set_synced(header.size());
  auto file = open_file(directory_ + "/" + log_name, O_WRONLY | O_APPEND);
  if (!file) return tl::unexpected(file.error());
  log_ = std::move(*file);
  return {};
}

void RaftStorage::persist(std::uint64_t sequence, raft::LogChange change) {
  {
    const std::lock_guard guard(mutex_);
    queue_.push_back({sequence, std::move(change)});
  }
  wake_.notify_one();
}

void RaftStorage::work() {
  std::deque<Request> batch;
  for (;;) {
    {
      std::unique_lock guard(mutex_);
      wake_.wait(guard, [&] { return ending_ || !queue_.empty(); });
      if (queue_.empty()) return;
      batch.swap(queue_);
    }
    const std::uint64_t last = batch.back().sequence;
    if (auto written = write(batch); !written) return completion_(tl::unexpected(written.error()));
    completion_(last);
    batch.clear();
  }
}

Result<void> RaftStorage::write(std::deque<Request>& batch) {
  const std::string path = directory_ + "/" + log_name;
  for (auto& request : batch) {
    if (request.change.snapshot) {
      if (auto done = write_snapshot(request.change); !done) return done;
      continue;
    }
    if (auto done = append(log_, writer_.encode(request.change), path); !done) return done;
  }
  if (auto done = sync_data(log_, path); !done) return done;
  writer_.set_synced(writer_.file_bytes());
  return {};
}

/// The snapshot first, then the log that begins after it: raft::combine() understands a crash between the two.
Result<void> RaftStorage::write_snapshot(const raft::LogChange& change) {
  const Bytes snapshot = raft::encode_snapshot_file(owner_, change.snapshot->snapshot);
  if (auto done = replace_whole(directory_, snapshot_name, snapshot); !done) return done;
  const Bytes log = raft::LogWriter::encode_new(owner_, change, writer_);
  if (auto done = replace_whole(directory_, log_name, log); !done) return done;
  writer_.set_synced(writer_.file_bytes());
  auto file = open_file(directory_ + "/" + log_name, O_WRONLY | O_APPEND);
  if (!file) return tl::unexpected(file.error());
  log_ = std::move(*file);
  return {};
}

}  // namespace bascule::raft_storage
