#include "runtime/sim/consensus/storage.h"

#include <utility>

namespace bascule::sim {
namespace {
constexpr std::uint64_t log_bytes_max = 512 << 10;
constexpr std::uint64_t snapshot_bytes_max = 64 << 10;
constexpr std::uint64_t disk_bytes = 2 * log_bytes_max + 2 * snapshot_bytes_max;
}  // namespace

RaftStorage::RaftStorage(Scheduler& scheduler, raft::FileOwner owner, Latency latency, Report report)
    : scheduler_(scheduler),
      prng_(scheduler.prng().next()),
      owner_(owner),
      latency_(latency),
      report_(std::move(report)),
      disk_(disk_bytes),
      log_{AppendFile(disk_, 0, log_bytes_max), AppendFile(disk_, log_bytes_max, log_bytes_max)},
      snapshot_{AppendFile(disk_, 2 * log_bytes_max, snapshot_bytes_max),
                AppendFile(disk_, 2 * log_bytes_max + snapshot_bytes_max, snapshot_bytes_max)} {}

void RaftStorage::persist(const consensus::Persist& persist) {
  queue_.push_back(persist);
  if (stage_ == Stage::Idle) begin_next();
}

void RaftStorage::begin_next() {
  if (queue_.empty()) return;
  if (queue_.front().change.snapshot)
    write_snapshot();
  else
    append_batch();
}

void RaftStorage::append_batch() {
  batch_count_ = 0;
  for (const auto& each : queue_) {
    if (each.change.snapshot) break;
    if (log_.active.append(writer_.encode(each.change)) != DiskStatus::Ok) return failed();
    batch_last_ = each.sequence;
    ++batch_count_;
  }
  flush(log_.active, Stage::FlushingLog);
}

void RaftStorage::write_snapshot() {
  batch_last_ = queue_.front().sequence;
  batch_count_ = 1;
  if (snapshot_.spare.truncate(0) != DiskStatus::Ok) return failed();
  const Bytes file = raft::encode_snapshot_file(owner_, queue_.front().change.snapshot->snapshot);
  if (snapshot_.spare.append(file) != DiskStatus::Ok) return failed();
  flush(snapshot_.spare, Stage::FlushingSnapshot);
}

void RaftStorage::write_new_log() {
  if (log_.spare.truncate(0) != DiskStatus::Ok) return failed();
  const Bytes file = raft::LogWriter::encode_new(owner_, queue_.front().change, new_writer_);
  if (log_.spare.append(file) != DiskStatus::Ok) return failed();
  flush(log_.spare, Stage::FlushingNewLog);
}

void RaftStorage::flush(AppendFile& file, Stage stage) {
  stage_ = stage;
  flushing_ = &file;
  token_ = file.begin_flush();
  scheduler_.after(draw_latency(), [this, life = life_] {
    if (life == life_) flushed();
  });
}

Duration RaftStorage::draw_latency() {
  const bool slow = prng_.chance(latency_.slow_permille, 1000);
  return Duration{prng_.between(100'000, (slow ? latency_.slow_max : latency_.usual_max).count())};
}

void RaftStorage::flushed() {
  if (flushing_->end_flush(token_) != DiskStatus::Ok) return failed();
  switch (std::exchange(stage_, Stage::Idle)) {
    case Stage::Idle:
    case Stage::Failed:
      return;
    case Stage::FlushingLog:
      writer_.set_synced(token_.covers_bytes);
      return finished();
    case Stage::FlushingSnapshot:
      snapshot_.replace();
      return write_new_log();
    case Stage::FlushingNewLog:
      log_.replace();
      writer_ = new_writer_;
      writer_.set_synced(writer_.file_bytes());
      return finished();
  }
}

void RaftStorage::finished() {
  queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(batch_count_));
  const std::uint64_t done = batch_last_;
  begin_next();
  report_(consensus::Persisted{done});
}

/// Nothing more is written by this process.
void RaftStorage::failed() {
  stage_ = Stage::Failed;
  scheduler_.after(microseconds(10), [this, life = life_] {
    if (life == life_) report_(consensus::PersistFailed{"injected"});
  });
}

void RaftStorage::crash(bool power_loss) {
  ++life_;
  queue_.clear();
  stage_ = Stage::Idle;
  if (!power_loss) return;
  disk_.power_loss(prng_);
  for (auto* file : {&log_.active, &log_.spare, &snapshot_.active, &snapshot_.spare}) file->power_loss(prng_);
}

Result<raft::Restored> RaftStorage::recover() {
  disk_.set_full(false);
  disk_.fail_writes(0);
  disk_.fail_flushes(0);
  raft::Snapshot snapshot;
  if (snapshot_.exists) {
    auto read = raft::read_snapshot_file(snapshot_.active.contents(), owner_);
    if (!read) return tl::unexpected(read.error());
    snapshot = std::move(*read);
  }
  if (!std::exchange(log_.exists, true)) {
    (void)log_.active.append(raft::LogWriter::begin(owner_, writer_));
    (void)log_.active.flush();
  }
  auto log = raft::read_log(log_.active.contents());
  if (!log) return tl::unexpected(log.error());
  (void)log_.active.truncate(log->valid_bytes);  // no fault is injected any more
  (void)log_.active.flush();                     // a mere process may have died: what it wrote is in the cache only
  writer_ = raft::LogWriter(log->valid_bytes, log->last_crc);
  auto combined = raft::combine(std::move(*log), std::move(snapshot));
  if (!combined) return tl::unexpected(combined.error());
  if (combined->log_is_stale) {
    (void)log_.spare.truncate(0);
    (void)log_.spare.append(raft::LogWriter::encode_new(owner_, raft::rewritten(combined->restored), writer_));
    (void)log_.spare.flush();
    log_.replace();
    writer_.set_synced(writer_.file_bytes());
  }
  return std::move(combined->restored);
}

}  // namespace bascule::sim
