#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "core/consensus/raft.h"
#include "wire/raft/log_file.h"

namespace bascule::raft_storage {

/// The consensus files of this server (log_files.h). One worker thread writes and syncs; what comes in meanwhile goes
/// into its next batch.
class RaftStorage {
 public:
  /// Persisted after the data is on the disk, or once PersistFailed, after which nothing is written any more. Called on
  /// the worker thread: hand it to the thread that owns the core.
  using Report = std::function<void(consensus::Input)>;

  struct Opened;
  /// As LogFiles::open.
  [[nodiscard]] static Result<Opened> open(const std::string& directory, const raft::FileOwner& owner, Report report);

  /// Writes what is queued, then ends the worker.
  ~RaftStorage();
  RaftStorage(const RaftStorage&) = delete;
  RaftStorage& operator=(const RaftStorage&) = delete;

  /// Queues one change; does not wait for the disk. In the order of the sequence numbers.
  void persist(consensus::Persist persist);

 private:
  struct Worker;
  explicit RaftStorage(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

struct RaftStorage::Opened {
  std::unique_ptr<RaftStorage> storage;
  raft::Restored restored;
};

}  // namespace bascule::raft_storage
