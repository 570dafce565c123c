#include "core/replication/detail/data/writes.h"

#include <algorithm>
#include <cerrno>

#include "core/replication/detail/data/write_rules.h"

namespace bascule::replication::detail {

using drbd_metadata::kExtentBytes;

Writes::Writes(Core& core, Metadata& metadata, ActivityLog& activity_log)
    : core_(core),
      metadata_(metadata),
      activity_log_(activity_log),
      epochs_(core),
      flushes_(core, metadata, epochs_),
      reads_(core, metadata),
      congestion_(core, metadata, activity_log) {}

// ---- from the application ---------------------------------------------------------------------------------------

/// How much of a write without data one packet, and half of the activity log, can take. What the peer cannot take as
/// such it gets as data.
std::uint64_t Writes::piece_bytes(WriteKind kind) const {
  if (kind == WriteKind::data) return drbd::kMaxDataBytes;
  const std::uint32_t wanted = kind == WriteKind::discard ? drbd::feature::kTrim : drbd::feature::kWriteZeroes;
  const bool plain_zeroes = kind != WriteKind::discard && !core_.config.options.net.data_integrity_alg.empty();
  if (!core_.session.open || !core_.agreed(wanted) || plain_zeroes) return drbd::kMaxDataBytes;
  const std::uint64_t wire =
      core_.agreed(drbd::feature::kWriteSame) ? drbd::kMaxDiscardBytes : drbd::kMaxDiscardBytesPlain;
  return std::min(wire, std::max<std::uint64_t>(activity_log_.size() / 2, 1) * kExtentBytes);
}

void Writes::write(const input::Write& write) {
  core_.application_io_at = core_.now;
  Entry entry;
  entry.request = write.request;
  entry.range = {write.offset, write.length};
  entry.kind = write.kind;
  entry.buffer = write.buffer;
  entry.fua = write.fua;
  const bool valid =
      core_.inside(entry.range, write.kind == WriteKind::data ? drbd::kMaxDataBytes : drbd::kMaxDiscardBytes);
  const bool possible = core_.may_write() || core_.suspended() || waits_for_data(core_);
  if (!core_.serving || core_.failing_io || !possible || !valid) {
    core_.complete(write.request, valid ? EIO : EINVAL);
    return core_.release(write.buffer);
  }
  const std::uint64_t piece = piece_bytes(write.kind);
  if (entry.range.length <= piece) return accept(entry);
  const Range whole = entry.range;
  entry.split = next_split_++;
  Split& split = splits_[entry.split];
  split.request = write.request;
  std::vector<Entry> parts;
  for (std::uint64_t at = whole.offset; at < whole.end(); at = entry.range.end()) {
    entry.range = {at, std::min(whole.end(), (at / piece + 1) * piece) - at};
    parts.push_back(entry);
  }
  split.left = static_cast<std::uint32_t>(parts.size());
  for (const Entry& part : parts) accept(part);
}

void Writes::accept(Entry entry) {
  entry.in_order = true;
  const Serial serial = log_.add(entry);
  ++open_;
  log_.at(serial).admitted = core_.own_ranges.enter(serial, entry.range);
  waiting_.push_back(serial);
  try_start(serial);
  const Entry* after = log_.find(serial);
  if (!waiting_.empty() && waiting_.back() == serial && (after == nullptr || after->started || after->answered))
    waiting_.pop_back();
}

void Writes::flush(const input::Flush& flush) {
  const bool possible = core_.may_write() || core_.suspended() || waits_for_data(core_);
  if (!core_.serving || core_.failing_io || !possible) return core_.complete(flush.request, EIO);
  flushes_.flush(flush.request);
}

// ---- starting ---------------------------------------------------------------------------------------------------

bool Writes::may_start(Serial serial) {
  Entry& entry = log_.at(serial);
  if (!entry.admitted || core_.suspended() || core_.growing()) return false;
  // What we told the peer in the handshake stays true until it has answered.
  if (core_.connection == ConnectionState::WFReportParams && !core_.dropping) return false;
  // The same of a disk that the peer compares: it would not learn that this write is missing there.
  if (core_.disk == DiskState::Negotiating) return false;
  if (core_.peer_ranges.overlaps(entry.range)) return false;
  if (std::any_of(core_.resync_reads.begin(), core_.resync_reads.end(),
                  [&](const Range& each) { return each.overlaps(entry.range); }))
    return false;
  if (!core_.disk_usable()) return true;
  const bool gives_way = activity_log_.starved() && !entry.hot_held && !waiting_.empty() && waiting_.front() != serial;
  if (gives_way || !activity_log_.ready()) return false;
  const bool hot = entry.hot_held ? activity_log_.hot(entry.range) : activity_log_.acquire(entry.range);
  entry.hot_held = true;
  return hot;
}

void Writes::try_start(Serial serial) {
  if (!core_.may_write()) {
    if (core_.suspended() || waits_for_data(core_)) return;
    Entry& entry = log_.at(serial);
    entry.started = true;
    return settle(serial);
  }
  if (may_start(serial)) start(serial);
}

void Writes::start(Serial serial) {
  Entry& entry = log_.at(serial);
  entry.started = true;
  entry.since = core_.now;
  if (congestion_.check(in_flight_bytes_)) epochs_.close();
  if (core_.replicates() && !fits_wire(entry))
    core_.drop(ConnectionState::NetworkFailure, "a discard that waited is longer than this peer takes");
  // What the peer lacks zeroes out the same way on both sides, so that the replicas stay equal.
  if (entry.kind == WriteKind::discard && core_.replicates() && !core_.agreed(drbd::feature::kTrim))
    entry.kind = WriteKind::zeroes_unmap;
  if (core_.replicates())
    send(serial);
  else
    mark_lost(entry);
  if (core_.disk_usable())
    submit_local(serial);
  else
    core_.wrote_without_disk = true;
  settle(serial);
}

void Writes::submit_local(Serial serial) {
  Entry& entry = log_.at(serial);
  entry.local = Entry::Local::Pending;
  entry.disk_busy = true;
  ++local_in_flight_;
  submitted_.push_back(serial);
  const OperationId operation = operation_of(Owner::LocalWrite, serial);
  if (entry.kind == WriteKind::data)
    core_.emit(effect::DiskWrite{operation, entry.range.offset, static_cast<std::uint32_t>(entry.range.length),
                                 entry.buffer, entry.fua});
  else
    core_.emit(effect::DiskZero{operation, entry.range.offset, entry.range.length, entry.kind, entry.fua});
}

// ---- to the peer ------------------------------------------------------------------------------------------------

bool Writes::fits_wire(const Entry& entry) const {
  return entry.range.length <= drbd::kMaxDataBytes || entry.range.length <= piece_bytes(entry.kind);
}

void Writes::send(Serial serial) {
  Entry& entry = log_.at(serial);
  namespace flag = drbd::data_flag;
  entry.may_set_in_sync =
      core_.connection >= ConnectionState::SyncSource && core_.connection <= ConnectionState::PausedSyncT;
  const drbd_config::Protocol protocol = protocol_of_writes(core_);
  entry.remote = Entry::Remote::Sent;
  entry.enough = enough_for(protocol);
  entry.told = entry.may_set_in_sync ? Entry::Remote::Written : entry.enough;
  entry.barrier_done = false;
  entry.epoch = epochs_.add(serial);
  if (remote_pending(entry)) ++remote_in_flight_;
  in_flight_bytes_ += entry.range.length;
  sent_.push_back(serial);
  std::uint32_t flags = flag::kSync;
  if (entry.fua) flags |= flag::kFua;
  if (entry.may_set_in_sync) flags |= flag::kMaySetInSync;
  if (entry.told == Entry::Remote::Written)
    flags |= flag::kSendWriteAck;
  else if (entry.told == Entry::Remote::Received)
    flags |= flag::kSendReceiveAck;
  if (entry.kind != WriteKind::data) {
    send_zeroes(serial, flags);
  } else {
    core_.statistics.sent_bytes += entry.range.length;
    core_.send_data(drbd::Data{entry.range.offset / 512,
                               drbd::BlockId{serial},
                               ++core_.session.sequence,
                               flags,
                               static_cast<std::uint32_t>(entry.range.length),
                               {}},
                    entry.buffer);
  }
  epochs_.advance(false);
}

/// As P_TRIM or P_ZEROES, or as data where the peer has not agreed to that. With integrity digests no receiver
/// takes P_ZEROES (protocol facts, section 7).
void Writes::send_zeroes(Serial serial, std::uint32_t flags) {
  const Entry& entry = log_.at(serial);
  namespace flag = drbd::data_flag;
  const std::uint64_t sector = entry.range.offset / 512;
  const auto length = static_cast<std::uint32_t>(entry.range.length);
  const std::uint32_t sequence = ++core_.session.sequence;
  const bool discard = entry.kind == WriteKind::discard;
  const bool zeroes = core_.agreed(drbd::feature::kWriteZeroes) && core_.config.options.net.data_integrity_alg.empty();
  if (discard)
    return core_.send_data(drbd::Trim{sector, drbd::BlockId{serial}, sequence, flags | flag::kDiscard, length});
  if (zeroes) {
    const std::uint32_t kind = flag::kZeroes | (entry.kind == WriteKind::zeroes_unmap ? flag::kDiscard : 0);
    return core_.send_data(drbd::Zeroes{sector, drbd::BlockId{serial}, sequence, flags | kind, length});
  }
  const BufferId buffer = core_.take_buffer(length, true);
  core_.statistics.sent_bytes += length;
  core_.send_data(drbd::Data{sector, drbd::BlockId{serial}, sequence, flags, length, {}}, buffer);
  core_.release(buffer);
}

/// The peer will not get this write, or not for certain.
void Writes::mark_lost(Entry& entry) {
  if (!entry.barrier_done) in_flight_bytes_ -= entry.range.length;
  if (remote_pending(entry)) --remote_in_flight_;
  entry.remote = Entry::Remote::None;
  entry.barrier_done = true;
  if (core_.canary_set(canary::kForgetUnacknowledged)) return;
  if (core_.canary_set(canary::kForgetDiscards) && entry.kind != WriteKind::data) return;
  const bool news = metadata_.mark_out_of_sync(entry.range);
  const bool tell = core_.connection == ConnectionState::WFBitMapS || core_.connection == ConnectionState::Ahead;
  if (news && tell && core_.session.open && !core_.dropping)
    core_.send_data(drbd::OutOfSync{entry.range.offset / 512, static_cast<std::uint32_t>(entry.range.length), 0});
}

// ---- going on ---------------------------------------------------------------------------------------------------

/// All slots of the activity log are held by writes that wait for another one: only the first keeps what it has.
void Writes::give_way() {
  for (std::size_t i = 1; i < waiting_.size(); ++i) {
    Entry& entry = log_.at(waiting_[i]);
    if (!entry.hot_held) continue;
    entry.hot_held = false;
    activity_log_.release(entry.range);
  }
}

/// Something happened that one of the waiting may have waited for. They can be thousands.
bool Writes::stirred() {
  const std::vector<Serial> admitted = core_.own_ranges.take_admitted();
  for (const Serial serial : admitted) log_.at(serial).admitted = true;
  const std::uint64_t now =
      core_.changes + activity_log_.activations() + core_.peer_ranges.departures() + core_.own_ranges.departures();
  const bool stirred = seen_ != now || !core_.resync_reads.empty() || activity_log_.starved();
  seen_ = now;
  return !waiting_.empty() && (stirred || !admitted.empty());
}

void Writes::advance_waiting() {
  if (activity_log_.starved() && epochs_.empty() && local_in_flight_ == 0) give_way();
  const std::vector<Serial> candidates = std::move(waiting_);
  waiting_.clear();
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    // Those behind it count as waiting too, so that the first in the queue is known.
    if (waiting_.empty()) waiting_.push_back(candidates[i]);
    const bool was_first = waiting_.front() == candidates[i];
    try_start(candidates[i]);
    const Entry* entry = log_.find(candidates[i]);
    const bool stays = entry != nullptr && !entry->started && !entry->answered;
    if (was_first && !stays) waiting_.erase(waiting_.begin());
    if (!was_first && stays) waiting_.push_back(candidates[i]);
  }
}

bool Writes::local_write_overlaps(const Range& range) const {
  for (const Entry* entry : under_way_in(range))
    if (entry->disk_busy) return true;
  return false;
}

std::vector<const WriteEntry*> Writes::under_way_in(const Range& range) const {
  std::vector<const WriteEntry*> found;
  for (const Serial serial : core_.own_ranges.held_in(range))
    if (log_.at(serial).started) found.push_back(&log_.at(serial));
  return found;
}

bool Writes::peer_lacks_before(Serial serial, const Range& range) const {
  const std::vector<Serial> overlapping = core_.own_ranges.held_in(range);
  return std::any_of(overlapping.begin(), overlapping.end(),
                     [&](Serial each) { return each < serial && remote_pending(log_.at(each)); });
}

}  // namespace bascule::replication::detail
