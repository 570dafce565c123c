#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "wire/cluster_config/config.h"
#include "wire/raft/types.h"

/// From the members that decide now to those of the configuration, one safe step after the other.
namespace bascule::reconfiguration {

/// What the leader knows of a member.
struct MemberView {
  bool online = false;     ///< answered lately
  bool caught_up = false;  ///< has everything that is committed
};

struct MemberStep {
  /// What to propose next; nothing when all is as configured, or when it has to wait.
  std::optional<raft::Configuration> propose;
  /// The leader is to go: hand over to this one first.
  raft::ServerId hand_over_to = 0;
  std::string text;     ///< "dave learns what was decided", "dave votes from now on", "bob does not vote any more"
  std::string waiting;  ///< why nothing is proposed although something is to be done
};

/// The next step of the leader `self` from `now_in_force`, which is committed. In this order: a leader
/// that is to leave hands over, learners are added, those
/// that are to vote and have caught up get their vote, votes are taken, and who is not configured any more leaves.
/// Never more than one voter at a time, and never so that fewer voters than a majority would be there.
/// `away`: nodes that said goodbye; while they are, they are to have no vote.
[[nodiscard]] MemberStep next_member_step(const raft::Configuration& now_in_force, const config::ClusterConfig& wanted,
                                          raft::ServerId self, const std::function<MemberView(raft::ServerId)>& view,
                                          const std::set<raft::ServerId>& away = {});

/// Why the members cannot get from one configuration to the other, or empty: of the voters of now, those that stay and
/// are online have to be a majority of the voters of now, or nothing could be decided on the way. `in_force`: the
/// voters of now, where they are fewer than those of `from` (one of two nodes went on alone); empty: those of `from`.
[[nodiscard]] std::string reason_not_to_change_members(const config::ClusterConfig& from,
                                                       const config::ClusterConfig& to,
                                                       const std::function<bool(const std::string&)>& online,
                                                       const std::vector<raft::ServerId>& in_force = {});

}  // namespace bascule::reconfiguration
