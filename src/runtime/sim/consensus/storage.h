#pragma once

#include <deque>
#include <functional>

#include "core/consensus/raft.h"
#include "runtime/sim/append_file.h"
#include "runtime/sim/scheduler.h"
#include "wire/raft/log_file.h"

namespace bascule::sim {

/// The consensus files of one server on a simulated disk: the same bytes as runtime/raft_storage writes, with flushes
/// that take time, fail, and are interrupted.
class RaftStorage {
 public:
  struct Latency {
    Duration usual_max = milliseconds(4);
    std::uint32_t slow_permille = 20;
    Duration slow_max = milliseconds(150);
  };
  /// Called with Persisted or PersistFailed.
  using Report = std::function<void(const consensus::Input&)>;

  RaftStorage(Scheduler& scheduler, raft::FileOwner owner, Latency latency, Report report);

  void persist(const consensus::Persist& persist);
  /// The process is gone; with `power_loss` also what was not flushed.
  void crash(bool power_loss);
  /// What a new process finds. An error here means that durable data was lost.
  [[nodiscard]] Result<raft::Restored> recover();
  [[nodiscard]] Disk& disk() { return disk_; }

 private:
  struct TwoFiles {
    AppendFile active;
    AppendFile spare;
    bool exists = false;
    void replace() { std::swap(active, spare), exists = true; }
  };
  enum class Stage : std::uint8_t { Idle, FlushingLog, FlushingSnapshot, FlushingNewLog, Failed };

  void begin_next();
  void append_batch();
  void write_snapshot();
  void write_new_log();
  void flush(AppendFile& file, Stage stage);
  void flushed();
  void finished();
  void failed();
  [[nodiscard]] Duration draw_latency();

  Scheduler& scheduler_;
  Prng prng_;
  raft::FileOwner owner_;
  Latency latency_;
  Report report_;
  Disk disk_;
  TwoFiles log_;
  TwoFiles snapshot_;
  raft::LogWriter writer_;
  raft::LogWriter new_writer_;

  std::deque<consensus::Persist> queue_;
  std::uint64_t batch_last_ = 0;  ///< sequence of the last change in the batch under way
  std::size_t batch_count_ = 0;
  Stage stage_ = Stage::Idle;
  AppendFile::FlushToken token_;
  AppendFile* flushing_ = nullptr;
  std::uint64_t life_ = 0;  ///< of the process; completions of an earlier one are ignored
};

}  // namespace bascule::sim
