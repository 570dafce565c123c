#include "core/replication/detail/resync/resync.h"

#include <algorithm>

#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {
namespace {

/// Numbers of handlers that this machine starts have this bit.
constexpr std::uint64_t before_resync_target_numbers = 1ULL << 49;

}  // namespace

Resync::Resync(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes, PeerWrites& peer_writes)
    : core_(core),
      metadata_(metadata),
      source_(core, metadata, writes),
      target_(core, metadata, handshake, writes, peer_writes) {}

std::uint64_t Resync::done_bytes() const {
  if (!is_syncing(core_.connection)) return done_at_end_;
  const std::uint64_t left = core_.bitmap.count() * block_bytes;
  return left < total_bytes_ ? total_bytes_ - left : 0;
}

/// What was asked for twice has failed twice; what failed is marked.
std::uint64_t Resync::failed_bytes() const {
  return std::min(source_.failed_bytes() + target_.failed_bytes(), core_.bitmap.count() * block_bytes);
}

Instant Resync::deadline() const {
  Instant when = core_.connection == ConnectionState::SyncTarget ? target_.deadline() : never;
  if (is_syncing(core_.connection)) when = std::min(when, source_.deadline());
  return std::min(when, core_.resync_retry_at);
}

// ---- packets ----------------------------------------------------------------------------------------------------

std::optional<bool> Resync::data_packet(const drbd::Packet& packet, BufferId buffer) {
  if (const auto* reply = std::get_if<drbd::ResyncReply>(&packet)) return target_.reply(*reply, buffer);
  if (const auto* reply = std::get_if<drbd::ResyncDeallocated>(&packet)) return target_.deallocated(*reply);
  if (const auto* request = std::get_if<drbd::ResyncRequest>(&packet)) return source_.request(*request);
  if (const auto* request = std::get_if<drbd::ThinResyncRequest>(&packet)) return source_.request(*request);
  if (const auto* request = std::get_if<drbd::ChecksumResyncRequest>(&packet)) return source_.request(*request);
  return std::nullopt;
}

std::optional<bool> Resync::block_ack(const drbd::BlockAck& ack) {
  using Kind = drbd::BlockAck::Kind;
  switch (ack.kind) {
    case Kind::WriteAck:
    case Kind::ResyncWriteAck:
    case Kind::NegativeAck:
      if (ack.block_id != drbd::kSyncerBlockId) return std::nullopt;
      return source_.acknowledged(ack);
    case Kind::NegativeResyncReply:
    case Kind::ResyncIsInSync:
    case Kind::ResyncCancel:
      return target_.answer(ack);
    default:
      return std::nullopt;
  }
}

void Resync::disk_done(const input::DiskDone& done) {
  if (owner_of(done.operation) == Owner::ResyncRead)
    source_.read_done(done);
  else
    target_.read_done(done);
}

// ---- life -------------------------------------------------------------------------------------------------------

/// Begins and ends are seen by the change of the connection state.
void Resync::note_state() {
  const bool runs = is_syncing(core_.connection);
  if (runs == running_) return;
  running_ = runs;
  if (runs) begin();
}

void Resync::begin() {
  total_bytes_ = core_.bitmap.count() * block_bytes;
  done_at_end_ = 0;
  core_.resync_retry_at = never;
  source_.begin();
  target_.begin();
  core_.event("resync-started",
              std::to_string(total_bytes_) + " bytes are out of sync; this node is " + drbd::name_of(core_.connection));
  if (is_target(core_.connection)) run_before_resync_target();
}

void Resync::run_before_resync_target() {
  if (core_.config.options.handlers.contains("before-resync-target"))
    awaited_handler_ = before_resync_target_numbers | next_handler_++;
  core_.emit(effect::RunHandler{"before-resync-target", awaited_handler_});
}

bool Resync::handler_done(const input::HandlerDone& done) {
  if (awaited_handler_ == 0 || done.number != awaited_handler_) return false;
  awaited_handler_ = 0;
  if (done.exit_code > 0)
    core_.drop(ConnectionState::Disconnecting, "before-resync-target ended with " + std::to_string(done.exit_code),
               true);
  return true;
}

void Resync::pause_or_go_on() {
  using enum ConnectionState;
  const bool pause = core_.resync_paused();
  const char* why = pause ? "the resync is held back" : "the resync goes on";
  if (pause && core_.connection == SyncSource) return core_.become(PausedSyncS, why);
  if (pause && core_.connection == SyncTarget) return core_.become(PausedSyncT, why);
  if (!pause && core_.connection == PausedSyncS) return core_.become(SyncSource, why);
  if (!pause && core_.connection == PausedSyncT) return core_.become(SyncTarget, why);
}

void Resync::advance() {
  if (const auto end = target_.take_end()) target_ended(*end);
  note_state();
  if (core_.dropping) return;
  retry();
  pause_or_go_on();
  if (!is_syncing(core_.connection)) return;
  if (is_target(core_.connection)) {
    target_.advance(core_.connection == ConnectionState::SyncTarget && awaited_handler_ == 0);
    if (const auto end = target_.take_end()) target_ended(*end);  // with failures
    return;
  }
  source_.advance();
  check_source_end();
}

void Resync::session_lost() {
  if (running_) done_at_end_ = done_bytes();
  awaited_handler_ = 0;
  core_.resync_reads.clear();
  core_.resync_retry_at = never;
  source_.session_lost();
  target_.session_lost();
}

void Resync::retry() {
  if (core_.resync_retry_at > core_.now) return;
  core_.resync_retry_at = never;
  if (core_.connection == ConnectionState::Connected)
    core_.drop(ConnectionState::NetworkFailure, "try to resync again what could not be read");
}

// ---- end --------------------------------------------------------------------------------------------------------

void Resync::check_source_end() {
  if (core_.peer.connection != ConnectionState::Connected) return;
  if (core_.peer.disk == DiskState::UpToDate) return end_as_source();
  if (core_.peer.disk != DiskState::Inconsistent || source_.failed_bytes() == 0) return;
  core_.resync_retry_at = core_.now + resync_retry_pause;
  core_.become(ConnectionState::Connected, "the peer lacks blocks that could not be read or written");
  ended(ResyncTarget::End::Failed);
  metadata_.write_all_bits();
}

void Resync::end_as_source() {
  if (core_.bitmap.count() != 0)
    return core_.drop(ConnectionState::ProtocolError, "the peer ends the resync with blocks left");
  end_resync_as_source(core_);
  peer_has_the_same(core_);
  core_.become(ConnectionState::Connected, "the peer has everything");
  core_.crashed_primary = false;
  metadata_.superblock_changed();
  metadata_.write_all_bits();
  ended(ResyncTarget::End::Complete);
}

void Resync::target_ended(ResyncTarget::End end) {
  ended(end);
  core_.emit(effect::RunHandler{"after-resync-target", 0});
}

void Resync::ended(ResyncTarget::End end) {
  running_ = false;
  if (end == ResyncTarget::End::Complete) {
    done_at_end_ = total_bytes_;
    return core_.event("resync-finished", std::to_string(total_bytes_) + " bytes" + equal_text());
  }
  done_at_end_ = total_bytes_ - std::min(total_bytes_, core_.bitmap.count() * block_bytes);
  core_.event("resync-failed", std::to_string(failed_bytes()) + " bytes could not be read or written" + equal_text());
}

/// As the kernel tells it when a checksum-based resync is over.
std::string Resync::equal_text() const {
  const std::uint64_t equal = equal_bytes();
  if (equal == 0 || total_bytes_ == 0) return "";
  const std::uint64_t percent = std::min<std::uint64_t>(equal / block_bytes * 100 / (total_bytes_ / block_bytes), 100);
  return ", " + std::to_string(percent) + " % had equal checksums: " + std::to_string(equal) + " bytes were not sent";
}

}  // namespace bascule::replication::detail
