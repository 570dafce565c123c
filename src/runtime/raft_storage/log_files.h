#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "core/consensus/raft.h"
#include "runtime/files/file_system.h"
#include "wire/raft/log_file.h"

namespace bascule::raft_storage {

/// The consensus files of a server: `raft.log` and `raft.snapshot` in one directory (wire/raft/FORMAT.md), held alone
/// through `raft.lock`. What is written, in which order, and when it is synced; RaftStorage does it on a thread.
class LogFiles {
 public:
  struct Opened;
  /// Creates the directory and an empty log when there is none, cuts a torn tail, and syncs what it found. Refuses when
  /// another process holds the directory, when a file is damaged, and when the files are another cluster's or server's.
  /// `files` must outlive what is opened.
  [[nodiscard]] static Result<Opened> open(const std::string& directory, const raft::FileOwner& owner,
                                           files::FileSystem& files = files::this_machine());

  /// Durable when it returns. In the order of the sequence numbers; a change with a snapshot comes alone. After an
  /// error nobody knows what is on the disk: nothing may be written any more.
  [[nodiscard]] Result<void> write(std::span<const consensus::Persist> batch);

 private:
  [[nodiscard]] Result<void> append(std::span<const consensus::Persist> batch);
  [[nodiscard]] Result<void> write_anew(const raft::LogChange& change);
  [[nodiscard]] Result<void> replace_log(const raft::LogChange& change);

  std::string directory_;
  raft::FileOwner owner_;
  files::Descriptor lock_, log_;
  raft::LogWriter writer_;
};

struct LogFiles::Opened {
  LogFiles files;
  raft::Restored restored;
};

}  // namespace bascule::raft_storage
