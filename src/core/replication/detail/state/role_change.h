#pragma once

#include <optional>
#include <string>

#include "core/replication/detail/data/peer_writes.h"
#include "core/replication/detail/data/writes.h"
#include "core/replication/detail/session/handshake.h"
#include "core/replication/detail/state/decisions.h"
#include "core/replication/detail/state/fencing.h"
#include "core/replication/detail/state/state_changes.h"
#include "core/replication/detail/state/state_rules.h"

namespace bascule::replication::detail {

/// Promotion and demotion.
///
///   Secondary --Promote--> Draining (writes of the peer end) --> Publishing (superblock durable) --> Primary, serving
///                            |    ^                                ^
///     Authority::Operator,   v    | two primaries: once more       |
///     connected:          Asking (the peer has to agree) ----------+
///     alone, not known:   AwaitingFence (fence-peer runs) --> Draining
///
///   Primary --Demote--> Finishing (own writes end; forced: they fail) --> Saving (bits, superblock) --> Secondary
class RoleChange {
 public:
  RoleChange(Core& core, Metadata& metadata, ActivityLog& activity_log, Handshake& handshake, Writes& writes,
             PeerWrites& peer_writes, StateChanges& state_changes, Fencing& fencing);

  void promote(const input::Promote& promote);
  void demote(const input::Demote& demote);
  void advance();
  /// The role has changed, its generation is not durable yet: the peer hears of both at once, the generation first.
  [[nodiscard]] bool publishing() const { return phase_ == Phase::Publishing; }
  [[nodiscard]] Instant deadline() const {
    return phase_ == Phase::Draining && again_at_ > core_.now ? again_at_ : never;
  }

 private:
  enum class Phase : std::uint8_t { Settled, Draining, AwaitingFence, Asking, Publishing, Finishing, Saving };

  [[nodiscard]] Refusal refusal(const input::Promote& promote) const;
  [[nodiscard]] Refusal cluster_refusal(const input::Promote& promote) const;
  [[nodiscard]] Refusal operator_refusal(const input::Promote& promote) const;
  [[nodiscard]] Refusal initial_refusal() const;
  [[nodiscard]] drbd::StateChange wanted_change(const input::Promote& promote) const;
  [[nodiscard]] Refusal loss_refusal() const;
  [[nodiscard]] bool may_lack_tail() const;
  void tell_possible_loss();
  [[nodiscard]] bool may_help(const Refusal& refused);
  void fenced(bool peer_is_fenced);
  void wait_for_demotion();
  [[nodiscard]] bool may_force(const input::Promote& promote) const;
  void refuse(const Refusal& refusal);
  void begin_promotion(const input::Promote& promote);
  void advance_promotion();
  void decide();
  void answered(drbd::StateChangeResult result);
  void begin_generation(bool alone, bool forced);
  void become_primary();
  void create_first_generation();
  void serve();
  void save();
  void become_secondary();
  void demoted();
  void cool_down();

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  Handshake& handshake_;
  Writes& writes_;
  PeerWrites& peer_writes_;
  StateChanges& state_changes_;
  Fencing& fencing_;
  Phase phase_ = Phase::Settled;
  input::Promote wanted_{};
  std::vector<CommandId> promoting_;  ///< who waits for the promotion
  std::vector<CommandId> demoting_;
  bool asked_twice_ = false;       ///< after the peer was found to be Primary
  bool fenced_once_ = false;       ///< the handler has been called for this promotion
  bool takes_consistent_ = false;  ///< the peer is fenced: Consistent counts as UpToDate
  Instant again_at_{};
  bool forced_ = false;
  std::uint64_t version_ = 0;
};

}  // namespace bascule::replication::detail
