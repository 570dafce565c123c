#pragma once

#include <optional>
#include <string>

#include "core/replication/detail/connector.h"
#include "core/replication/detail/metadata.h"

namespace bascule::replication::detail {

/// From a pair of sockets to two nodes that know everything about each other:
///   features -> protocol, sync parameters, sizes, UUIDs, state -> ready
/// It ends with ready(), or with Core::drop.
class Handshake {
 public:
  Handshake(Core& core, Metadata& metadata);

  void begin(const Connector::Pair& pair);
  /// True if the packet belongs to the handshake. Uuids and State are taken at any time.
  bool received(const drbd::Packet& packet);
  /// Everything of the peer has arrived, since the last call.
  bool take_ready();
  void ended();

  /// Tells the peer our generation identifiers (again).
  void send_uuids();
  /// Tells the peer our state if it differs from what it was told last.
  void send_state_if_changed();
  void send_state();

  void tick();
  [[nodiscard]] Instant deadline() const { return until_; }

 private:
  enum class Phase { Idle, Features, Parameters, Done };

  void on_features(const drbd::Features& features);
  void send_parameters();
  void on_protocol(const drbd::Protocol& protocol);
  void on_sizes(const drbd::Sizes& sizes);
  void on_uuids(const drbd::Uuids& uuids);
  void on_state(const drbd::State& state);
  void refuse(std::string why);

  Core& core_;
  Metadata& metadata_;
  Phase phase_ = Phase::Idle;
  Instant until_ = never;
  bool have_protocol_ = false;
  bool have_sizes_ = false;
  bool have_uuids_ = false;
  bool ready_ = false;
  std::optional<drbd::StateWord> told_;
};

}  // namespace bascule::replication::detail
