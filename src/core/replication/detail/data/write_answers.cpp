#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "core/replication/detail/data/disk_errors.h"
#include "core/replication/detail/data/write_rules.h"
#include "core/replication/detail/data/writes.h"

namespace bascule::replication::detail {

// ---- what the disk and the peer say -----------------------------------------------------------------------------

void Writes::local_write_done(OperationId operation, int error_number) {
  const Serial serial = rest_of(operation);
  Entry& entry = log_.at(serial);
  BASCULE_ASSERT(entry.disk_busy);
  entry.disk_busy = false;
  --local_in_flight_;
  if (entry.local == Entry::Local::Pending) {
    entry.local = error_number == 0 ? Entry::Local::Good : Entry::Local::Failed;
    if (error_number == 0) core_.statistics.written_bytes += entry.range.length;
    if (error_number != 0) {
      if (core_.metadata_writable()) (void)metadata_.mark_out_of_sync(entry.range);
      disk_refused(core_, FailedIo::Write, error_number);
    }
  }
  settle(serial);
}

bool Writes::acknowledged(const drbd::BlockAck& ack) {
  if (ack.kind == drbd::BlockAck::Kind::NegativeDataReply) {
    const auto ended = epochs_.ended_by_read(ack.block_id);
    return ended ? end_epochs(*ended) : reads_.refused(ack);
  }
  const auto serial = static_cast<Serial>(ack.block_id);
  Entry* entry = log_.find(serial);
  if (entry == nullptr || entry->barrier_done || entry->range.offset / 512 != ack.sector ||
      entry->range.length != ack.size_bytes)
    return false;
  const bool was_pending = remote_pending(*entry);
  if (!apply(*entry, ack)) return false;
  if (was_pending && !remote_pending(*entry)) --remote_in_flight_;
  settle(serial);
  return true;
}

bool Writes::apply(Entry& entry, const drbd::BlockAck& ack) {
  using Kind = drbd::BlockAck::Kind;
  using Remote = Entry::Remote;
  const bool unanswered = entry.remote == Remote::Sent || entry.remote == Remote::Received;
  switch (ack.kind) {
    case Kind::ReceiveAck:
      if (entry.remote != Remote::Sent) return false;
      entry.remote = Remote::Received;
      return true;
    case Kind::WriteAck:
    case Kind::ResyncWriteAck:
      if (!unanswered) return false;
      entry.remote = Remote::Written;
      if (ack.kind == Kind::ResyncWriteAck) metadata_.mark_in_sync(entry.range);
      return true;
    case Kind::Superseded:
    case Kind::RetryWrite:
      if (!unanswered || !core_.two_primaries()) return false;
      entry.remote = ack.kind == Kind::Superseded ? Remote::Written : Remote::Retry;
      epochs_.refused(entry.epoch);
      return true;
    case Kind::NegativeAck:
      if (!unanswered) return false;
      // The peer could not write it: the epoch still counts it, the bits tell that it is missing there.
      entry.remote = Remote::None;
      (void)metadata_.mark_out_of_sync(entry.range);
      return true;
    default:
      return false;
  }
}

bool Writes::barrier_acknowledged(const drbd::BarrierAck& ack) {
  const auto ended = epochs_.ended_by(ack);
  return ended && end_epochs(*ended);
}

bool Writes::read_replied(const drbd::DataReply& reply, BufferId buffer) {
  const auto ended = epochs_.ended_by_read(reply.block_id);
  if (!ended) return reads_.replied(reply, buffer);
  core_.release(buffer);
  return end_epochs(*ended);
}

bool Writes::end_epochs(std::size_t count) {
  if (count != 0) flushes_.peer_flushed();
  for (; count != 0; --count)
    for (const Serial serial : epochs_.take_oldest()) {
      if (!flushed(log_.at(serial))) return false;
      settle(serial);
    }
  log_.trim();
  core_.changed();
  return true;
}

/// The peer has flushed the epoch of this write. False: it has not said what it was to say before.
bool Writes::flushed(Entry& entry) {
  const bool was_pending = remote_pending(entry);
  if (was_pending && entry.remote < entry.told) return false;
  if (was_pending) {
    entry.remote = Entry::Remote::Written;
    --remote_in_flight_;
  }
  if (!entry.barrier_done) in_flight_bytes_ -= entry.range.length;
  entry.barrier_done = true;
  return true;
}

// ---- the end of a write -----------------------------------------------------------------------------------------

/// Called whenever one of the disks has answered.
void Writes::settle(Serial serial) {
  Entry& entry = log_.at(serial);
  // A write that its disk refused is answered at once where nothing the peer says could make it good.
  const bool failed = entry.local == Entry::Local::Failed;
  if (failed && !core_.operator_rules() && !entry.answered) answer(entry, EIO);
  if (failed && core_.operator_rules()) rely_on_peer(entry);
  if (entry.local == Entry::Local::Pending || remote_pending(entry)) return;
  leave_order(serial);
  release_log(entry);
  if (!entry.answered && !entry.ready) conclude(serial);
  if (!entry.disk_busy && entry.answered) drop_buffer(entry);
  log_.trim();
}

/// This node's disk refused it after it was sent: the peer's copy is the only one. Where the peer was asked for less,
/// its barrier ack tells that it has it.
void Writes::rely_on_peer(Entry& entry) {
  using Remote = Entry::Remote;
  const bool raises = entry.enough != Remote::Written && remote_satisfied(entry) && !entry.barrier_done;
  if (!raises || entry.answered || core_.canary_set(canary::kAcknowledgeOnceSent)) return;
  entry.enough = Remote::Written;
  if (!remote_pending(entry)) return;
  ++remote_in_flight_;
  if (entry.told != Remote::Written && epochs_.newest() == entry.epoch) epochs_.close();
}

void Writes::conclude(Serial serial) {
  Entry& entry = log_.at(serial);
  if (entry.remote == Entry::Remote::Retry) return begin_anew(serial);
  if (nowhere(entry)) return give_up(serial);
  if (may_answer(entry)) return answer(entry, 0);
  entry.ready = true;
  ready_.push_back(serial);
  core_.changed();
}

/// The peer does not have it, and this node nowhere that counts. A write to a disk that is being resynced is nothing by
/// itself: the resync from the peer would undo it. One to a disk that is gone since can never be told from the peer's
/// data by a new generation.
bool Writes::nowhere(const Entry& entry) const {
  if (remote_satisfied(entry)) return false;
  const bool undone = core_.operator_rules() && (core_.disk == DiskState::Inconsistent || !core_.disk_usable());
  return entry.local != Entry::Local::Good || undone;
}

void Writes::give_up(Serial serial) {
  const bool wait = core_.suspended() || waits_for_data(core_);
  if (wait && !core_.failing_io && core_.serving) return begin_anew(serial);
  answer(log_.at(serial), EIO);
}

/// The same request as a new write; the old one only waits for its barrier.
void Writes::begin_anew(Serial serial) {
  Entry& old = log_.at(serial);
  Entry again;
  again.request = old.request;
  again.split = old.split;
  again.range = old.range;
  again.kind = old.kind;
  again.buffer = std::exchange(old.buffer, 0);
  again.fua = old.fua;
  old.answered = true;
  --open_;
  anew_.push_back(again);
  core_.changed();
}

void Writes::leave_order(Serial serial) {
  Entry& entry = log_.at(serial);
  if (!std::exchange(entry.in_order, false)) return;
  core_.own_ranges.leave(serial, entry.range);
}

void Writes::release_log(Entry& entry) {
  if (!entry.hot_held || entry.disk_busy || !entry.barrier_done || entry.in_order) return;
  entry.hot_held = false;
  activity_log_.release(entry.range);
}

void Writes::drop_buffer(Entry& entry) { core_.release(std::exchange(entry.buffer, 0)); }

// ---- answers ----------------------------------------------------------------------------------------------------

/// The one place that decides whether a write is acknowledged to the application.
bool Writes::may_answer(const Entry& entry) const {
  if (!core_.serving || core_.failing_io || !core_.lease_valid()) return false;
  if (remote_satisfied(entry)) return true;
  if (core_.canary_set(canary::kAcknowledgeBeforeShrink)) return true;
  return went_on_alone(core_, metadata_) || resynced(entry.range);
}

/// It was held so long that a resync has brought it to the peer meanwhile.
bool Writes::resynced(const Range& range) const { return core_.peer_in_step() && metadata_.in_sync(range); }

void Writes::answer(Entry& entry, int error_number) {
  entry.answered = true;
  --open_;
  entry.good = error_number == 0;
  if (error_number == 0 && !entry.barrier_done) epochs_.answered(entry.epoch);
  answer_request(entry, error_number);
}

void Writes::answer_request(const Entry& entry, int error_number) {
  if (entry.split != 0) {
    const auto split = splits_.find(entry.split);
    if (error_number != 0) split->second.error_number = error_number;
    if (--split->second.left != 0) return;
    error_number = split->second.error_number;
    splits_.erase(split);
  }
  if (error_number == 0) ++core_.writes_acknowledged;
  core_.complete(entry.request, error_number);
}

/// What has not touched any disk never will.
void Writes::drop_waiting() {
  for (const Serial serial : waiting_) {
    Entry& entry = log_.at(serial);
    leave_order(serial);
    drop_buffer(entry);
    release_log(entry);
  }
  waiting_.clear();
  for (const Entry& entry : anew_) core_.release(entry.buffer);
  anew_.clear();
}

void Writes::fail_all(int error_number) {
  for (Serial serial = log_.begin(); serial < log_.end(); ++serial)
    if (!log_.at(serial).answered) answer(log_.at(serial), error_number);
  for (const Entry& entry : anew_) answer_request(entry, error_number);
  flushes_.fail_all(error_number);
  reads_.fail_waiting(error_number);
  for (const Serial serial : ready_) drop_buffer(log_.at(serial));
  ready_.clear();
  drop_waiting();
  log_.trim();
  core_.changed();
}

void Writes::disk_failed(int error_number) {
  if (core_.config.authority == Authority::Cluster) return fail_all(error_number);
  core_.changed();
}

void Writes::give_up_local() {
  const std::vector<Serial> busy(submitted_.begin(), submitted_.end());
  for (const Serial serial : busy) {
    Entry* entry = log_.find(serial);
    if (entry == nullptr || entry->local != Entry::Local::Pending) continue;
    entry->local = Entry::Local::Failed;
    settle(serial);
  }
  submitted_.clear();
  local_deadline_ = never;
}

// ---- session ----------------------------------------------------------------------------------------------------

void Writes::session_began() {
  epochs_.session_began();
  core_.changed();
}

void Writes::session_lost() {
  // Whatever the peer has not flushed may be missing there.
  epochs_.session_lost();
  congestion_.session_lost();
  reads_.session_lost();
  sent_.clear();
  remote_deadline_ = never;
  const Serial end = log_.end();
  std::uint64_t unflushed_bytes = 0;
  for (Serial serial = log_.begin(); serial < end; ++serial)
    if (const Entry& entry = log_.at(serial); entry.good && !entry.barrier_done) unflushed_bytes += entry.range.length;
  flushes_.session_lost(unflushed_bytes);
  for (Serial serial = log_.begin(); serial < end; ++serial) {
    Entry* entry = log_.find(serial);
    if (entry == nullptr || !entry->started) continue;
    if (!entry->barrier_done) mark_lost(*entry);
    settle(serial);
  }
  log_.trim();
  core_.changed();
}

// ---- time -------------------------------------------------------------------------------------------------------

/// When the oldest of them began that is still pending.
template <typename Pending>
Instant Writes::oldest_since(std::deque<Serial>& queue, Pending pending) {
  while (!queue.empty()) {
    const Entry* entry = log_.find(queue.front());
    if (entry != nullptr && pending(*entry)) return entry->since;
    queue.pop_front();
  }
  return never;
}

void Writes::check_timeouts() {
  const Instant sent = oldest_since(sent_, remote_pending);
  const Instant submitted = oldest_since(submitted_, waits_for_disk);
  const Duration patience = core_.config.request_timeout;
  const Duration disk_patience = milliseconds(100) * core_.config.options.disk.disk_timeout_ds;
  remote_deadline_ = sent == never || patience == Duration{0} ? never : sent + patience;
  local_deadline_ = submitted == never || disk_patience == Duration{0} ? never : submitted + disk_patience;
}

Instant Writes::deadline() const {
  return std::min({remote_deadline_, local_deadline_, epochs_.deadline(), congestion_.deadline()});
}

void Writes::tick() {
  epochs_.tick();
  check_timeouts();
  if (core_.session.open && (remote_deadline_ <= core_.now || epochs_.overdue()))
    core_.drop(ConnectionState::Timeout, "the peer does not answer a write in time");
  if (local_deadline_ <= core_.now) {
    give_up_disk(core_, "the disk does not answer in time (disk-timeout)");
    give_up_local();
  }
}

// ---- going on ---------------------------------------------------------------------------------------------------

void Writes::advance_ready() {
  std::size_t kept = 0;
  for (const Serial serial : ready_) {
    Entry& entry = log_.at(serial);
    if (!entry.answered && may_answer(entry)) answer(entry, 0);
    if (!entry.answered && nowhere(entry)) give_up(serial);
    if (entry.answered)
      drop_buffer(entry);
    else
      ready_[kept++] = serial;
  }
  ready_.resize(kept);
}

void Writes::note_held() {
  const auto held = static_cast<std::uint32_t>(ready_.size());
  if ((held == 0) != (held_ == 0)) {
    core_.event(held != 0 ? "writes-held" : "writes-resumed",
                held != 0 ? "writes are not acknowledged for now" : "writes are acknowledged again");
    core_.changed();
  }
  held_ = held;
}

void Writes::advance() {
  congestion_.advance(epochs_.empty());
  if (activity_log_.starved()) epochs_.close();
  for (const Entry& entry : std::exchange(anew_, {})) accept(entry);
  if (stirred()) advance_waiting();
  if (!ready_.empty()) advance_ready();
  flushes_.advance();
  reads_.advance();
  epochs_.advance(remote_in_flight_ == 0);
  if (held_ != 0 || !ready_.empty()) note_held();
  log_.trim();
  check_timeouts();
}

void Writes::count(Statistics& statistics) const {
  statistics.upper_pending = open_ + static_cast<std::uint32_t>(flushes_.size() + reads_.size());
  statistics.lower_pending += local_in_flight_ + reads_.local_pending();
  statistics.pending += remote_in_flight_ + reads_.remote_pending();
  statistics.in_flight_bytes = in_flight_bytes_;
}

}  // namespace bascule::replication::detail
