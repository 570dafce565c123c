#include "core/replication/detail/resync.h"

#include <algorithm>

#include "core/replication/detail/generation.h"

namespace bascule::replication::detail {
namespace {

constexpr std::uint64_t block_bytes = 4096;
constexpr std::uint64_t request_bytes = 512 * 1024;  ///< divides 16 MiB, so no request crosses a resync extent
constexpr std::size_t max_asked = 16;
constexpr std::size_t max_serving = 4096;  ///< a kernel peer asks for up to 1000 single blocks at once
constexpr std::size_t max_reading = 32;

}  // namespace

Resync::Resync(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes, PeerWrites& peer_writes)
    : core_(core), metadata_(metadata), handshake_(handshake), writes_(writes), peer_writes_(peer_writes) {}

std::uint64_t Resync::done_bytes() const {
  const bool running =
      core_.connection == ConnectionState::SyncSource || core_.connection == ConnectionState::SyncTarget;
  if (!running) return done_at_end_;
  const std::uint64_t left = core_.bitmap.count() * block_bytes;
  return left < total_bytes_ ? total_bytes_ - left : 0;
}

/// Begins and ends are seen by the change of the connection state.
void Resync::note_state() {
  if (seen_ == core_.connection) return;
  seen_ = core_.connection;
  if (seen_ != ConnectionState::SyncSource && seen_ != ConnectionState::SyncTarget) return;
  total_bytes_ = core_.bitmap.count() * block_bytes;
  done_at_end_ = 0;
  next_bit_ = 0;
  failed_ = 0;
  rate_since_ = core_.now;
  rate_budget_ = 0;
  core_.event("resync-started",
              std::to_string(total_bytes_) + " bytes are out of sync; this node is " + drbd::name_of(core_.connection));
}

void Resync::advance() {
  note_state();
  if (core_.dropping) return;
  if (core_.connection == ConnectionState::SyncSource) advance_source();
  if (core_.connection == ConnectionState::SyncTarget) advance_target();
}

void Resync::session_lost() {
  done_at_end_ = done_bytes();
  core_.resync_reads.clear();
  for (Serving& each : serving_)
    if (each.used && each.buffer == 0) each.used = false;
  asked_.clear();
  writing_ = 0;
  finish_ = Finish::No;
  rate_retry_ = never;
}

Instant Resync::deadline() const { return rate_retry_; }

// ---- source -----------------------------------------------------------------------------------------------------

bool Resync::request(const drbd::ResyncRequest& request) {
  const auto range = core_.range_of(request.sector, request.size_bytes);
  if (core_.connection != ConnectionState::SyncSource || !range) return false;
  const auto unused = std::find_if(serving_.begin(), serving_.end(), [](const Serving& each) { return !each.used; });
  if (unused == serving_.end() && serving_.size() >= max_serving) return false;
  Serving& slot = unused != serving_.end() ? *unused : serving_.emplace_back();
  slot = Serving{*range, 0, core_.session.number, true};
  core_.resync_reads.push_back(*range);
  start_reads();
  return true;
}

void Resync::start_reads() {
  for (std::size_t index = 0; index < serving_.size() && reading_ < max_reading; ++index) {
    Serving& slot = serving_[index];
    if (!slot.used || slot.buffer != 0 || writes_.local_write_overlaps(slot.range)) continue;
    ++reading_;
    const auto length = static_cast<std::uint32_t>(slot.range.length);
    slot.buffer = core_.take_buffer(length);
    core_.emit(effect::DiskRead{operation_of(Owner::ResyncRead, index), slot.range.offset, length, slot.buffer});
  }
}

void Resync::read_done(OperationId operation, int error_number) {
  Serving& slot = serving_[rest_of(operation)];
  const bool current = core_.session.open && slot.session == core_.session.number;
  if (current && error_number == 0) {
    drbd::ResyncReply reply;
    reply.sector = slot.range.offset / 512;
    reply.size_bytes = static_cast<std::uint32_t>(slot.range.length);
    core_.send_data(std::move(reply), slot.buffer);
  } else if (current) {
    core_.send_ack(drbd::BlockAck::Kind::NegativeResyncReply, slot.range, drbd::kSyncerBlockId);
    core_.event("disk-read-failed", "a block cannot be read for the resync");
  }
  core_.release(slot.buffer);
  --reading_;
  if (current) {
    const auto lock = std::find_if(core_.resync_reads.begin(), core_.resync_reads.end(), [&](const Range& each) {
      return each.offset == slot.range.offset && each.length == slot.range.length;
    });
    if (lock != core_.resync_reads.end()) core_.resync_reads.erase(lock);
  }
  slot = Serving{};
}

bool Resync::acknowledged(const drbd::BlockAck& ack) {
  const auto range = core_.range_of(ack.sector, ack.size_bytes);
  if (!range) return false;
  if (ack.kind == drbd::BlockAck::Kind::ResyncWriteAck) metadata_.mark_in_sync(*range);
  return true;
}

void Resync::advance_source() {
  start_reads();
  if (core_.peer.connection == ConnectionState::Connected && core_.peer.disk == DiskState::UpToDate) finish_as_source();
}

void Resync::finish_as_source() {
  if (core_.bitmap.count() != 0)
    return core_.drop(ConnectionState::ProtocolError, "the peer ends the resync with blocks left");
  end_resync_as_source(core_);
  core_.become(ConnectionState::Connected, "the peer has everything");
  done_at_end_ = total_bytes_;
  core_.crashed_primary = false;
  metadata_.superblock_changed();
  metadata_.write_all_bits();
  core_.event("resync-finished", std::to_string(total_bytes_) + " bytes");
}

// ---- target -----------------------------------------------------------------------------------------------------

void Resync::advance_target() {
  take_acknowledgements();
  if (finish_ == Finish::No) ask();
  if (finish_ == Finish::No && core_.bitmap.count() == 0 && asked_.empty() && writing_ == 0) begin_finish();
  if (finish_ == Finish::No && failed_ != 0 && asked_.empty() && writing_ == 0)
    core_.drop(ConnectionState::NetworkFailure, "the source cannot read " + std::to_string(failed_) + " ranges");
  if (finish_ == Finish::Writing && metadata_.superblock_durable(finish_version_)) {
    finish_ = Finish::Asking;
    core_.send_meta(drbd::Ping{});
  }
}

bool Resync::within_rate(std::uint64_t bytes) {
  if (core_.config.resync_rate_max == 0) return true;
  const auto passed_us = std::chrono::duration_cast<microseconds>(core_.now - rate_since_).count();
  const std::uint64_t most = std::max(core_.config.resync_rate_max / 10, request_bytes);
  const auto passed = std::min<std::uint64_t>(static_cast<std::uint64_t>(passed_us), 1'000'000);
  const std::uint64_t gained = core_.config.resync_rate_max / 1000 * passed / 1000;
  if (gained != 0) {
    rate_budget_ = std::min(most, rate_budget_ + gained);
    rate_since_ = core_.now;
  }
  if (rate_budget_ < bytes) {
    rate_retry_ = core_.now + milliseconds(10);
    return false;
  }
  rate_budget_ -= bytes;
  return true;
}

void Resync::ask() {
  rate_retry_ = never;
  while (asked_.size() + writing_ < max_asked && ask_next()) {
  }
}

/// Asks for the next run of set bits up to a multiple of request_bytes. False: nothing to ask for now.
bool Resync::ask_next() {
  auto first = core_.bitmap.find_set(next_bit_);
  if (!first && asked_.empty() && writing_ == 0 && next_bit_ != 0 && failed_ == 0) {
    next_bit_ = 0;  // bits that were set behind the cursor
    first = core_.bitmap.find_set(0);
  }
  if (!first) return false;
  const std::size_t per_request = request_bytes / block_bytes;
  const std::size_t limit = std::min(core_.bitmap.size(), (*first / per_request + 1) * per_request);
  const std::size_t last = std::min(limit, core_.bitmap.find_clear(*first).value_or(limit));
  const Range range{*first * block_bytes,
                    std::min<std::uint64_t>(last * block_bytes, core_.size_bytes()) - *first * block_bytes};
  if (!within_rate(range.length)) return false;
  next_bit_ = last;
  asked_.push_back(range);
  drbd::ResyncRequest request;
  request.sector = range.offset / 512;
  request.size_bytes = static_cast<std::uint32_t>(range.length);
  core_.send_data(std::move(request));
  return true;
}

bool Resync::reply(const drbd::ResyncReply& reply, BufferId buffer) {
  const auto found = std::find_if(asked_.begin(), asked_.end(), [&](const Range& each) {
    return each.offset / 512 == reply.sector && each.length == reply.size_bytes;
  });
  if (core_.connection != ConnectionState::SyncTarget || found == asked_.end()) {
    core_.release(buffer);
    return false;
  }
  peer_writes_.resync_data(*found, buffer);
  asked_.erase(found);
  ++writing_;
  return true;
}

bool Resync::negative_reply(const drbd::BlockAck& ack) {
  const auto found = std::find_if(asked_.begin(), asked_.end(), [&](const Range& each) {
    return each.offset / 512 == ack.sector && each.length == ack.size_bytes;
  });
  if (found == asked_.end()) return false;
  asked_.erase(found);
  ++failed_;
  return true;
}

void Resync::take_acknowledgements() { writing_ -= static_cast<std::uint32_t>(peer_writes_.take_resynced().size()); }

void Resync::begin_finish() {
  finish_ = Finish::Writing;
  rate_retry_ = never;
  end_resync_as_target(core_);
  core_.crashed_primary = false;
  // The superblock write flushes the disk before it: everything received so far is durable with it.
  core_.become(DiskState::UpToDate, "every block is here");
  metadata_.write_all_bits();
  finish_version_ = metadata_.superblock_changed();
}

void Resync::ping_acknowledged() {
  if (finish_ == Finish::Asking && core_.connection == ConnectionState::SyncTarget) finish_as_target();
}

void Resync::finish_as_target() {
  finish_ = Finish::No;
  done_at_end_ = total_bytes_;
  core_.become(ConnectionState::Connected, "the resync is complete");
  handshake_.send_state_if_changed();
  core_.event("resync-finished", std::to_string(total_bytes_) + " bytes");
}

}  // namespace bascule::replication::detail
