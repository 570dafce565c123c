#include "core/replication/detail/handshake.h"

#include <algorithm>

#include "core/replication/detail/generation.h"
#include "core/replication/detail/verdict.h"

namespace bascule::replication::detail {
namespace {

constexpr std::uint32_t protocol_min = 86;
constexpr std::uint32_t protocol_max = 101;
constexpr std::uint32_t lowest_usable = 100;
/// Only so that the sizes carry queue limits, as those of every kernel do: nothing is ever sent as P_WSAME.
constexpr std::uint32_t features_offered = drbd::feature::kWriteSame;

std::string sectors_text(std::uint64_t sectors) { return std::to_string(sectors * 512) + " bytes"; }

}  // namespace

Handshake::Handshake(Core& core, Metadata& metadata) : core_(core), metadata_(metadata) {}

void Handshake::refuse(std::string why) { core_.drop(ConnectionState::Disconnecting, std::move(why), true); }

void Handshake::begin(const Connector::Pair& pair) {
  Session& session = core_.session;
  session = Session{true, pair.data, pair.meta, pair.resolve_conflicts, 0, session.number + 1, 0, 0, core_.now, 0};
  phase_ = Phase::Features;
  until_ = core_.now + 4 * core_.config.ping_timeout;
  have_protocol_ = have_sizes_ = have_uuids_ = ready_ = false;
  told_.reset();
  drbd::Features features;
  features.protocol_min = protocol_min;
  features.protocol_max = protocol_max;
  features.feature_flags = features_offered;
  core_.send_data(std::move(features));
  if (pair.early) (void)received(*pair.early);
}

void Handshake::ended() {
  phase_ = Phase::Idle;
  until_ = never;
  ready_ = false;
  told_.reset();
}

bool Handshake::take_ready() { return std::exchange(ready_, false); }

void Handshake::tick() {
  if (until_ <= core_.now) core_.drop(ConnectionState::Timeout, "the peer did not finish the handshake in time");
}

// ---- what the peer says -----------------------------------------------------------------------------------------

bool Handshake::received(const drbd::Packet& packet) {
  if (const auto* features = std::get_if<drbd::Features>(&packet)) return on_features(*features), true;
  const bool open = phase_ == Phase::Parameters || phase_ == Phase::Done;
  if (!open) return false;
  if (const auto* protocol = std::get_if<drbd::Protocol>(&packet)) return on_protocol(*protocol), true;
  if (std::holds_alternative<drbd::SyncParam>(packet)) return true;
  if (const auto* sizes = std::get_if<drbd::Sizes>(&packet)) return on_sizes(*sizes), true;
  if (const auto* uuids = std::get_if<drbd::Uuids>(&packet)) return on_uuids(*uuids), true;
  if (const auto* state = std::get_if<drbd::State>(&packet)) return on_state(*state), true;
  return false;
}

void Handshake::on_features(const drbd::Features& features) {
  if (phase_ != Phase::Features) return core_.drop(ConnectionState::ProtocolError, "features out of turn");
  const std::uint32_t peer_max = features.protocol_max == 0 ? features.protocol_min : features.protocol_max;
  const std::uint32_t agreed = std::min(protocol_max, peer_max);
  if (features.protocol_min > protocol_max || agreed < lowest_usable)
    return refuse("the peer speaks versions " + std::to_string(features.protocol_min) + " to " +
                  std::to_string(peer_max) + ", this node 100 and 101");
  core_.session.agreed_version = agreed;
  core_.session.feature_flags = features_offered & features.feature_flags;
  const drbd::WireOptions options{agreed, core_.session.feature_flags, 0};
  core_.emit(effect::UseWire{core_.session.data, drbd::Socket::Data, options});
  core_.emit(effect::UseWire{core_.session.meta, drbd::Socket::Meta, options});
  phase_ = Phase::Parameters;
  core_.become(ConnectionState::WFReportParams, "the peer speaks version " + std::to_string(agreed));
  send_parameters();
}

void Handshake::on_protocol(const drbd::Protocol& protocol) {
  if (protocol.update) return;
  if (protocol.protocol != drbd::ReplicationProtocol::C)
    return refuse("the peer is configured for another replication protocol than C");
  if (protocol.two_primaries != 0) return refuse("the peer is configured for two primaries");
  if (!protocol.integrity_algorithm.empty())
    return refuse("the peer wants data integrity by " + protocol.integrity_algorithm +
                  ", which is not configured here");
  have_protocol_ = true;
}

void Handshake::on_sizes(const drbd::Sizes& sizes) {
  const std::uint64_t usable = core_.usable_sectors();
  const std::uint64_t limit = core_.config.size_limit_bytes / 512;
  if (limit != 0 && sizes.user_sectors != 0 && limit != sizes.user_sectors)
    return refuse("the peer is configured for " + sectors_text(sizes.user_sectors) + ", this node for " +
                  sectors_text(limit));
  const std::uint64_t own = core_.superblock.effective_sectors;
  const bool peer_has_disk = sizes.disk_sectors != 0;
  const std::uint64_t wanted = own != 0 ? own
                               : sizes.current_sectors != 0
                                   ? sizes.current_sectors
                                   : std::min(usable, peer_has_disk ? sizes.disk_sectors : usable);
  if (peer_has_disk && sizes.disk_sectors < wanted)
    return refuse("the peer's disk is too small: " + sectors_text(sizes.disk_sectors) + " of " + sectors_text(wanted));
  if (usable < wanted)
    return refuse("this node's disk is too small: " + sectors_text(usable) + " of " + sectors_text(wanted));
  if (sizes.current_sectors != 0 && sizes.current_sectors != wanted)
    return refuse("the peer's device has " + sectors_text(sizes.current_sectors) + ", this node's " +
                  sectors_text(wanted));
  if (own == 0 && core_.disk_usable()) {
    metadata_.set_size(wanted);
    metadata_.superblock_changed();
  }
  have_sizes_ = true;
}

void Handshake::on_uuids(const drbd::Uuids& uuids) {
  core_.peer.uuids = {uuids.current, uuids.bitmap, uuids.history};
  core_.peer.uuid_flags = uuids.flags;
  core_.peer.dirty_bits = uuids.dirty_bits;
  have_uuids_ = true;
}

void Handshake::on_state(const drbd::State& packet) {
  const drbd::StateWord& state = packet.state;
  DiskState disk = state.disk;
  if (disk == DiskState::Negotiating)
    disk =
        (core_.peer.uuid_flags & drbd::uuid_flag::kInconsistent) != 0 ? DiskState::Inconsistent : DiskState::Consistent;
  if (phase_ == Phase::Parameters) {
    const bool diskless = disk < DiskState::Negotiating;
    if (!have_protocol_ || !have_sizes_ || (!have_uuids_ && !diskless))
      return core_.drop(ConnectionState::ProtocolError, "the peer's state came before its parameters");
    phase_ = Phase::Done;
    until_ = never;
    ready_ = true;
  }
  core_.peer.role = state.role;
  core_.peer.disk = disk;
  core_.peer.connection = state.connection;
  core_.changed();
}

// ---- what we say ------------------------------------------------------------------------------------------------

void Handshake::send_parameters() {
  core_.send_data(drbd::Protocol{});
  core_.send_data(drbd::SyncParam{});
  drbd::Sizes sizes;
  sizes.disk_sectors = core_.disk_usable() ? core_.usable_sectors() : 0;
  sizes.user_sectors = core_.config.size_limit_bytes / 512;
  sizes.current_sectors = core_.superblock.effective_sectors;
  if ((core_.session.feature_flags & drbd::feature::kWriteSame) != 0) sizes.queue_limits = drbd::QueueLimits{};
  core_.send_data(std::move(sizes));
  if (core_.disk_usable()) send_uuids();
  send_state();
}

void Handshake::send_uuids() {
  drbd::Uuids uuids;
  uuids.current = core_.superblock.current_uuid;
  uuids.bitmap = core_.superblock.bitmap_uuid;
  uuids.history = core_.superblock.history_uuids;
  uuids.dirty_bits = core_.bitmap.count();
  if (core_.crashed_primary) uuids.flags |= drbd::uuid_flag::kCrashedPrimary;
  if (core_.disk == DiskState::Inconsistent) uuids.flags |= drbd::uuid_flag::kInconsistent;
  if (discards_own_data(core_)) uuids.flags |= drbd::uuid_flag::kDiscardMyData;
  core_.send_data(std::move(uuids));
}

void Handshake::send_state() {
  told_ = core_.state_word();
  core_.send_data(drbd::State{*told_});
}

void Handshake::send_state_if_changed() {
  if (phase_ == Phase::Done && is_connected(core_.connection) && !core_.dropping && told_ != core_.state_word())
    send_state();
}

}  // namespace bascule::replication::detail
