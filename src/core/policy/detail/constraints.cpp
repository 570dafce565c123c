// Constraints of the CIB as the steps use them: locations, orders, colocations.
#include "core/policy/detail/constraints.h"

#include <algorithm>
#include <array>
#include <regex>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/steps.h"
#include "core/policy/detail/tickets.h"

namespace bascule::policy::detail {
namespace {

Role limit_of(const std::string& role) {
  const Role limit = role_of(role);
  return limit == Role::Started ? Role::Unknown : limit;
}

Discovery discovery_of(const std::string& word) {
  if (word == "never") return Discovery::never;
  if (word == "exclusive") return Discovery::exclusive;
  return Discovery::always;
}

Score rule_score(const Board& board, const cib::Rule& rule, NodeId node) {
  if (rule.score_attribute.empty()) return parse_score(rule.score.value_or("0")).value_or(0);
  const auto found = board.node(node).attributes.find(rule.score_attribute);
  // A node that says nothing is not wanted at all.
  return found == board.node(node).attributes.end() ? -kInfinity : parse_score(found->second).value_or(0);
}

/// What an "or" starts from: nothing good comes of a node that is down or going down.
Score base_score(const Board& board, NodeId id) {
  const Node& node = board.node(id);
  const bool leaves = !node.is_remote() && node.state != nullptr && (!node.online || node.shutdown);
  return leaves ? -kInfinity : node.weight;
}

Location location_by_rule(const Board& board, ResourceId id, const cib::LocationConstraint& written,
                          const cib::Rule& rule, const std::vector<std::string>& matches) {
  Location location;
  location.id = written.id;
  // The role of the constraint itself is for those without rules. Of a rule, Started is a role like the others, which
  // nothing is known to get before it is placed: crm_simulate leaves out such a rule.
  location.role = role_of(rule.role);
  location.discovery = discovery_of(written.discovery);
  for (NodeId node = 0; node < board.nodes.size(); ++node)
    if (rule_holds(board, id, rule, node, matches))
      location.nodes.emplace_back(node, add(rule_score(board, rule, node), rule.any ? base_score(board, node) : 0));
  return location;
}

/// What is said of a bundle's roles is said of the clone in it.
void add_location(Board& board, ResourceId id, Location location) {
  const Resource& resource = board.resource(id);
  if (resource.bundle && resource.bundle->child != kNone && location.role >= Role::Unpromoted)
    board.resource(resource.bundle->child).locations.push_back(location);
  board.resource(id).locations.push_back(std::move(location));
}

void add_locations(Board& board, ResourceId id, const cib::LocationConstraint& written, const std::string& score,
                   const std::string& role, const std::vector<std::string>& matches) {
  if (!written.node.empty()) {
    const NodeId node = board.find_node(written.node);
    if (node == kNone) return;
    Location location;
    location.id = written.id;
    location.role = limit_of(role);
    location.discovery = discovery_of(written.discovery);
    location.nodes.emplace_back(node, parse_score(score).value_or(0));
    // Also where the constraint is about a role that nothing has before it is placed.
    if (location.discovery == Discovery::exclusive) board.resource(id).exclusive_discovery = true;
    add_location(board, id, std::move(location));
    return;
  }
  for (const cib::Rule& rule : written.rules) {
    Location location = location_by_rule(board, id, written, rule, matches);
    // Whether or not any node fits the rule.
    if (location.discovery == Discovery::exclusive) board.resource(id).exclusive_discovery = true;
    if (!location.nodes.empty()) add_location(board, id, std::move(location));
  }
}

void add_by_pattern(Board& board, const cib::LocationConstraint& written) {
  const bool inverted = written.resource_pattern[0] == '!';
  std::regex pattern;
  try {
    pattern = std::regex(written.resource_pattern.substr(inverted ? 1 : 0), std::regex::extended);
  } catch (const std::regex_error&) {
    board.notices.push_back("constraint " + written.id + ": the pattern is no regular expression");
    return;
  }
  for (const ResourceId id : board.top) {
    std::smatch found;
    const std::string name = board.resource(id).id;
    const bool matches = std::regex_search(name, found, pattern);
    if (matches == inverted) continue;
    std::vector<std::string> groups;
    for (std::size_t i = 0; matches && i < found.size(); ++i) groups.push_back(found[i].str());
    add_locations(board, id, written, written.score, written.role, groups);
  }
}

/// Apart: each from every earlier one. What is called by the name of what a clone is made of is not known again, so its
/// clone is apart from all of the set.
void keep_apart(Board& board, const cib::ColocationConstraint& written, const SetMembers& members, Role role,
                Score score) {
  for (const ResourceId dependent : members.ids) {
    const bool influence = written.influence.value_or(board.resource(dependent).critical);
    for (std::size_t j = 0; j < members.ids.size() && members.names[j] != board.resource(dependent).id; ++j)
      add_colocation(board,
                     {written.id, dependent, members.ids[j], role, role, score, written.node_attribute, influence});
  }
}

void colocate_set(Board& board, const cib::ColocationConstraint& written, const cib::ResourceSet& set,
                  const SetMembers& members, Score score) {
  if (!set.sequential.value_or(true)) return;
  const Role role = limit_of(set.role);
  if (score < 0) return keep_apart(board, written, members, role, score);
  // Members follow the one before them, unless they are only listed: then each follows the next.
  const bool follows_next = score > 0 && !set.ordering.empty() && set.ordering != "group";
  for (std::size_t i = 1; i < members.ids.size(); ++i) {
    const ResourceId dependent = members.ids[follows_next ? i - 1 : i];
    add_colocation(board, {written.id, dependent, members.ids[follows_next ? i : i - 1], role, role, score,
                           written.node_attribute, written.influence.value_or(board.resource(dependent).critical)});
  }
}

void colocate_sets(Board& board, const cib::ColocationConstraint& written, const cib::ResourceSet& dependents,
                   const cib::ResourceSet& primaries, const std::array<SetMembers, 2>& members, Score score) {
  std::vector<ResourceId> left = members[0].ids;
  std::vector<ResourceId> right = members[1].ids;
  if (primaries.sequential.value_or(true)) {
    right = {members[1].last};
    if (right.front() == kNone) return;
  } else if (!members[1].complete && !left.empty()) {
    left = {left.front()};  // where one does not exist nobody looks further
  }
  if (left.empty()) return;
  if (dependents.sequential.value_or(true)) left = {left.front()};
  for (const ResourceId dependent : left)
    for (const ResourceId primary : right)
      add_colocation(board, {written.id, dependent, primary, limit_of(dependents.role), limit_of(primaries.role), score,
                             written.node_attribute, written.influence.value_or(board.resource(dependent).critical)});
}

bool is_recorded(const Board& board, const std::string& name) {
  for (const cib::NodeState& state : board.snapshot.cib->node_states)
    for (const cib::ResourceHistory& history : state.resources)
      if (history.id == name && !history.operations.empty()) return true;
  return false;
}

/// What a constraint calls by this name. The name of what a clone is made of stands for the clone, but only while some
/// node has a record of it: that is how crm_simulate finds it.
ResourceId resource_named(const Board& board, const std::string& name) {
  if (const ResourceId id = board.find_resource(name); id != kNone) return id;
  for (ResourceId id = 0; id < board.resources.size(); ++id) {
    const Resource& resource = board.resource(id);
    const bool is_instance = resource.definition != nullptr && resource.definition->id == name && !resource.orphan;
    if (is_instance) return is_recorded(board, name) ? board.top_of(id) : kNone;
  }
  return kNone;
}

bool stands_for_many(const Board& board, const std::string& name) {
  return resource_named(board, name) == kNone && (board.tags.contains(name) || board.templates.contains(name));
}

}  // namespace

namespace {

void note_missing(Board& board, const std::string& constraint, const std::string& name) {
  const std::string notice = "constraint " + constraint + " names " + name + ", which does not exist";
  const auto& notices = board.notices;
  if (std::find(notices.begin(), notices.end(), notice) == notices.end()) board.notices.push_back(notice);
}

/// The name, or those that it stands for; empty if nothing is known by it.
std::vector<std::string> names_meant(const Board& board, const std::string& name) {
  if (resource_named(board, name) != kNone) return {name};
  std::vector<std::string> found;
  for (const auto* group : {&board.tags, &board.templates}) {
    const auto named = group->find(name);
    if (named == group->end()) continue;
    for (const std::string& each : named->second)
      if (resource_named(board, each) != kNone) found.push_back(each);
    if (!found.empty()) return found;
  }
  return found;
}

std::vector<ResourceId> find_named(const Board& board, const std::string& name) {
  std::vector<ResourceId> found;
  for (const std::string& each : names_meant(board, name)) found.push_back(resource_named(board, each));
  return found;
}

}  // namespace

std::vector<ResourceId> resources_named(Board& board, const std::string& name, const std::string& constraint) {
  std::vector<ResourceId> found = find_named(board, name);
  if (found.empty()) note_missing(board, constraint, name);
  return found;
}

namespace {

/// A resource, or what stands for some of which each exists.
bool is_known(const Board& board, const std::string& name) {
  if (resource_named(board, name) != kNone) return true;
  for (const auto* group : {&board.tags, &board.templates})
    if (const auto named = group->find(name); named != group->end())
      return std::all_of(named->second.begin(), named->second.end(), [&board](const std::string& each) {
        return resource_named(board, each) != kNone || stands_for_many(board, each);
      });
  return false;
}

}  // namespace

std::vector<SetMembers> members_of_sets(Board& board, const std::vector<cib::ResourceSet>& sets,
                                        const std::string& constraint) {
  bool all_known = true;
  for (const cib::ResourceSet& set : sets)
    for (const std::string& name : set.resources)
      if (!is_known(board, name)) {
        all_known = false;
        note_missing(board, constraint, name);
      }
  std::vector<SetMembers> members;
  for (const cib::ResourceSet& set : sets) {
    SetMembers& made = members.emplace_back();
    for (const std::string& name : set.resources) {
      const std::vector<ResourceId> found = find_named(board, name);
      const bool known = all_known || resource_named(board, name) != kNone;
      made.complete = made.complete && known;
      made.last = known && !found.empty() ? found.back() : kNone;
      if (!made.complete) continue;
      made.ids.insert(made.ids.end(), found.begin(), found.end());
      for (const std::string& each : names_meant(board, name)) made.names.push_back(each);
    }
  }
  return members;
}

void order_tasks_of(Board& board, ResourceId first, const std::string& first_task, ResourceId then,
                    const std::string& then_task, OrderFlags flags) {
  const auto key = [&board](ResourceId id, const std::string& task) {
    return board.resource(id).id + "_" + task + "_0";
  };
  board.orderings.push_back({flags, first, key(first, first_task), kNone, then, key(then, then_task), kNone});
}

void read_location(Board& board, const cib::LocationConstraint& written) {
  if (!written.resource_pattern.empty()) return add_by_pattern(board, written);
  const std::vector<SetMembers> members = members_of_sets(board, written.sets, written.id);
  for (std::size_t i = 0; i < members.size(); ++i) {
    const cib::ResourceSet& set = written.sets[i];
    for (const ResourceId id : members[i].ids)
      add_locations(board, id, written, set.score.empty() ? written.score : set.score,
                    set.role.empty() ? written.role : set.role, {});
    if (!members[i].complete) return;
  }
  if (written.resource.empty()) return;
  for (const ResourceId id : resources_named(board, written.resource, written.id))
    add_locations(board, id, written, written.score, written.role, {});
}

namespace {

/// Who may not be where the other is in its role takes its own role there when the other has lost it.
void order_apart(Board& board, ResourceId first, Role losing, ResourceId then, Role gaining) {
  std::vector<const char*> ends{losing == Role::Promoted ? "demote" : "stop"};
  if (losing == Role::Unpromoted) ends.push_back("promote");
  std::vector<const char*> begins{gaining == Role::Promoted ? "promote" : "start"};
  if (gaining == Role::Unpromoted) begins.push_back("demote");
  for (const char* end : ends)
    for (const char* begin : begins) order_tasks_of(board, first, end, then, begin, order_anti_colocation);
}

}  // namespace

void add_colocation(Board& board, Colocation colocation) {
  if (colocation.score == 0 || colocation.dependent == kNone || colocation.primary == kNone) return;
  const auto index = static_cast<std::uint32_t>(board.colocations.size());
  const Colocation added = colocation;
  board.colocations.push_back(std::move(colocation));
  bind(board, added.dependent, index);
  bind_other(board, added.primary, index);
  if (added.score > -kInfinity) return;
  order_apart(board, added.dependent, added.dependent_role, added.primary, added.primary_role);
  order_apart(board, added.primary, added.primary_role, added.dependent, added.dependent_role);
}

void read_colocation(Board& board, const cib::ColocationConstraint& written) {
  const Score score = parse_score(written.score).value_or(0);
  const std::vector<SetMembers> members = members_of_sets(board, written.sets, written.id);
  for (std::size_t i = 0; i < written.sets.size(); ++i) {
    const cib::ResourceSet& set = written.sets[i];
    colocate_set(board, written, set, members[i], set.score.empty() ? score : parse_score(set.score).value_or(0));
    if (i != 0) colocate_sets(board, written, written.sets[i - 1], set, {members[i - 1], members[i]}, score);
  }
  if (!written.sets.empty()) return;
  if (stands_for_many(board, written.resource) && stands_for_many(board, written.with)) {
    board.notices.push_back("constraint " + written.id + ": two templates or tags cannot be colocated");
    return;
  }
  for (const ResourceId dependent : resources_named(board, written.resource, written.id))
    for (const ResourceId primary : resources_named(board, written.with, written.id))
      add_colocation(
          board, {written.id, dependent, primary, limit_of(written.resource_role), limit_of(written.with_role), score,
                  written.node_attribute, written.influence.value_or(board.resource(dependent).critical)});
}

void read_constraints(Board& board) {
  for (const cib::Constraint& each : board.snapshot.cib->constraints) {
    if (const auto* location = std::get_if<cib::LocationConstraint>(&each)) read_location(board, *location);
    if (const auto* colocation = std::get_if<cib::ColocationConstraint>(&each)) read_colocation(board, *colocation);
    if (const auto* order = std::get_if<cib::OrderConstraint>(&each)) read_order(board, *order);
    if (const auto* ticket = std::get_if<cib::TicketConstraint>(&each)) read_ticket(board, *ticket);
  }
}

}  // namespace bascule::policy::detail
