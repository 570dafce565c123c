// The status of nodes and resources in crm_simulate's layout.
#include "edge/simulate/status_text.h"

#include <algorithm>

#include "core/policy/running.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file shows what is there
using policy::Role;

// ---- nodes ----------------------------------------------------------------------------------------------------------

/// Words first: under some strategies red and yellow have the same score.
std::string health_of(const Board& board, const Node& node) {
  const std::string& strategy = board.properties.health_strategy;
  if (strategy == "none") return "";
  const bool fixed = strategy == "migrate-on-red" || strategy == "only-green";
  const auto score_of = [&](const char* name, policy::Score otherwise) {
    const auto found = board.properties.all.find(name);
    if (fixed || found == board.properties.all.end()) return otherwise;
    return policy::parse_score(found->second).value_or(otherwise);
  };
  const policy::Score red = score_of("node-health-red", -policy::kInfinity);
  const policy::Score yellow = score_of("node-health-yellow", strategy == "only-green" ? -policy::kInfinity : 0);
  const policy::Score green = score_of("node-health-green", 0);
  bool worried = false;
  for (const auto& [name, value] : node.attributes) {
    if (name.rfind("#health", 0) != 0) continue;
    const policy::Score score = value == "green" ? green : policy::parse_score(value).value_or(0);
    if (value == "red" || (value != "yellow" && score <= red)) return " (health is RED)";
    worried = worried || value == "yellow" || (score <= yellow && yellow != green);
  }
  return worried ? " (health is YELLOW)" : "";
}

std::string state_of(const Node& node) {
  if (node.unclean && node.online) return "UNCLEAN (online)";
  if (node.pending) return "pending";
  if (node.unclean) return "UNCLEAN (offline)";
  if (node.online && node.standby_on_fail) return "standby (on-fail)";
  if (node.standby)
    return !node.online ? "OFFLINE (standby)" : node.running.empty() ? "standby" : "standby (with active resources)";
  if (node.maintenance) return node.online ? "maintenance" : "OFFLINE (maintenance)";
  return node.online ? "online" : "OFFLINE";
}

void append_nodes(std::string& text, const Board& board) {
  std::vector<std::string> online, offline, remote_online, remote_offline, guests;
  std::vector<const Node*> sorted;
  for (const Node& node : board.nodes) sorted.push_back(&node);
  std::sort(sorted.begin(), sorted.end(),
            [](const Node* left, const Node* right) { return natural_order(left->name, right->name) < 0; });
  append_line(text, 2, "* Node List:");
  for (const Node* node : sorted) {
    const std::string state = state_of(*node) + health_of(board, *node);
    const char* kind = node->is_guest() ? "GuestNode" : node->is_remote() ? "RemoteNode" : "Node";
    if (state != "online" && state != "OFFLINE") {
      append_line(text, 4, "* " + std::string(kind) + " " + node->name + ": " + state);
      continue;
    }
    auto& list = node->is_guest()    ? guests
                 : node->is_remote() ? (node->online ? remote_online : remote_offline)
                                     : (node->online ? online : offline);
    if (!node->is_guest() || node->online) list.push_back(node->name);
  }
  if (!online.empty()) append_line(text, 4, "* " + list_text("Online", online));
  if (!offline.empty()) append_line(text, 4, "* " + list_text("OFFLINE", offline));
  if (!remote_online.empty()) append_line(text, 4, "* " + list_text("RemoteOnline", remote_online));
  if (!remote_offline.empty()) append_line(text, 4, "* " + list_text("RemoteOFFLINE", remote_offline));
  if (!guests.empty()) append_line(text, 4, "* " + list_text("GuestOnline", guests));
}

// ---- primitives
// -------------------------------------------------------------------------------------------------------

Role displayed_role(const Board& board, const Resource& resource, ResourceId id) {
  if (resource.role == Role::Started && board.resource(board.top_of(id)).promotable()) return Role::Unpromoted;
  return resource.role == Role::Unknown ? Role::Stopped : resource.role;
}

std::string pending_state(const Resource& resource) {
  const std::string& task = resource.pending_task;
  if (task == "start") return "Starting";
  if (task == "stop") return "Stopping";
  if (task == "migrate_to" || task == "migrate_from") return "Migrating";
  if (task == "promote") return "Promoting";
  return task == "demote" ? "Demoting" : "";
}

std::vector<std::string> flags_of(const Board& board, const Resource& resource, ResourceId id, NodeId node) {
  std::vector<std::string> flags;
  if (node != kNone && !board.node(node).online && board.node(node).unclean) flags.emplace_back("UNCLEAN");
  if (node != kNone && resource.lock_node == node) flags.emplace_back("LOCKED");
  if (resource.pending_task == "monitor") flags.emplace_back("Monitoring");
  if (target_role_is(board, id, Role::Stopped)) flags.emplace_back("disabled");
  const bool promotable = board.resource(board.top_of(id)).promotable();
  if (promotable && target_role_is(board, id, Role::Unpromoted))
    flags.emplace_back("target-role:" + resource.meta.at("target-role"));
  if (resource.blocked)
    flags.emplace_back("blocked");
  else if (!resource.managed)
    flags.emplace_back("unmanaged");  // in maintenance as well
  if (resource.failure_ignored) flags.emplace_back("failure ignored");
  return flags;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& each : words) text += (text.empty() ? "" : ", ") + each;
  return text;
}

std::string state_text(const Board& board, const Resource& resource, ResourceId id) {
  const Role role = displayed_role(board, resource, id);
  std::string text = resource.orphan ? " ORPHANED" : "";
  if (resource.failed) {
    text += " FAILED";
    if (role > Role::Unpromoted) text += std::string(" ") + policy::name_of(role);
    return text;
  }
  const std::string pending = pending_state(resource);
  return text + " " + (pending.empty() ? std::string(policy::name_of(role)) : pending);
}

}  // namespace

void append_line(std::string& text, int indent, const std::string& line) {
  text.append(static_cast<std::size_t>(indent), ' ').append(line).append("\n");
}

std::string list_text(const std::string& name, std::vector<std::string> members) {
  std::sort(members.begin(), members.end(),
            [](const std::string& left, const std::string& right) { return natural_order(left, right) < 0; });
  std::string text = name + ": [";
  for (const std::string& each : members) text += " " + each;
  return text + " ]";
}

bool target_role_is(const Board& board, ResourceId id, Role role) {
  const auto found = board.resource(id).meta.find("target-role");
  return found != board.resource(id).meta.end() && policy::role_of(found->second) == role;
}

bool is_disabled(const Board& board, ResourceId id) {
  const bool promotable = board.resource(board.top_of(id)).promotable();
  return target_role_is(board, id, Role::Stopped) || (promotable && target_role_is(board, id, Role::Unpromoted));
}

std::string probe_failure(const Board& board, ResourceId id, NodeId node) {
  // Looked for by what the clone is made of, so that it is never found for a group's member or a unique instance.
  const ResourceId top = board.top_of(id);
  const std::vector<ResourceId>& instances = board.resource(top).children;
  const bool cloned = board.resource(top).variant == Variant::clone && !instances.empty();
  const Resource& named = board.resource(cloned ? instances.front() : id);
  const std::string& name = cloned && named.definition != nullptr ? named.definition->id : named.id;
  for (const FailedProbe& each : board.failed_probes)
    if (each.resource == name && (node == kNone || each.node == node))
      return each.rc == 2 ? "invalid parameter" : each.rc == 5 ? "not installed" : "OCF_" + std::to_string(each.rc);
  return "";
}

std::string primitive_text(const Board& board, ResourceId id) {
  const Resource& resource = board.resource(id);
  const bool written = !resource.unique && resource.definition != nullptr;
  // What does not run yet, or any more, is where something is being done about it.
  const NodeId place = resource.running_on.empty() ? resource.pending_node : resource.running_on.front();
  return primitive_text(board, id, written ? resource.definition->id : resource.id, place);
}

std::string primitive_text(const Board& board, ResourceId id, const std::string& name, NodeId place) {
  const Resource& resource = board.resource(id);
  const bool several = resource.running_on.size() > 1;
  if (several) place = kNone;
  std::string text = name + "\t(" + resource.resource_class;
  if (!resource.provider.empty()) text += ":" + resource.provider;
  text += ":" + resource.type + "):\t" + state_text(board, resource, id);
  if (place != kNone) text += " " + board.node(place).name;
  const bool locked = resource.running_on.empty() && resource.lock_node != kNone;
  if (locked) text += " " + board.node(resource.lock_node).name;
  if (displayed_role(board, resource, id) == Role::Stopped)
    if (const std::string failure = probe_failure(board, id, place); !failure.empty()) text += " (" + failure + ")";
  std::vector<std::string> flags = flags_of(board, resource, id, place);
  if (locked) flags.insert(flags.begin(), "LOCKED");
  if (!flags.empty()) text += " (" + joined(flags) + ")";
  if (!several) return text;
  text += " [";
  for (const NodeId node : resource.running_on) text += " " + board.node(node).name;
  return text + " ]";
}

bool is_left_out(const Board& board, ResourceId id) {
  return board.resource(id).running_on.empty() && active(board, id, false);
}

void append_resource(std::string& text, const Board& board, ResourceId id, int indent) {
  const Resource& resource = board.resource(id);
  switch (resource.variant) {
    case Variant::primitive:
      return append_line(text, indent, "* " + primitive_text(board, id));
    case Variant::clone:
      return append_clone(text, board, id, indent);
    case Variant::bundle:
      return append_bundle(text, board, id, indent);
    default: {
      std::vector<std::string> flags;
      if (!resource.managed) flags.emplace_back("unmanaged");
      if (is_disabled(board, id)) flags.emplace_back("disabled");
      append_line(text, indent,
                  "* Resource Group: " + resource.id + (flags.empty() ? "" : " (" + joined(flags) + ")") + ":");
      for (const ResourceId child : resource.children)
        if (!is_left_out(board, child)) append_resource(text, board, child, indent + 2);
    }
  }
}

std::string status_text(const Board& board) {
  std::string text;
  append_nodes(text, board);
  text += "\n";
  append_line(text, 2, "* Full List of Resources:");
  bool any = false;
  for (const ResourceId id : board.top) {
    if (board.resource(id).orphan && !active(board, id, false)) continue;
    if (board.resource(id).meta.contains("internal_attr")) continue;
    if (is_left_out(board, id)) continue;
    append_resource(text, board, id, 4);
    any = true;
  }
  if (!any) append_line(text, 4, "* No resources");
  return text;
}

}  // namespace bascule::simulate
