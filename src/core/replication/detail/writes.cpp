#include "core/replication/detail/writes.h"

#include <algorithm>
#include <cerrno>

#include "base/assert.h"

namespace bascule::replication::detail {
namespace {

constexpr std::size_t max_epoch_writes = 2048;
constexpr Duration epoch_age = milliseconds(50);

}  // namespace

Writes::Writes(Core& core, Metadata& metadata, ActivityLog& activity_log)
    : core_(core), metadata_(metadata), activity_log_(activity_log) {}

Writes::Entry* Writes::find(Serial serial) {
  if (serial < first_ || serial - first_ >= log_.size()) return nullptr;
  return &at(serial);
}

// ---- from the application ---------------------------------------------------------------------------------------

void Writes::write(const input::Write& write) {
  const Range range{write.offset, write.length};
  if (!core_.serving || core_.failing_io || core_.disk != DiskState::UpToDate || !core_.inside(range)) {
    core_.complete(write.request, core_.inside(range) ? EIO : EINVAL);
    return core_.release(write.buffer);
  }
  const Serial serial = first_ + log_.size();
  Entry entry;
  entry.request = write.request;
  entry.range = range;
  entry.buffer = write.buffer;
  entry.fua = write.fua;
  log_.push_back(entry);
  active_.push_back({serial, range, core_.now});
  waiting_.push_back(serial);
  try_start(serial);
  if (at(serial).started) waiting_.pop_back();
}

void Writes::read(const input::Read& read) {
  const Range range{read.offset, read.length};
  if (!core_.serving || core_.disk != DiskState::UpToDate || !core_.inside(range))
    return core_.complete(read.request, core_.inside(range) ? EIO : EINVAL);
  reads_.push_back({read.request, next_read_});
  core_.emit(effect::DiskRead{operation_of(Owner::LocalRead, next_read_++), read.offset, read.length, read.buffer});
}

void Writes::flush(const input::Flush& flush) {
  if (!core_.serving || core_.failing_io || core_.disk != DiskState::UpToDate)
    return core_.complete(flush.request, EIO);
  FlushWait wait;
  wait.request = flush.request;
  wait.number = next_flush_++;
  wait.session = core_.session.number;
  close_epoch();
  if (!epochs_.empty()) wait.epoch = epochs_.back().number;
  // Without a session nobody knows what the peer, still a member, had flushed of what was acknowledged before.
  wait.needs_peer = wait.epoch || (core_.in_sync.peer_counts() && !core_.peer_in_step());
  if (core_.canary_set(canary::kFlushOnlyHere)) wait.needs_peer = false;
  flushes_.push_back(wait);
  core_.emit(effect::DiskFlush{operation_of(Owner::LocalFlush, wait.number)});
}

// ---- starting ---------------------------------------------------------------------------------------------------

bool Writes::blocked(Serial serial, const Range& range) const {
  const auto earlier = [&](const Active& each) { return each.serial < serial && each.range.overlaps(range); };
  if (std::any_of(active_.begin(), active_.end(), earlier)) return true;
  return std::any_of(core_.resync_reads.begin(), core_.resync_reads.end(),
                     [&](const Range& each) { return each.overlaps(range); });
}

void Writes::try_start(Serial serial) {
  Entry& entry = at(serial);
  // What we told the peer in the handshake stays true until it has answered.
  const bool handshaking = core_.connection == ConnectionState::WFReportParams && !core_.dropping;
  const bool gives_way = activity_log_.starved() && !entry.hot_held && !waiting_.empty() && waiting_.front() != serial;
  if (gives_way || handshaking || !activity_log_.ready() || blocked(serial, entry.range)) return;
  const bool hot = entry.hot_held ? activity_log_.hot(entry.range) : activity_log_.acquire(entry.range);
  entry.hot_held = true;
  if (hot) start(serial);
}

void Writes::start(Serial serial) {
  Entry& entry = at(serial);
  entry.started = true;
  if (core_.replicates())
    send(serial);
  else
    mark_lost(entry);
  ++local_in_flight_;
  core_.emit(effect::DiskWrite{operation_of(Owner::LocalWrite, serial), entry.range.offset,
                               static_cast<std::uint32_t>(entry.range.length), entry.buffer, entry.fua});
}

void Writes::send(Serial serial) {
  Entry& entry = at(serial);
  drbd::Data data;
  data.sector = entry.range.offset / 512;
  data.block_id = drbd::BlockId{serial};
  data.sequence = ++core_.session.sequence;
  data.size_bytes = static_cast<std::uint32_t>(entry.range.length);
  data.flags = drbd::data_flag::kSync | drbd::data_flag::kSendWriteAck;
  if (entry.fua) data.flags |= drbd::data_flag::kFua;
  if (is_resyncing(core_.connection)) data.flags |= drbd::data_flag::kMaySetInSync;
  Epoch& epoch = open_epoch();
  epoch.members.push_back(serial);
  entry.sent = true;
  entry.barrier_done = false;
  core_.send_data(std::move(data), entry.buffer);
  if (epoch.members.size() >= max_epoch_writes) close_epoch();
}

/// The peer will not get this write, or not for certain.
void Writes::mark_lost(Entry& entry) {
  entry.sent = false;
  entry.barrier_done = true;
  if (!core_.canary_set(canary::kForgetUnacknowledged)) metadata_.mark_out_of_sync(entry.range);
  if (core_.connection == ConnectionState::WFBitMapS && core_.session.open && !core_.dropping)
    core_.send_data(drbd::OutOfSync{entry.range.offset / 512, static_cast<std::uint32_t>(entry.range.length), 0});
}

// ---- barriers ---------------------------------------------------------------------------------------------------

Writes::Epoch& Writes::open_epoch() {
  if (epochs_.empty() || epochs_.back().closed) {
    Epoch epoch;
    epoch.number = next_epoch_++;
    epoch.close_at = core_.now + epoch_age;
    if (!spare_members_.empty()) {
      epoch.members.swap(spare_members_.back());
      spare_members_.pop_back();
    }
    epochs_.push_back(std::move(epoch));
  }
  return epochs_.back();
}

void Writes::close_epoch() {
  if (epochs_.empty() || epochs_.back().closed) return;
  epochs_.back().closed = true;
  core_.send_data(drbd::Barrier{epochs_.back().number, 0});
}

bool Writes::barrier_acknowledged(const drbd::BarrierAck& ack) {
  if (epochs_.empty() || !epochs_.front().closed) return false;
  Epoch& epoch = epochs_.front();
  if (ack.number != epoch.number || ack.set_size != epoch.members.size()) return false;
  for (const Serial serial : epoch.members) {
    Entry& entry = at(serial);
    if (entry.sent && !entry.acked) return false;  // flushed, but never written?
    entry.barrier_done = true;
    release_log(entry);
  }
  epoch.members.clear();
  spare_members_.push_back(std::move(epoch.members));
  epochs_.pop_front();
  trim();
  look_again_ = true;
  return true;
}

void Writes::release_log(Entry& entry) {
  if (!entry.hot_held || !entry.local_done || !entry.barrier_done) return;
  entry.hot_held = false;
  activity_log_.release(entry.range);
}

void Writes::trim() {
  while (!log_.empty() && log_.front().answered && log_.front().local_done && log_.front().barrier_done &&
         !log_.front().hot_held) {
    log_.pop_front();
    ++first_;
  }
}

// ---- answers ----------------------------------------------------------------------------------------------------

void Writes::local_write_done(OperationId operation, int error_number) {
  const Serial serial = rest_of(operation);
  Entry& entry = at(serial);
  BASCULE_ASSERT(entry.started && !entry.local_done);
  --local_in_flight_;
  entry.local_done = true;
  core_.release(entry.buffer);
  entry.buffer = 0;
  if (error_number != 0) {
    entry.failed = true;
    core_.why = "the disk refused a write (error " + std::to_string(error_number) + ")";
    core_.event("disk-failed", core_.why);
    core_.become(DiskState::Failed, core_.why);
    if (!entry.answered) answer(entry, EIO);
  }
  settle(serial);
}

bool Writes::acknowledged(const drbd::BlockAck& ack) {
  using Kind = drbd::BlockAck::Kind;
  const auto serial = static_cast<Serial>(ack.block_id);
  Entry* entry = find(serial);
  if (entry == nullptr || !entry->sent || entry->acked || entry->range.offset / 512 != ack.sector ||
      entry->range.length != ack.size_bytes)
    return false;
  if (ack.kind == Kind::NegativeAck) {
    // The peer could not write it: the epoch still counts it, the bits tell that it is missing there.
    entry->sent = false;
    metadata_.mark_out_of_sync(entry->range);
  } else {
    entry->acked = true;
    if (ack.kind == Kind::ResyncWriteAck) metadata_.mark_in_sync(entry->range);
  }
  settle(serial);
  return true;
}

/// Called whenever one of the disks has answered.
void Writes::settle(Serial serial) {
  Entry& entry = at(serial);
  if (!entry.local_done || (entry.sent && !entry.acked)) return;
  leave_active(serial);
  release_log(entry);
  if (!entry.answered) {
    if (may_answer(entry))
      answer(entry, 0);
    else
      ready_.push_back(serial), look_again_ = true;
  }
  trim();
}

void Writes::leave_active(Serial serial) {
  const auto found =
      std::find_if(active_.begin(), active_.end(), [&](const Active& each) { return each.serial == serial; });
  if (found == active_.end()) return;
  *found = active_.back();
  active_.pop_back();
  if (!waiting_.empty()) look_again_ = true;
}

/// The one place that decides whether a write is acknowledged to the application.
bool Writes::may_answer(const Entry& entry) const {
  if (!core_.serving || core_.failing_io || !core_.lease_valid()) return false;
  if (entry.acked) return true;
  if (core_.canary_set(canary::kAcknowledgeBeforeShrink)) return true;
  return went_on_alone() || resynced(entry.range);
}

/// No member of the set lacks what only this node has, and the generation tells that we went on alone.
bool Writes::went_on_alone() const {
  if (core_.operator_rules() && core_.suspended()) return false;
  return !core_.in_sync.peer_counts() && core_.superblock.bitmap_uuid != 0 && metadata_.superblock_durable();
}

/// It was held so long that a resync has brought it to the peer meanwhile.
bool Writes::resynced(const Range& range) const { return core_.peer_in_step() && metadata_.in_sync(range); }

void Writes::answer(Entry& entry, int error_number) {
  entry.answered = true;
  if (error_number == 0) ++core_.writes_acknowledged;
  core_.complete(entry.request, error_number);
}

void Writes::fail_all(int error_number) {
  for (Entry& entry : log_)
    if (!entry.answered) answer(entry, error_number);
  for (const FlushWait& wait : flushes_) core_.complete(wait.request, error_number);
  flushes_.clear();
  ready_.clear();
  // What has not touched any disk never will.
  for (const Serial serial : waiting_) {
    Entry& entry = at(serial);
    leave_active(serial);
    entry.started = entry.local_done = true;
    core_.release(entry.buffer);
    entry.buffer = 0;
    release_log(entry);
  }
  waiting_.clear();
  trim();
  look_again_ = true;
}

// ---- session ----------------------------------------------------------------------------------------------------

void Writes::session_began() {
  BASCULE_ASSERT(epochs_.empty());
  next_epoch_ = 0;
  look_again_ = true;
}

void Writes::session_lost() {
  // Whatever the peer has not flushed may be missing there.
  for (Entry& entry : log_)
    if (entry.started && !entry.barrier_done) mark_lost(entry), release_log(entry);
  epochs_.clear();
  for (Serial serial = first_; serial < first_ + log_.size(); ++serial) {
    const Entry& entry = at(serial);
    const bool settled = entry.started && entry.local_done;
    const bool listed = std::find(ready_.begin(), ready_.end(), serial) != ready_.end();
    if (!settled) continue;
    leave_active(serial);
    if (!entry.answered && !listed) ready_.push_back(serial);
  }
  trim();
  look_again_ = true;
}

// ---- reads and flushes ------------------------------------------------------------------------------------------

void Writes::local_read_done(OperationId operation, int error_number) {
  const auto found = std::find_if(reads_.begin(), reads_.end(),
                                  [&](const ReadWait& each) { return each.number == rest_of(operation); });
  if (found == reads_.end()) return;
  if (error_number != 0)
    core_.event("disk-read-failed", "the disk refused a read (error " + std::to_string(error_number) + ")");
  core_.complete(found->request, error_number == 0 ? 0 : EIO);
  *found = reads_.back();
  reads_.pop_back();
}

void Writes::local_flush_done(OperationId operation, int error_number) {
  for (FlushWait& wait : flushes_)
    if (wait.number == rest_of(operation)) {
      wait.local_done = true;
      wait.error_number = error_number;
    }
  if (error_number != 0) {
    core_.why = "the disk refused a flush (error " + std::to_string(error_number) + ")";
    core_.become(DiskState::Failed, core_.why);
  }
  look_again_ = true;
}

bool Writes::flush_done(const FlushWait& wait) const {
  if (!wait.local_done) return false;
  if (wait.error_number != 0) return true;
  if (!core_.lease_valid()) return false;
  if (!wait.needs_peer) return true;
  // If the peer went without flushing it must leave the set, or be resynced, before anybody relies on this flush.
  if (!wait.epoch || wait.session != core_.session.number || !core_.session.open)
    return went_on_alone() || (core_.peer_in_step() && core_.bitmap.count() == 0);
  return epochs_.empty() || static_cast<std::int32_t>(epochs_.front().number - *wait.epoch) > 0;
}

void Writes::advance_flushes() {
  std::erase_if(flushes_, [&](const FlushWait& wait) {
    if (!flush_done(wait)) return false;
    core_.complete(wait.request, wait.error_number == 0 ? 0 : EIO);
    return true;
  });
}

// ---- going on ---------------------------------------------------------------------------------------------------

/// All slots of the activity log are held by writes that wait for another one: only the first keeps what it has.
void Writes::give_way() {
  for (std::size_t i = 1; i < waiting_.size(); ++i) {
    Entry& entry = at(waiting_[i]);
    if (!entry.hot_held) continue;
    entry.hot_held = false;
    activity_log_.release(entry.range);
  }
}

void Writes::advance_waiting() {
  if (activity_log_.starved() && epochs_.empty() && local_in_flight_ == 0) give_way();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    const Serial serial = waiting_[i];
    try_start(serial);
    if (!at(serial).started) waiting_[kept++] = serial;
  }
  waiting_.resize(kept);
}

void Writes::advance_ready() {
  std::size_t kept = 0;
  for (const Serial serial : ready_) {
    Entry& entry = at(serial);
    if (!entry.answered && may_answer(entry)) answer(entry, 0);
    if (!entry.answered) ready_[kept++] = serial;
  }
  ready_.resize(kept);
}

void Writes::advance() {
  if (log_.empty() && flushes_.empty() && held_ == 0) return;
  if (activity_log_.starved()) close_epoch();
  look_again_ = false;
  if (!waiting_.empty()) advance_waiting();
  if (!ready_.empty()) advance_ready();
  if (!flushes_.empty()) advance_flushes();
  const auto held = static_cast<std::uint32_t>(ready_.size());
  if ((held == 0) != (held_ == 0)) {
    core_.event(held != 0 ? "writes-held" : "writes-resumed",
                held != 0 ? "writes are not acknowledged for now" : "writes are acknowledged again");
    core_.changed();
  }
  held_ = held;
  trim();
}

bool Writes::local_write_overlaps(const Range& range) const {
  return std::any_of(active_.begin(), active_.end(), [&](const Active& each) {
    if (!each.range.overlaps(range)) return false;
    const Entry& entry = log_[each.serial - first_];
    return entry.started && !entry.local_done;
  });
}

Instant Writes::deadline() const {
  Instant when = never;
  if (!epochs_.empty() && !epochs_.back().closed) when = epochs_.back().close_at;
  if (core_.session.open && !active_.empty()) {
    for (const Active& each : active_) when = std::min(when, each.since + core_.config.request_timeout);
  }
  return when;
}

void Writes::tick() {
  if (!epochs_.empty() && !epochs_.back().closed && epochs_.back().close_at <= core_.now) close_epoch();
  if (!core_.session.open) return;
  for (Active& each : active_) {
    if (each.since + core_.config.request_timeout > core_.now) continue;
    const Entry& entry = at(each.serial);
    each.since = core_.now;
    if (entry.sent && !entry.acked)
      return core_.drop(ConnectionState::Timeout, "the peer does not answer a write in time");
  }
}

}  // namespace bascule::replication::detail
