#include "core/agents/notification.h"

#include <algorithm>
#include <array>

#include "core/agents/invocation.h"

namespace bascule::agents {
namespace {

using Environment = std::map<std::string, std::string>;

constexpr std::array<std::string_view, 4> operations = {"start", "stop", "promote", "demote"};
constexpr const char* prefix = "OCF_RESKEY_CRM_meta_notify_";

void append(std::string& list, const std::string& word) {
  if (!word.empty()) list += (list.empty() ? "" : " ") + word;
}

/// Agents of Pacemaker's time tell an empty list from one that is not there.
std::string written(const std::string& list) { return list.empty() ? " " : list; }

/// The names of those copies, and the nodes that they are on.
template <typename Wanted>
void add_copies(Environment& environment, const message::Notice& notice, const std::string& what, bool with_nodes,
                Wanted wanted) {
  std::string names, nodes;
  for (const auto& copy : notice.copies) {
    if (!wanted(copy)) continue;
    append(names, instance_name(notice.service, notice.step) + ":" + std::to_string(copy.number));
    append(nodes, copy.node);
  }
  environment[prefix + what + "_resource"] = written(names);
  if (with_nodes) environment[prefix + what + "_uname"] = written(nodes);
}

void add_nodes(Environment& environment, const message::Notice& notice) {
  std::string available, all;
  for (const auto& node : notice.nodes) {
    append(all, node.name);
    if (node.available) append(available, node.name);
  }
  environment[prefix + std::string("available_uname")] = written(available);
  environment[prefix + std::string("all_uname")] = written(all);
  environment[prefix + std::string("all_hosts")] = written(all);
}

}  // namespace

Environment operation_environment(const message::Notice& notice) {
  Environment environment;
  for (const auto operation : operations)
    add_copies(environment, notice, std::string(operation), true,
               [&](const message::NoticedCopy& copy) { return copy.acts && notice.operation == operation; });
  add_copies(environment, notice, "active", true, [](const auto& copy) { return copy.active; });
  add_copies(environment, notice, "inactive", false, [](const auto& copy) { return !copy.active; });
  for (const char* name : {"promoted", "master"})
    add_copies(environment, notice, name, true, [](const auto& copy) { return copy.active && copy.promoted; });
  // Of a service that is not promotable nobody is unpromoted either.
  for (const char* name : {"unpromoted", "slave"})
    add_copies(environment, notice, name, true,
               [&](const auto& copy) { return notice.promotable && copy.active && !copy.promoted; });
  add_nodes(environment, notice);
  return environment;
}

Environment notification_environment(const message::Notice& notice) {
  Environment environment = operation_environment(notice);
  environment[prefix + std::string("type")] = notice.type;
  environment[prefix + std::string("operation")] = notice.operation;
  return environment;
}

bool is_usable(const message::Notice& notice) {
  const bool known = std::find(operations.begin(), operations.end(), notice.operation) != operations.end();
  return known && (notice.type == "pre" || notice.type == "post");
}

}  // namespace bascule::agents
