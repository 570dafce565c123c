#include "core/replication/detail/session/handshake.h"

#include <algorithm>

#include "core/replication/detail/disk/generation.h"
#include "core/replication/detail/session/parameters.h"
#include "core/replication/detail/session/verdict.h"

namespace bascule::replication::detail {
namespace {

constexpr std::uint32_t protocol_min = 86;
constexpr std::uint32_t protocol_max = 101;
constexpr std::uint32_t lowest_usable = 100;
/// WriteSame only so that the sizes carry queue limits, as those of every kernel do: nothing is ever sent as P_WSAME.
constexpr std::uint32_t features_offered =
    drbd::feature::kTrim | drbd::feature::kThinResync | drbd::feature::kWriteSame | drbd::feature::kWriteZeroes;

}  // namespace

Handshake::Handshake(Core& core, Metadata& metadata, MetadataMove& move)
    : core_(core), authentication_(core), sizes_(core, metadata, move) {}

void Handshake::refuse(std::string why) { core_.drop(ConnectionState::Disconnecting, std::move(why), true); }

void Handshake::begin(const Connector::Pair& pair) {
  Session& session = core_.session;
  session = Session{true, pair.data, pair.meta, pair.resolve_conflicts, 0, session.number + 1, 0, 0, core_.now, 0};
  phase_ = Phase::Features;
  until_ = core_.now + 4 * core_.config.ping_timeout;
  have_protocol_ = have_sizes_ = have_uuids_ = ready_ = skip_initial_sync_ = peer_needs_uuids_ = false;
  sizes_.session_began();
  own_integrity_.clear();
  peer_integrity_.clear();
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
  if (phase_ == Phase::Authentication || std::holds_alternative<drbd::AuthChallenge>(packet))
    return on_authentication(packet);
  const bool open = phase_ == Phase::Parameters || phase_ == Phase::Done;
  if (!open) return false;
  if (const auto* protocol = std::get_if<drbd::Protocol>(&packet)) return on_protocol(*protocol), true;
  if (const auto* param = std::get_if<drbd::SyncParam>(&packet)) return on_sync_param(*param), true;
  if (const auto* sizes = std::get_if<drbd::Sizes>(&packet)) return on_sizes(*sizes), true;
  if (const auto* uuids = std::get_if<drbd::Uuids>(&packet)) return on_uuids(*uuids), true;
  if (const auto* state = std::get_if<drbd::State>(&packet)) return on_state(*state), true;
  return false;
}

bool Handshake::may_be_skipped(const drbd::Packet& packet) {
  return std::holds_alternative<drbd::SyncParam>(packet) || std::holds_alternative<drbd::Sizes>(packet) ||
         std::holds_alternative<drbd::Uuids>(packet) || std::holds_alternative<drbd::State>(packet);
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
  use_wire();
  if (authentication_.wanted()) return authenticate();
  begin_parameters();
}

// ---- authentication ---------------------------------------------------------------------------------------------

void Handshake::authenticate() {
  phase_ = Phase::Authentication;
  if (std::string wrong = authentication_.begin(); !wrong.empty()) refuse("no authentication: " + wrong);
}

bool Handshake::on_authentication(const drbd::Packet& packet) {
  const bool expected = phase_ == Phase::Authentication;
  if (!expected && phase_ != Phase::Parameters) return false;
  if (!expected) return refuse("the peer wants authentication, and no cram-hmac-alg is configured here"), true;
  std::string wrong = "the peer goes on without it";
  if (const auto* challenge = std::get_if<drbd::AuthChallenge>(&packet))
    wrong = authentication_.challenged(*challenge);
  else if (const auto* response = std::get_if<drbd::AuthResponse>(&packet))
    wrong = authentication_.answered(*response);
  if (!wrong.empty())
    refuse("authentication failed: " + wrong);
  else if (authentication_.done())
    begin_parameters();
  return true;
}

// ---- parameters -------------------------------------------------------------------------------------------------

void Handshake::begin_parameters() {
  phase_ = Phase::Parameters;
  core_.become(ConnectionState::WFReportParams,
               "the peer speaks version " + std::to_string(core_.session.agreed_version));
  send_parameters();
}

void Handshake::use_wire() {
  const Digest receive = digest_named(peer_integrity_).value_or(Digest::none);
  const Digest send = digest_named(own_integrity_).value_or(Digest::none);
  const drbd::WireOptions options{core_.session.agreed_version, core_.session.feature_flags,
                                  static_cast<std::uint32_t>(digest_bytes(receive))};
  core_.emit(effect::UseWire{core_.session.data, drbd::Socket::Data, options, send, receive});
  core_.emit(effect::UseWire{core_.session.meta, drbd::Socket::Meta, options});
}

drbd::Protocol Handshake::own_protocol() const {
  return protocol_of(core_.config.options.net, core_.wish.discard_my_data, core_.wish.tentative);
}

/// At connect both must agree. Later the peer only tells what it does from now on.
void Handshake::on_protocol(const drbd::Protocol& protocol) {
  if (phase_ == Phase::Done && !protocol.update)
    return core_.drop(ConnectionState::ProtocolError, "the peer's protocol comes twice");
  if (!protocol.update)
    if (std::string wrong = protocol_mismatch(own_protocol(), protocol); !wrong.empty()) return refuse(wrong);
  if (!digest_named(protocol.integrity_algorithm))
    return refuse("data-integrity-alg " + protocol.integrity_algorithm + " is not known here");
  if (!protocol.update) {
    core_.peer.connection_flags = protocol.connection_flags;
    own_integrity_ = protocol.integrity_algorithm;
    have_protocol_ = true;
  }
  const bool changed = peer_integrity_ != protocol.integrity_algorithm;
  peer_integrity_ = protocol.integrity_algorithm;
  if (changed) use_wire();
}

void Handshake::on_sync_param(const drbd::SyncParam& param) {
  if (phase_ == Phase::Parameters) {
    if (std::string wrong = sync_param_mismatch(sync_param_of(core_.config.options), param); !wrong.empty())
      refuse(wrong);
  } else {
    take_sync_param(core_.config.options, param);
    core_.changed();
  }
}

void Handshake::on_sizes(const drbd::Sizes& sizes) {
  if (std::string wrong = sizes_.received(sizes); !wrong.empty()) return refuse(wrong);
  have_sizes_ = true;
}

void Handshake::advance() {
  if (std::string wrong = sizes_.advance(); !wrong.empty()) return refuse(wrong);
  const auto question = sizes_.take_question();
  if (!question || phase_ != Phase::Done) return;
  send_uuids();
  core_.send_data(sizes_.to_send(true, *question));
}

void Handshake::on_uuids(const drbd::Uuids& uuids) {
  core_.peer.uuids = {uuids.current, uuids.bitmap, uuids.history};
  core_.peer.uuid_flags = uuids.flags;
  core_.peer.dirty_bits = uuids.dirty_bits;
  have_uuids_ = true;
  skip_initial_sync_ |= core_.connection == ConnectionState::Connected && core_.just_created() &&
                        (uuids.flags & drbd::uuid_flag::kSkipInitialSync) != 0;
}

void Handshake::on_state(const drbd::State& packet) {
  const drbd::StateWord& state = packet.state;
  DiskState disk = state.disk;
  core_.peer.attaching = disk == DiskState::Negotiating;
  peer_needs_uuids_ = core_.peer.attaching && phase_ == Phase::Done;
  if (core_.peer.attaching)
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
  ++core_.peer.states_heard;
  core_.resync_paused_peer = state.resync_paused_by_user || state.resync_paused_by_dependency;
  core_.changed();
}

// ---- what we say ------------------------------------------------------------------------------------------------

void Handshake::send_parameters() {
  core_.send_data(own_protocol());
  core_.send_data(sync_param_of(core_.config.options));
  core_.send_data(sizes_.to_send());
  if (core_.disk_usable()) send_uuids();
  send_state();
}

void Handshake::send_uuids(std::uint64_t more_flags) {
  drbd::Uuids uuids;
  uuids.current = core_.superblock.current_uuid;
  uuids.bitmap = core_.superblock.bitmap_uuid;
  uuids.history = core_.superblock.history_uuids;
  uuids.dirty_bits = core_.told_dirty_bits = core_.bitmap.count();
  uuids.flags = more_flags;
  if (core_.crashed_primary) uuids.flags |= drbd::uuid_flag::kCrashedPrimary;
  if (core_.own_disk() == DiskState::Inconsistent) uuids.flags |= drbd::uuid_flag::kInconsistent;
  if (discards_own_data(core_)) uuids.flags |= drbd::uuid_flag::kDiscardMyData;
  core_.send_data(std::move(uuids));
  peer_needs_uuids_ = false;
}

/// A peer that waits for generations and a state decides by both. A state alone would make the kernel's believe its
/// disk unseen, also when this node has refused that disk and has not told it.
bool Handshake::silent() const { return peer_needs_uuids_ && core_.connection == ConnectionState::Connected; }

void Handshake::send_options() {
  if (phase_ != Phase::Done) return;
  drbd::Protocol update = own_protocol();
  update.update = true;
  core_.send_data(update);
  core_.send_data(sync_param_of(core_.config.options));
  if (own_integrity_ == update.integrity_algorithm) return;
  own_integrity_ = update.integrity_algorithm;
  use_wire();
}

/// A disk that is not in order yet is none for the peer: DRBD takes the first sight of one for the time to compare.
drbd::StateWord Handshake::state_to_tell() const {
  drbd::StateWord word = core_.state_word();
  if (word.disk == DiskState::Attaching) word.disk = DiskState::Diskless;
  return word;
}

void Handshake::tell_generations() {
  if (!silent()) send_uuids();
}

void Handshake::send_state() {
  if (silent()) return;
  told_ = state_to_tell();
  core_.send_data(drbd::State{*told_});
}

void Handshake::tell_new_disk() {
  have_uuids_ = false;
  core_.send_data(sizes_.to_send());
  send_uuids();
  send_state();
}

void Handshake::send_state_if_changed() {
  // A second look at the new disk would make the peer decide a second time.
  if (core_.disk == DiskState::Negotiating) return;
  if (phase_ == Phase::Done && is_connected(core_.connection) && !core_.dropping && told_ != state_to_tell())
    send_state();
}

}  // namespace bascule::replication::detail
