#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "core/store/state.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

/// What is to be done, as a pure function of what was observed.
namespace bascule::ownership {

/// One node as the planning node sees it.
struct NodeView {
  bool online = false;                ///< heard of lately (suspect counts as online: nothing is moved on a suspicion)
  bool lost = false;                  ///< nothing heard for a lease's duration
  Duration age{};                     ///< since the last word
  bool lease_certainly_over = false;  ///< LeaseGranter's word; only a leader knows
  Instant lease_over_at = never;      ///< when that becomes true
  const message::NodeReport* report = nullptr;  ///< the newest, or null; not owned
};

/// Everything a plan depends on. Views, not copies: config, state and reports must outlive the call.
struct Snapshot {
  const config::ClusterConfig& config;
  const store::ClusterState& state;
  std::string self;           ///< the planning node
  bool may_decide = false;    ///< leader, with its own lease, and its state is current: only then are there decisions
  bool leader_known = false;  ///< there is a majority as far as this node knows
  Instant now{};
  std::map<std::string, NodeView> nodes;  ///< by name, self included (online, age 0); who is missing counts as lost
};

struct Decision {
  message::Command command;
  std::string reason;  ///< a sentence
  /// Set when the command takes something from a node whose lease has ended: LeaseGranter::begin_takeover() first.
  std::optional<std::string> takes_over_from;
};

/// For `status`: why something is as it is, and what to do. Both empty when all is well.
struct Explanation {
  std::string why;
  std::string hint;
};

struct Plan {
  std::vector<Decision> decisions;              ///< at most one for each service and for each volume
  std::map<std::string, Explanation> services;  ///< one for each configured service
  std::map<std::string, Explanation> volumes;   ///< one for each configured volume
  std::string summary;                ///< "The service runs. Data on 2 of 2 nodes. If alice fails now, bob takes over."
  bool healthy = false;               ///< every service is as wanted, every copy complete, any one node may fail
  std::vector<std::string> problems;  ///< sentences, the worst first
  Instant plan_again = never;         ///< worth planning again by then even if nothing new is observed
};

/// Deterministic. Applying the decisions and planning again on the same observations decides nothing more for a thing
/// that was decided on, except its next step.
[[nodiscard]] Plan plan(const Snapshot& snapshot);

/// Whether it is to run by its target (of a copy: also by that of all copies) and the configuration's autostart.
[[nodiscard]] bool is_wanted(const store::ClusterState& state, const config::Service& service);

/// Whether what a person asks for makes sense now, before it is proposed: a move or standby with nowhere to go, a
/// volume by hand on a stale copy. The error says why and what to do. Names are store::validate's business.
[[nodiscard]] Result<void> admissible(const Snapshot& snapshot, const message::Command& command);

}  // namespace bascule::ownership
