#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/time.h"
#include "core/store/state.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

namespace bascule::membership {

/// The leader's side of the leases: answers requests, and knows from when on a node's leases have certainly ended,
/// whatever the node's clock says. Pure; the argument is in README.md.
class LeaseGranter {
 public:
  explicit LeaseGranter(const config::Timing& timing);

  /// This node became leader of `term` at `elected_at` (the moment it counted the votes, or later). Forgets earlier
  /// terms.
  void lead(std::uint64_t term, Instant elected_at);
  /// This node is not the leader (any more).
  void follow();

  /// The answer to send, or nothing: not leader, the leader's own lease is over, `state` is not proven to be current
  /// (`state_is_current`: the leader's own no-op of this term is applied), or a takeover from this node is under way.
  /// Send it at once. The lease counts as given at `received_at`, when the request came, which is after it was asked
  /// for.
  [[nodiscard]] std::optional<message::LeaseGrant> answer(const message::LeaseRequest& request, Instant received_at,
                                                          const store::ClusterState& state, bool state_is_current,
                                                          Instant leader_lease_until, Instant now);
  /// Whether the answer may wait for this leader's next heartbeat, to travel with it: it would say what was said
  /// before, and the node has time.
  [[nodiscard]] bool may_wait(const message::LeaseRequest& request, const store::ClusterState& state) const;

  /// No lease that any leader ever gave to `node` is running any more, as far as `state`, which must be applied up to
  /// this leader's own no-op, tells of longer ones. False while not leader.
  [[nodiscard]] bool lease_certainly_over(const std::string& node, const store::ClusterState& state, Instant now) const;
  /// The first moment at which the above is true if `node` is not answered again; `never` while not leader.
  [[nodiscard]] Instant lease_over_at(const std::string& node, const store::ClusterState& state) const;

  /// To be called before a GrantOwnership with `lost = node` is proposed: false means do not propose. From then on
  /// `node` gets no answer, until end_takeover() or another term, so that no lease can begin between the decision and
  /// its commit.
  [[nodiscard]] bool begin_takeover(const std::string& node, const store::ClusterState& state, Instant now);
  /// The proposal was applied or refused, or certainly never entered the log. Not on a mere timeout.
  void end_takeover(const std::string& node);

  /// `node` is about to be switched off: from here on it gets no answer, until end_fencing() or another term.
  void begin_fencing(const std::string& node);
  /// It is over. `proven`: the node was off at a moment since begin_fencing() (or since no leader could answer it any
  /// more), so that whatever it was leased has ended, however long it was to last. True until it is answered again.
  void end_fencing(const std::string& node, bool proven);

 private:
  /// How long a lease of the node may last.
  [[nodiscard]] Duration lease_of(const std::string& node, const store::ClusterState& state) const;

  /// The last answer to a node.
  struct Told {
    message::LeaseGrant grant;
    Instant received_at{};  ///< the latest moment at which a request was received that was answered
  };

  Duration heartbeat_;
  bool ample_;
  Duration lease_;
  Duration margin_;
  std::optional<std::uint64_t> term_;
  Instant elected_at_{};
  std::map<std::string, Told> told_;  ///< by node, in this term
  std::set<std::string> withheld_;    ///< nodes from which something is being taken over
  std::set<std::string> shot_at_;     ///< nodes that are being fenced
  std::set<std::string> proven_off_;  ///< nodes that were fenced and not answered since
};

}  // namespace bascule::membership
