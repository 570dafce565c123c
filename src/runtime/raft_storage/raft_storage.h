#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"
#include "runtime/raft_storage/file.h"
#include "wire/raft/log_file.h"

namespace bascule::raft_storage {

/// The consensus log on a disk: DIRECTORY/raft.log and DIRECTORY/raft.snapshot (wire/raft/FORMAT.md). A worker thread
/// writes; whatever waits while it syncs is made durable by the next sync together.
class RaftStorage {
 public:
  /// Called on the worker thread: everything up to `sequence` is durable, or the disk failed and nothing more will be
  /// written. The process must then end; it never tries again.
  using Completion = std::function<void(Result<std::uint64_t> sequence)>;

  struct Opened;
  /// Creates the files when there are none. Refuses, in words: a directory that another process uses, files of another
  /// cluster or server, damage that is not a torn tail. A torn tail is cut.
  [[nodiscard]] static Result<Opened> open(const std::string& directory, const raft::FileOwner& owner,
                                           Completion completion);
  /// Writes what was asked for, then ends the worker.
  ~RaftStorage();
  RaftStorage(const RaftStorage&) = delete;
  RaftStorage& operator=(const RaftStorage&) = delete;

  /// In the order of the calls; never blocks on the disk.
  void persist(std::uint64_t sequence, raft::LogChange change);

 private:
  struct Request {
    std::uint64_t sequence = 0;
    raft::LogChange change;
  };
  RaftStorage(std::string directory, raft::FileOwner owner, Completion completion, File lock);
  [[nodiscard]] Result<raft::Restored> recover();
  [[nodiscard]] Result<void> begin_log();
  [[nodiscard]] Result<void> write(std::deque<Request>& batch);
  [[nodiscard]] Result<void> write_snapshot(const raft::LogChange& change);
  void work();

  std::string directory_;
  raft::FileOwner owner_;
  Completion completion_;
  File lock_;
  File log_;
  raft::LogWriter writer_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> queue_;  ///< guarded by mutex_
  bool ending_ = false;        ///< guarded by mutex_
  std::thread worker_;
};

struct RaftStorage::Opened {
  std::unique_ptr<RaftStorage> storage;
  raft::Restored restored;
};

}  // namespace bascule::raft_storage
