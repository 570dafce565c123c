#pragma once

#include <cstdint>

#include "base/result.h"
#include "wire/raft/types.h"

/// The two files of a server: the log and the snapshot (FORMAT.md).
namespace bascule::raft {

/// Whose files these are.
struct FileOwner {
  std::uint64_t cluster_hash = 0;
  ServerId server = 0;
  friend bool operator==(const FileOwner&, const FileOwner&) = default;
};

/// Encodes records of one log file, in order. Knows where in the file it is, because each record names the record
/// before it and how much of the file was durable when it was written.
class LogWriter {
 public:
  /// A new file: the first bytes are the header.
  static Bytes begin(const FileOwner& owner, LogWriter& writer);
  LogWriter() = default;
  /// Goes on behind recovered bytes.
  LogWriter(std::uint64_t file_bytes, std::uint32_t last_crc)
      : file_bytes_(file_bytes), synced_bytes_(file_bytes), last_crc_(last_crc) {}

  /// The records of `change`, which has no snapshot.
  [[nodiscard]] Bytes encode(const LogChange& change);
  /// A whole new file for a change with a snapshot: header, base, hard state, entries.
  [[nodiscard]] static Bytes encode_new(const FileOwner& owner, const LogChange& change, LogWriter& writer);

  /// Everything up to `file_bytes` is durable now.
  void set_synced(std::uint64_t file_bytes) { synced_bytes_ = file_bytes; }
  [[nodiscard]] std::uint64_t file_bytes() const { return file_bytes_; }

 private:
  void record(Bytes& out, std::uint8_t type, ByteView payload);
  std::uint64_t file_bytes_ = 0;
  std::uint64_t synced_bytes_ = 0;
  std::uint32_t last_crc_ = 0;
};

/// What a log file says, after all its records.
struct LogContents {
  FileOwner owner;
  HardState hard_state;
  Index base_index = 0;
  Term base_term = 0;
  Index snapshot_index = 0;  ///< the snapshot that this file was written for; 0: none
  std::vector<Entry> entries;
  std::uint64_t valid_bytes = 0;  ///< the file must be cut here, durably, before anything is appended
  std::uint32_t last_crc = 0;
};

/// Reads a log file. A tail that was being written when the power failed (torn, disordered, garbage) is left out. It is
/// an error when a damaged record was durable once, which a later record proves, or when records contradict each other.
[[nodiscard]] Result<LogContents> read_log(ByteView file);

[[nodiscard]] Bytes encode_snapshot_file(const FileOwner& owner, const Snapshot& snapshot);
/// The snapshot file is only ever replaced as a whole, so any damage is an error.
[[nodiscard]] Result<Snapshot> read_snapshot_file(ByteView file, const FileOwner& owner);

struct Combined {
  Restored restored;
  /// The log file belongs to before the snapshot, and nothing can be appended to it: replace it, by rewritten(), first.
  bool log_is_stale = false;
};
/// Both files together; `snapshot.index` is 0 when there is no snapshot file. The crash may have fallen between the
/// replacement of the one and of the other.
[[nodiscard]] Result<Combined> combine(LogContents log, Snapshot snapshot);

/// The change that writes all of it to a new log file.
[[nodiscard]] LogChange rewritten(const Restored& restored);

}  // namespace bascule::raft
