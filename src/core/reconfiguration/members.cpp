#include "core/reconfiguration/members.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::reconfiguration {
namespace {

using raft::Configuration;
using raft::ServerId;

Configuration with(Configuration from, ServerId id, bool voter) {
  std::erase(from.voters, id);
  std::erase(from.learners, id);
  auto& list = voter ? from.voters : from.learners;
  list.insert(std::upper_bound(list.begin(), list.end(), id), id);
  return from;
}

Configuration without(Configuration from, ServerId id) {
  std::erase(from.voters, id);
  std::erase(from.learners, id);
  return from;
}

/// One step of the leader, looked for in the order of next_member_step().
struct Search {
  const Configuration& members;
  const config::ClusterConfig& wanted;
  ServerId self;
  const std::function<MemberView(ServerId)>& view;
  const std::set<ServerId>& away;
  MemberStep step = {};

  [[nodiscard]] std::string name(ServerId id) const {
    const auto* node = wanted.node(id);
    return node != nullptr ? node->name : fmt::format("node {}", id);
  }
  [[nodiscard]] bool is_to_vote(ServerId id) const {
    const auto* node = wanted.node(id);
    return node != nullptr && node->votes() && !away.contains(id);
  }
  [[nodiscard]] bool majority_there(const Configuration& next) const {
    const auto there = std::count_if(next.voters.begin(), next.voters.end(),
                                     [&](ServerId id) { return id == self || view(id).online; });
    return 2 * static_cast<std::size_t>(there) > next.voters.size();
  }
  bool propose(Configuration next, std::string text) {
    if (!majority_there(next)) {
      step.waiting = fmt::format("{}: waits until a majority of the voters after that is online", text);
      return false;
    }
    step.propose = std::move(next);
    step.text = std::move(text);
    return true;
  }

  /// New nodes do not know of a leader that is not configured any more.
  bool leave_the_lead() { return wanted.node(self) == nullptr && hand_over(); }
  bool add_a_learner() {
    for (const auto& node : wanted.nodes)
      if (!members.is_member(node.id))
        return propose(with(members, node.id, false), node.name + " learns what was decided");
    return false;
  }
  bool give_a_vote() {
    for (const auto& node : wanted.nodes) {
      if (!is_to_vote(node.id) || !members.is_learner(node.id)) continue;
      const auto seen = view(node.id);
      if (seen.online && seen.caught_up) return propose(with(members, node.id, true), node.name + " votes from now on");
      step.waiting =
          fmt::format("{} is to vote: waits until it {}", node.name, seen.online ? "has caught up" : "is online");
    }
    return false;
  }
  /// Whoever else would still have the vote, so that the leader can go too.
  bool hand_over() {
    for (const ServerId id : members.voters) {
      if (id == self || !is_to_vote(id) || !view(id).online || !view(id).caught_up) continue;
      step.hand_over_to = id;
      step.text = fmt::format("{} is to lead, as {} does not vote any longer", name(id), name(self));
      return true;
    }
    step.waiting = name(self) + " leads and is to lose its vote: waits for a voter that could lead";
    return false;
  }
  bool take_a_vote() {
    for (const ServerId id : members.voters) {
      if (is_to_vote(id)) continue;
      // A new voter that is still to come comes first: the votes are never fewer than need be.
      if (!step.waiting.empty() && members.voters.size() <= 3 && view(id).online) return false;
      if (id == self) return hand_over();
      const bool stays = wanted.node(id) != nullptr || members.voters.size() == 2;  // of two, it has to hear of it
      return propose(stays ? with(members, id, false) : without(members, id),
                     name(id) + (stays ? " does not vote any more" : " is no member any more"));
    }
    return false;
  }
  bool remove_a_learner() {
    for (const ServerId id : members.learners)
      if (wanted.node(id) == nullptr) return propose(without(members, id), name(id) + " is no member any more");
    return false;
  }
};

}  // namespace

MemberStep next_member_step(const Configuration& now_in_force, const config::ClusterConfig& wanted, ServerId self,
                            const std::function<MemberView(ServerId)>& view, const std::set<ServerId>& away) {
  Search search{now_in_force, wanted, self, view, away};
  (void)(search.leave_the_lead() || search.add_a_learner() || search.give_a_vote() || search.take_a_vote() ||
         search.remove_a_learner());
  if (search.step.propose || search.step.hand_over_to != 0) search.step.waiting.clear();
  return std::move(search.step);
}

std::string reason_not_to_change_members(const config::ClusterConfig& from, const config::ClusterConfig& to,
                                         const std::function<bool(const std::string&)>& online,
                                         const std::vector<raft::ServerId>& in_force) {
  const auto votes_now = [&](const config::Node& node) {
    return node.votes() && (in_force.empty() || std::find(in_force.begin(), in_force.end(), node.id) != in_force.end());
  };
  std::size_t votes = 0, staying = 0;
  for (const auto& node : from.nodes) {
    if (!votes_now(node)) continue;
    ++votes;
    const auto* later = to.node(node.id);
    staying += later != nullptr && later->name == node.name && online(node.name) ? 1 : 0;
  }
  const bool same = std::all_of(from.nodes.begin(), from.nodes.end(), [&](const config::Node& node) {
    const auto* later = to.node(node.id);
    return later != nullptr && later->votes() == node.votes();
  });
  if (same || 2 * staying > votes) return {};
  if (votes == 2 && staying == 1)
    return "two nodes decide together, and one of them does not leave by a vote: add a witness first, or say "
           "bascule node down on that node, or, if it is lost, bascule fence confirm NODE on the other one";
  return fmt::format(
      "only {} of the {} voters of now would stay and are online, and a majority of them has to agree to each step: "
      "bring them online, or remove fewer nodes at a time",
      staying, votes);
}

}  // namespace bascule::reconfiguration
