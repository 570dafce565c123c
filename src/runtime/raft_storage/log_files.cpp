#include "runtime/raft_storage/log_files.h"

#include <fcntl.h>

#include <cerrno>

#include "runtime/raft_storage/detail/files.h"

namespace bascule::raft_storage {
namespace {

using files::FileSystem;

constexpr const char* log_name = "raft.log";
constexpr const char* snapshot_name = "raft.snapshot";
constexpr const char* lock_name = "raft.lock";

std::string path_of(const std::string& directory, const char* name) { return directory + "/" + name; }

/// The error with the file's name in front of the place.
tl::unexpected<Error> in_file(const std::string& path, Error error) {
  error.where = error.where.empty() ? path : path + ", " + error.where;
  return tl::unexpected(std::move(error));
}

Result<raft::Snapshot> load_snapshot(FileSystem& files, const std::string& directory, const raft::FileOwner& owner) {
  const std::string path = path_of(directory, snapshot_name);
  auto bytes = detail::read_whole(files, path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) return raft::Snapshot{};
  auto snapshot = raft::read_snapshot_file(**bytes, owner);
  if (!snapshot) return in_file(path, snapshot.error());
  return snapshot;
}

/// Reads the log, or begins one in a directory that has neither log nor snapshot.
Result<raft::LogContents> load_log(FileSystem& files, const std::string& directory, const raft::FileOwner& owner,
                                   bool may_begin) {
  const std::string path = path_of(directory, log_name);
  auto bytes = detail::read_whole(files, path);
  if (!bytes) return tl::unexpected(bytes.error());
  if (!*bytes) {
    if (!may_begin) return fail("the consensus log is missing", path, "there is a snapshot without it");
    raft::LogWriter writer;
    *bytes = raft::LogWriter::begin(owner, writer);
    if (auto made = detail::replace_file(files, directory, log_name, **bytes); !made)
      return tl::unexpected(made.error());
  }
  auto log = raft::read_log(**bytes);
  if (!log) return in_file(path, log.error());
  if (!(log->owner == owner))
    return fail("the consensus log is not ours", path,
                "it belongs to server " + std::to_string(log->owner.server) + " of cluster " +
                    std::to_string(log->owner.cluster_hash));
  return log;
}

/// Opens the log for writing, without its torn tail. What a killed process wrote may be in the page cache only: it
/// counts from here on, so it must be durable.
Result<files::Descriptor> settle_log(FileSystem& files, const std::string& directory, std::uint64_t valid_bytes) {
  const std::string path = path_of(directory, log_name);
  auto log = detail::open_file(files, path, O_RDWR);
  if (!log) return log;
  if (auto done = detail::cut(*log, path, valid_bytes); !done) return tl::unexpected(done.error());
  if (auto done = detail::sync_data(*log, path); !done) return tl::unexpected(done.error());
  if (auto done = detail::sync_directory(files, directory); !done) return tl::unexpected(done.error());
  return log;
}

}  // namespace

Result<LogFiles::Opened> LogFiles::open(const std::string& directory, const raft::FileOwner& owner, FileSystem& files) {
  if (!files::make_directories(files, directory, 0700))
    return fail_errno("cannot make the state directory", directory, errno);
  auto lock = detail::lock_file(files, path_of(directory, lock_name));
  if (!lock) return tl::unexpected(lock.error());
  auto snapshot = load_snapshot(files, directory, owner);
  if (!snapshot) return tl::unexpected(snapshot.error());
  auto contents = load_log(files, directory, owner, snapshot->index == 0);
  if (!contents) return tl::unexpected(contents.error());
  auto log = settle_log(files, directory, contents->valid_bytes);
  if (!log) return tl::unexpected(log.error());

  LogFiles opened;
  opened.directory_ = directory;
  opened.owner_ = owner;
  opened.lock_ = std::move(*lock);
  opened.log_ = std::move(*log);
  opened.writer_ = raft::LogWriter(contents->valid_bytes, contents->last_crc);
  auto combined = raft::combine(std::move(*contents), std::move(*snapshot));
  if (!combined) return in_file(path_of(directory, log_name), combined.error());
  if (combined->log_is_stale)
    if (auto done = opened.replace_log(raft::rewritten(combined->restored)); !done) return tl::unexpected(done.error());
  return Opened{std::move(opened), std::move(combined->restored)};
}

Result<void> LogFiles::write(std::span<const consensus::Persist> batch) {
  BASCULE_ASSERT(!batch.empty());
  return batch.front().change.snapshot ? write_anew(batch.front().change) : append(batch);
}

Result<void> LogFiles::append(std::span<const consensus::Persist> batch) {
  const std::string path = path_of(directory_, log_name);
  Bytes bytes;
  const std::uint64_t offset = writer_.file_bytes();
  for (const auto& persist : batch) {
    const Bytes records = writer_.encode(persist.change);
    bytes.insert(bytes.end(), records.begin(), records.end());
  }
  if (auto written = detail::write_all(log_, path, offset, bytes); !written) return written;
  if (auto synced = detail::sync_data(log_, path); !synced) return synced;
  writer_.set_synced(writer_.file_bytes());
  return {};
}

/// First the snapshot, then the log that begins behind it; raft::combine() knows what a crash in between looks like.
Result<void> LogFiles::write_anew(const raft::LogChange& change) {
  const Bytes snapshot = raft::encode_snapshot_file(owner_, change.snapshot->snapshot);
  if (auto made = detail::replace_file(log_.files(), directory_, snapshot_name, snapshot); !made)
    return tl::unexpected(made.error());
  return replace_log(change);
}

Result<void> LogFiles::replace_log(const raft::LogChange& change) {
  const Bytes file = raft::LogWriter::encode_new(owner_, change, writer_);
  auto made = detail::replace_file(log_.files(), directory_, log_name, file);
  if (!made) return tl::unexpected(made.error());
  log_ = std::move(*made);
  writer_.set_synced(writer_.file_bytes());
  return {};
}

}  // namespace bascule::raft_storage
