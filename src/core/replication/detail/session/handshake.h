#pragma once

#include <optional>
#include <string>

#include "core/replication/detail/session/authentication.h"
#include "core/replication/detail/session/connector.h"
#include "core/replication/detail/session/sizes.h"

namespace bascule::replication::detail {

/// From a pair of sockets to two nodes that know everything about each other:
///   features -> [authentication] -> protocol, sync parameters, sizes, UUIDs, state -> ready
/// It ends with ready(), or with Core::drop. What is refused is not tried again by itself: versions, secrets and
/// options that do not match (parameters.h).
class Handshake {
 public:
  Handshake(Core& core, Metadata& metadata, MetadataMove& move);

  void begin(const Connector::Pair& pair);
  /// True if the packet belongs to the handshake. Uuids and State are taken at any time.
  bool received(const drbd::Packet& packet);
  /// Is the packet about our volume, or about the connection (0 from 8.4, 0xffff from DRBD 9)?
  static bool is_ours(std::uint16_t volume) { return volume == 0 || volume == 0xffff; }
  /// What a peer may say about volumes that we do not have; it is skipped.
  static bool may_be_skipped(const drbd::Packet& packet);
  /// Everything of the peer has arrived, since the last call.
  bool take_ready();
  void ended();

  /// Tells the peer our generation identifiers (again); `more_flags` beside those that follow from our state.
  void send_uuids(std::uint64_t more_flags = 0);
  /// The same of generations that have changed; not to a peer that compares its new disk when this node has decided.
  void tell_generations();
  /// Tells the peer our state if it differs from what it was told last.
  void send_state_if_changed();
  void send_state();
  /// The operator's resize; answered once, now or later.
  void resize(const input::Resize& wanted) { sizes_.resize(wanted); }
  /// What waited for the metadata to move.
  void advance();
  /// Tells a connected peer that this node has got a disk, which it shall compare with its own, and forgets what the
  /// peer had said of its generations, as DRBD does.
  void tell_new_disk();
  /// The peer has told its generations, since the handshake began or since tell_new_disk().
  [[nodiscard]] bool knows_generations() const { return have_uuids_; }
  /// Both devices have grown while connected, and the new area is to be resynced; once.
  [[nodiscard]] bool take_new_area() { return sizes_.take_new_area(); }
  /// The peer made a generation for two new replicas and says that they need no resync; once.
  [[nodiscard]] bool take_skip_initial_sync() { return std::exchange(skip_initial_sync_, false); }
  /// Our options have changed while connected: P_PROTOCOL_UPDATE and P_SYNC_PARAM89.
  void send_options();

  void tick();
  [[nodiscard]] Instant deadline() const { return until_; }

 private:
  enum class Phase { Idle, Features, Authentication, Parameters, Done };

  [[nodiscard]] bool silent() const;
  void on_features(const drbd::Features& features);
  void authenticate();
  bool on_authentication(const drbd::Packet& packet);
  void begin_parameters();
  void send_parameters();
  void use_wire();
  [[nodiscard]] drbd::Protocol own_protocol() const;
  void on_protocol(const drbd::Protocol& protocol);
  void on_sync_param(const drbd::SyncParam& param);
  void on_sizes(const drbd::Sizes& sizes);
  void on_uuids(const drbd::Uuids& uuids);
  void on_state(const drbd::State& state);
  [[nodiscard]] drbd::StateWord state_to_tell() const;
  void refuse(std::string why);

  Core& core_;
  Authentication authentication_;
  Sizes sizes_;
  Phase phase_ = Phase::Idle;
  Instant until_ = never;
  std::string peer_integrity_;  ///< data-integrity-alg of what the peer sends
  std::string own_integrity_;
  bool have_protocol_ = false;
  bool have_sizes_ = false;
  bool have_uuids_ = false;
  bool ready_ = false;
  bool skip_initial_sync_ = false;
  bool peer_needs_uuids_ = false;  ///< it attaches, and has not heard our generations since
  std::optional<drbd::StateWord> told_;
};

}  // namespace bascule::replication::detail
