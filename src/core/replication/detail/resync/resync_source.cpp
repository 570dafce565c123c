#include "core/replication/detail/resync/resync_source.h"

#include <algorithm>

#include "core/replication/detail/resync/pacing.h"

namespace bascule::replication::detail {
namespace {

constexpr std::size_t max_serving = 8192;  ///< a kernel peer asks for up to max-buffers / 2 single blocks at once
constexpr std::size_t max_reading = 32;
constexpr std::size_t max_reading_busy = 2;  ///< while an application uses the disk
constexpr Duration throttle_pause = milliseconds(100);

}  // namespace

ResyncSource::ResyncSource(Core& core, Metadata& metadata, Writes& writes)
    : core_(core), metadata_(metadata), writes_(writes) {}

void ResyncSource::begin() {
  failed_bytes_ = equal_bytes_ = served_bytes_ = 0;
  served_since_ = core_.now;
  digest_ = digest_named(core_.config.options.net.csums_alg).value_or(Digest::none);
}

void ResyncSource::session_lost() {
  for (const std::size_t index : waiting_) {
    slots_[index] = Serving{};
    free_.push_back(index);
  }
  waiting_.clear();
  throttled_until_ = never;
}

// ---- requests ---------------------------------------------------------------------------------------------------

bool ResyncSource::request(const drbd::ResyncRequest& request) {
  return take(request.sector, request.size_bytes, Kind::Plain, {});
}

bool ResyncSource::request(const drbd::ThinResyncRequest& request) {
  return take(request.sector, request.size_bytes, Kind::Thin, {});
}

bool ResyncSource::request(const drbd::ChecksumResyncRequest& request) {
  const bool known = digest_ != Digest::none && request.digest.size() == digest_bytes(digest_);
  return known && take(request.sector, request.size_bytes, Kind::Checksum, request.digest);
}

bool ResyncSource::take(std::uint64_t sector, std::uint32_t size_bytes, Kind kind, Bytes digest) {
  const auto range = core_.range_of(sector, size_bytes);
  if (!range) return false;
  if (core_.connection == ConnectionState::Ahead) {
    core_.send_ack(drbd::BlockAck::Kind::ResyncCancel, *range,
                   drbd::kSyncerBlockId);  // asked for before the target knew
    return true;
  }
  const bool serves =
      core_.connection == ConnectionState::SyncSource || core_.connection == ConnectionState::PausedSyncS;
  if (!serves || (free_.empty() && slots_.size() >= max_serving)) return false;
  if (free_.empty()) {
    free_.push_back(slots_.size());
    slots_.emplace_back();
  }
  const std::size_t index = free_.back();
  free_.pop_back();
  slots_[index] = Serving{*range, kind, std::move(digest), 0, core_.session.number};
  waiting_.push_back(index);
  core_.lock(*range);
  start_reads();
  return true;
}

// ---- reading ----------------------------------------------------------------------------------------------------

std::size_t ResyncSource::most_reading() const {
  const bool busy = core_.application_io_at && core_.now - *core_.application_io_at < busy_hold;
  return busy ? max_reading_busy : max_reading;
}

/// c-min-rate: while applications use the disk, a resync that is faster than this waits. Only when somebody set it:
/// our own targets hold themselves back. Not for a Primary, whose own application waits for it (protocol facts, 9).
bool ResyncSource::throttled() {
  const std::uint32_t min_rate = core_.config.options.disk.c_min_rate_kib_per_s;
  if (min_rate == 0 || min_rate == drbd_config::Disk{}.c_min_rate_kib_per_s) return false;
  if (core_.peer.role == Role::Primary || most_reading() == max_reading) return false;
  if (throttled_until_ != never && core_.now < throttled_until_) return true;
  const auto passed_ms = std::max<std::int64_t>(to_ms(core_.now - served_since_), 1);
  const bool fast = served_bytes_ / 1024 * 1000 / static_cast<std::uint64_t>(passed_ms) > min_rate;
  if (passed_ms > 1000) {
    served_since_ = core_.now;
    served_bytes_ = 0;
  }
  throttled_until_ = fast ? core_.now + throttle_pause : never;
  return fast;
}

void ResyncSource::start_reads() {
  if (waiting_.empty() || throttled_until_ <= core_.now) throttled_until_ = never;
  std::size_t looked_at = 0;
  while (looked_at < waiting_.size() && reading_ < most_reading()) {
    const std::size_t index = waiting_[looked_at];
    const Range& range = slots_[index].range;
    if (writes_.local_write_overlaps(range) || core_.peer_ranges.overlaps(range)) {
      ++looked_at;
      continue;
    }
    if (throttled()) return;
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(looked_at));
    start_read(index);
  }
}

void ResyncSource::start_read(std::size_t index) {
  Serving& slot = slots_[index];
  const auto length = static_cast<std::uint32_t>(slot.range.length);
  slot.buffer = core_.take_buffer(length);
  ++reading_;
  served_bytes_ += length;
  effect::DiskRead read{operation_of(Owner::ResyncRead, index), slot.range.offset, length, slot.buffer};
  if (slot.kind == Kind::Checksum) read.digest = digest_;
  read.detect_zeroes = slot.kind == Kind::Thin;
  core_.emit(std::move(read));
}

void ResyncSource::read_done(const input::DiskDone& done) {
  const std::size_t index = rest_of(done.operation);
  const Serving slot = std::exchange(slots_[index], Serving{});
  free_.push_back(index);
  --reading_;
  if (core_.session.open && slot.session == core_.session.number) {
    answer(slot, done);
    core_.unlock(slot.range);
  }
  core_.release(slot.buffer);
  core_.changed();
}

// ---- answers ----------------------------------------------------------------------------------------------------

void ResyncSource::answer(const Serving& slot, const input::DiskDone& done) {
  const std::uint64_t sector = slot.range.offset / 512;
  const auto length = static_cast<std::uint32_t>(slot.range.length);
  if (done.error_number != 0) {
    failed_bytes_ += length;
    core_.event("disk-read-failed", "a block cannot be read for the resync");
    return core_.send_ack(drbd::BlockAck::Kind::NegativeResyncReply, slot.range, drbd::kSyncerBlockId);
  }
  if (slot.kind == Kind::Checksum && done.digest == slot.digest) {
    // What the target read back was durable before the resync began, or is held by our activity log.
    metadata_.mark_in_sync(slot.range);
    equal_bytes_ += length;
    return core_.send_ack(drbd::BlockAck::Kind::ResyncIsInSync, slot.range, drbd::kSyncerBlockId);
  }
  if (slot.kind == Kind::Thin && done.all_zero) return core_.send_data(drbd::ResyncDeallocated{sector, length, 0});
  drbd::ResyncReply reply;
  reply.sector = sector;
  reply.size_bytes = length;
  core_.send_data(std::move(reply), slot.buffer);
}

bool ResyncSource::acknowledged(const drbd::BlockAck& ack) {
  const auto range = core_.range_of(ack.sector, ack.size_bytes);
  if (!range) return false;
  // What goes to the peer no more is only marked, and may be newer than what is acknowledged here: that mark stays.
  if (ack.kind == drbd::BlockAck::Kind::ResyncWriteAck && core_.replicates()) metadata_.mark_in_sync(*range);
  if (ack.kind == drbd::BlockAck::Kind::NegativeAck) failed_bytes_ += range->length;
  return true;
}

void ResyncSource::advance() { start_reads(); }

}  // namespace bascule::replication::detail
