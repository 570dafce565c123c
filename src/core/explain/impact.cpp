// What a plan interrupts and for how long, and what has nowhere to go.
#include "core/explain/impact.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/explain/causes.h"
#include "core/explain/subject.h"
#include "core/explain/words.h"
#include "core/policy/graph.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there
using policy::Role;

/// More than these are not told of one interruption.
constexpr std::size_t kMostUnmeasured = 4;

/// How long operations took, by resource and task: the longest time on any node.
class Durations {
 public:
  explicit Durations(const cib::Cib& cib) {
    for (const cib::NodeState& state : cib.node_states)
      for (const cib::ResourceHistory& history : state.resources)
        for (const cib::OperationResult& each : history.operations) {
          if (each.exec_time_ms <= 0 || each.interval_ms != 0) continue;
          std::int64_t& longest = longest_ms_[{base_of(history.id), each.operation}];
          longest = std::max(longest, each.exec_time_ms);
        }
  }
  [[nodiscard]] std::optional<std::int64_t> of(const Resource& resource, const std::string& task) const {
    const auto found = longest_ms_.find({base_of(resource.id), task});
    if (found == longest_ms_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::map<std::pair<std::string, std::string>, std::int64_t> longest_ms_;
};

/// When each action of a plan begins and ends, if everything takes as long as it did before.
class Timeline {
 public:
  Timeline(const Board& board, const Durations& durations) : board_(board), moments_(board.actions.size()) {
    for (const ActionId id : in_graph_order(board)) {
      Moments& at = moments_[id];
      for (const ActionId first : inputs_of(board, board.action(id))) {
        at.begin_ms = std::max(at.begin_ms, moments_[first].end_ms);
        for (const ActionId each : moments_[first].unmeasured) note(at, each);
      }
      at.in_plan = true;
      at.end_ms = at.begin_ms + length(board.action(id), durations, at);
    }
  }

  struct Moments {
    bool in_plan = false;
    std::int64_t begin_ms = 0, end_ms = 0;
    std::vector<ActionId> unmeasured;  ///< itself, and what it waited for
  };
  [[nodiscard]] const Moments& of(ActionId id) const { return moments_[id]; }

 private:
  static void note(Moments& at, ActionId id) {
    const bool known = std::find(at.unmeasured.begin(), at.unmeasured.end(), id) != at.unmeasured.end();
    if (!known && at.unmeasured.size() < 2 * kMostUnmeasured) at.unmeasured.push_back(id);
  }

  std::int64_t length(const Action& action, const Durations& durations, Moments& at) {
    if (action.pseudo || action.task == "notify") return 0;
    if (action.task == "stonith") note(at, action.id);
    if (action.resource == kNone) return 0;
    const auto measured = durations.of(board_.resource(action.resource), action.task);
    const bool quick = action.task == "monitor" || action.task == "cancel" || action.task == "clear_failcount";
    if (!measured && !quick) note(at, action.id);
    return measured.value_or(0);
  }

  const Board& board_;
  std::vector<Moments> moments_;
};

const Action* planned(const Board& board, const Timeline& timeline, ResourceId id, std::string_view task) {
  for (const ActionId each : board.resource(id).actions)
    if (board.action(each).task == task && timeline.of(each).in_plan && !board.action(each).optional)
      return &board.action(each);
  return nullptr;
}

class Reporter {
 public:
  Reporter(const Board& before, const Board& after)
      : before_(before), after_(after), durations_(*before.snapshot.cib), timeline_(after, durations_) {}

  Impact report() {
    for (ResourceId id = 0; id < after_.resources.size(); ++id) {
      const ResourceId was = before_.find_resource(after_.resource(id).id);
      if (was == kNone || !after_.resource(id).primitive()) continue;
      if (in_clone(id)) continue;
      if (!before_.resource(was).running_on.empty()) one(id, before_.resource(was));
    }
    for (ResourceId id = 0; id < after_.resources.size(); ++id)
      if (after_.resource(id).variant == Variant::clone) clone(id);
    return std::move(impact_);
  }

 private:
  [[nodiscard]] bool in_clone(ResourceId id) const {
    for (ResourceId each = after_.resource(id).parent; each != kNone; each = after_.resource(each).parent)
      if (after_.resource(each).variant == Variant::clone) return true;
    return false;
  }

  void one(ResourceId id, const Resource& was) {
    const Resource& resource = after_.resource(id);
    if (!resource.managed) return;
    if (!placed(after_, id)) {
      const Action* start = blocked_start(after_, id);
      impact_.stranded.push_back(
          {resource.id, start != nullptr ? why_action(after_, *start) : why_nowhere(after_, id)});
      return;
    }
    const NodeId from = after_.find_node(before_.node(was.running_on.front()).name);
    const std::string to = after_.node(resource.node).name;
    const std::string what =
        from == resource.node ? "is restarted on " + to : "moves from " + after_.node(from).name + " to " + to;
    if (const Action* arrived = planned(after_, timeline_, id, "migrate_from")) {
      impact_.interruptions.push_back({resource.id,
                                       "migrates from " + after_.node(from).name + " to " + to,
                                       timeline_.of(arrived->id).end_ms,
                                       true,
                                       true,
                                       {}});
      return;
    }
    const Action* start = planned(after_, timeline_, id, "start");
    if (start != nullptr) add(resource.id, what, planned(after_, timeline_, id, "stop"), *start, lost(id, from));
  }

  /// It does not run any more when the plan begins.
  [[nodiscard]] bool lost(ResourceId id, NodeId from) const {
    const Resource& resource = after_.resource(id);
    const auto& places = resource.running_on;
    return resource.failed || !after_.node(from).online ||
           std::find(places.begin(), places.end(), from) == places.end();
  }

  void add(const std::string& name, const std::string& what, const Action* stop, const Action& start, bool lost) {
    const auto& end = timeline_.of(start.id);
    const std::int64_t begin_ms = lost || stop == nullptr ? 0 : timeline_.of(stop->id).begin_ms;
    Interruption made{name, what, end.end_ms - begin_ms, true, false, {}};
    for (const ActionId each : end.unmeasured) {
      const Action& action = after_.action(each);
      const bool before_it = !lost && stop != nullptr && each != stop->id && contains(timeline_.of(stop->id), each);
      if (before_it) continue;
      if (each == start.id || (stop != nullptr && each == stop->id)) made.measured = false;
      if (made.unmeasured.size() < kMostUnmeasured) made.unmeasured.push_back(unmeasured_text(action));
    }
    impact_.interruptions.push_back(std::move(made));
  }

  static bool contains(const Timeline::Moments& at, ActionId id) {
    return std::find(at.unmeasured.begin(), at.unmeasured.end(), id) != at.unmeasured.end();
  }

  [[nodiscard]] std::string unmeasured_text(const Action& action) const {
    if (action.resource == kNone) return "the fencing of " + after_.node(action.node).name;
    return "the " + action.task + " of " + after_.resource(action.resource).id;
  }

  // ---- clones -------------------------------------------------------------------------------------------------------

  static std::vector<std::string> places_now(const Board& board, ResourceId clone, Role least) {
    std::vector<std::string> names;
    const auto collect = [&](const auto& self, ResourceId id) -> void {
      const Resource& resource = board.resource(id);
      for (const ResourceId child : resource.children) self(self, child);
      if (resource.primitive() && resource.role >= least)
        for (const NodeId node : resource.running_on) names.push_back(board.node(node).name);
    };
    collect(collect, clone);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
  }

  void clone(ResourceId id) {
    const Resource& resource = after_.resource(id);
    const ResourceId was = before_.find_resource(resource.id);
    if (was == kNone) return;
    const auto subject = find_subject(after_, resource.id);
    if (!subject) return;
    const std::vector<std::string> then = places(after_, *subject);
    std::vector<std::string> gone = places_now(before_, was, Role::Started);
    const bool ran = !gone.empty();
    std::erase_if(gone, [&](const std::string& node) { return std::count(then.begin(), then.end(), node) != 0; });
    if (ran && then.empty())
      impact_.stranded.push_back({resource.id, why_nowhere(after_, subject->leaves.front())});
    else if (!gone.empty())
      impact_.losses.push_back(resource.id + ": " + list_text(gone, 8));
    if (resource.promotable() && !places_now(before_, was, Role::Promoted).empty()) promoted_role(id, *subject);
  }

  /// The promoted role is what clients see of a promotable clone.
  void promoted_role(ResourceId id, const Subject& subject) {
    for (const ResourceId leaf : subject.leaves) {
      const Action* promote = planned(after_, timeline_, leaf, "promote");
      if (promote == nullptr || !promote->runnable) continue;
      const Action* demote = nullptr;
      for (const ResourceId each : subject.leaves)
        if (const Action* found = planned(after_, timeline_, each, "demote")) demote = found;
      const bool gone = demote == nullptr || demote->pseudo;
      return add(after_.resource(id).id, "is promoted on " + after_.node(promote->node).name, demote, *promote, gone);
    }
  }

  const Board& before_;
  const Board& after_;
  Durations durations_;
  Timeline timeline_;
  Impact impact_;
};

}  // namespace

Impact impact_of(const policy::Plan& before, const policy::Plan& after) {
  return Reporter(before.board(), after.board()).report();
}

}  // namespace bascule::explain
