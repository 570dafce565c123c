// Our defaults where Pacemaker's bite: monitors, failures that fade, moves that end.
#include "core/sources/defaults.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "core/policy/board.h"
#include "core/policy/plan.h"

namespace bascule::sources {
namespace {

constexpr const char* monitor_interval = "10s";
constexpr const char* promoted_interval = "9s";  ///< operations of one name differ in their intervals
constexpr const char* monitor_timeout = "20s";
constexpr const char* failures_fade = "600s";
constexpr std::int64_t healthy_s = 120;

using Lines = std::vector<std::string>;

bool starts_with(std::string_view text, std::string_view with) { return text.substr(0, with.size()) == with; }

// ---- a monitor for each ------------------------------------------------------------------------------------------

bool is_promotable(const cib::Resource& resource) {
  if (resource.kind == cib::Resource::Kind::master) return true;
  for (const cib::NameValueSet& set : resource.meta)
    for (const cib::NameValue& pair : set.pairs)
      if (pair.name == "promotable" && (pair.value == "true" || pair.value == "1")) return true;
  return false;
}

bool has_monitor(const cib::Cib& cib, const cib::Resource& resource) {
  const auto is_monitor = [](const cib::Operation& operation) { return operation.name == "monitor"; };
  if (std::any_of(resource.operations.begin(), resource.operations.end(), is_monitor)) return true;
  if (resource.resource_template.empty()) return false;
  const auto from = std::find_if(cib.resources.begin(), cib.resources.end(), [&](const cib::Resource& each) {
    return each.kind == cib::Resource::Kind::resource_template && each.id == resource.resource_template;
  });
  return from != cib.resources.end() && has_monitor(cib, *from);
}

cib::Operation monitor_of(const std::string& resource, const char* interval, const char* role) {
  cib::Operation monitor;
  monitor.id = resource + "-bascule-monitor-" + interval;
  monitor.name = "monitor";
  monitor.interval = interval;
  monitor.attributes = {{"id", monitor.id}, {"name", "monitor"}, {"interval", interval}, {"timeout", monitor_timeout}};
  if (*role != 0) monitor.attributes.emplace_back("role", role);
  return monitor;
}

void add_monitors(const cib::Cib& cib, cib::Resource& resource, bool promotable, Lines& lines) {
  promotable = promotable || is_promotable(resource);
  for (cib::Resource& child : resource.children) add_monitors(cib, child, promotable, lines);
  if (resource.kind != cib::Resource::Kind::primitive || has_monitor(cib, resource)) return;
  if (promotable) resource.operations.push_back(monitor_of(resource.id, promoted_interval, "Promoted"));
  resource.operations.push_back(monitor_of(resource.id, monitor_interval, promotable ? "Unpromoted" : ""));
  lines.push_back(resource.id + " has no monitor: it is looked at each " + monitor_interval);
}

// ---- failures fade -----------------------------------------------------------------------------------------------

/// The last of all, so that whatever else is said counts.
void fade_with_time(cib::Cib& cib, Lines& lines) {
  cib::NameValueSet set;
  set.id = "bascule-defaults";
  set.score = "-INFINITY";
  set.pairs = {{"failure-timeout", failures_fade}};
  cib.resource_defaults.push_back(std::move(set));
  lines.push_back(std::string("failures are forgotten ") + failures_fade +
                  " after the last one, where no failure-timeout is set");
}

/// The newest result of a resource on a node is a success, and this long ago.
std::optional<std::int64_t> healthy_for(const cib::ResourceHistory& history, std::int64_t now_s) {
  const auto newest = std::max_element(history.operations.begin(), history.operations.end(),
                                       [](const auto& one, const auto& other) { return one.call_id < other.call_id; });
  if (newest == history.operations.end() || newest->rc != 0 || newest->last_change_s == 0) return std::nullopt;
  if (newest->operation != "start" && newest->operation != "monitor" && newest->operation != "promote")
    return std::nullopt;
  return now_s - newest->last_change_s;
}

/// fail-count-NAME#TASK_INTERVAL and last-failure-..., also of an instance NAME:0.
bool is_failure_of(std::string_view attribute, std::string_view resource) {
  for (const std::string_view prefix : {"fail-count-", "last-failure-"}) {
    if (!starts_with(attribute, prefix)) continue;
    const std::string_view rest = attribute.substr(prefix.size());
    if (rest == resource || starts_with(rest, std::string(resource) + "#")) return true;
  }
  return false;
}

void forget_failures(cib::NodeState& node, const std::string& resource, std::int64_t healthy, Lines& lines) {
  std::size_t forgotten = 0;
  for (cib::NameValueSet& set : node.transient_attributes)
    forgotten += std::erase_if(set.pairs, [&](const auto& pair) { return is_failure_of(pair.name, resource); });
  if (forgotten > 0)
    lines.push_back("failures of " + resource + " on " + node.name + " are forgotten: it has run there for " +
                    std::to_string(healthy) + " s without another");
}

void fade_with_success(cib::Cib& cib, std::int64_t now_s, Lines& lines) {
  for (cib::NodeState& node : cib.node_states)
    for (const cib::ResourceHistory& history : node.resources) {
      const auto healthy = healthy_for(history, now_s);
      if (healthy && *healthy >= healthy_s) forget_failures(node, history.id, *healthy, lines);
    }
}

// ---- a move is over when it is done ------------------------------------------------------------------------------

using policy::detail::Board;
using policy::detail::ResourceId;

void add_places(const Board& board, ResourceId id, bool promoted, std::vector<std::string>& places) {
  const policy::detail::Resource& resource = board.resource(id);
  for (const ResourceId child : resource.children) add_places(board, child, promoted, places);
  if (!resource.children.empty() || (promoted && resource.role != policy::Role::Promoted)) return;
  for (const policy::detail::NodeId node : resource.running_on) places.push_back(board.nodes[node].name);
}

/// Names of the nodes on which a resource, or what is in it, runs; `promoted`: is Promoted.
std::vector<std::string> places_of(const Board& board, std::string_view name, bool promoted) {
  std::vector<std::string> places;
  for (ResourceId id = 0; id < board.resources.size(); ++id)
    if (board.resource(id).id == name) add_places(board, id, promoted, places);
  return places;
}

/// What crm_resource leaves behind: cli-prefer-R wants R on a node, cli-ban-R-on-N does not want it there.
bool is_done(const Board& board, const cib::LocationConstraint& move) {
  const bool promoted = move.role == "Promoted" || move.role == "Master";
  const std::vector<std::string> places = places_of(board, move.resource, promoted);
  const bool there = std::find(places.begin(), places.end(), move.node) != places.end();
  if (starts_with(move.id, "cli-prefer-")) return there;
  return starts_with(move.id, "cli-ban-") && !places.empty() && !there;
}

void end_moves(cib::Cib& cib, std::int64_t now_s, Lines& lines) {
  const auto is_move = [](const cib::Constraint& constraint) {
    const auto* location = std::get_if<cib::LocationConstraint>(&constraint);
    return location != nullptr && starts_with(location->id, "cli-") && !location->node.empty();
  };
  if (std::none_of(cib.constraints.begin(), cib.constraints.end(), is_move)) return;
  const policy::Plan seen = policy::observe({std::make_shared<const cib::Cib>(cib), now_s, false});
  std::erase_if(cib.constraints, [&](const cib::Constraint& constraint) {
    if (!is_move(constraint)) return false;
    const auto& location = std::get<cib::LocationConstraint>(constraint);
    if (!is_done(seen.board(), location)) return false;
    lines.push_back("the move of " + location.resource + " is over: " + location.id + " is ignored");
    return true;
  });
}

}  // namespace

std::vector<std::string> apply_defaults(cib::Cib& cib, std::int64_t now_s) {
  Lines lines;
  end_moves(cib, now_s, lines);
  for (cib::Resource& resource : cib.resources)
    if (resource.resource_class != "stonith") add_monitors(cib, resource, false, lines);
  fade_with_success(cib, now_s, lines);
  fade_with_time(cib, lines);
  return lines;
}

}  // namespace bascule::sources
