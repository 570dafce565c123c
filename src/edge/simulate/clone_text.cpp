// A clone in the status: its lists of nodes, and the instances that are shown alone.
#include <algorithm>
#include <map>

#include "core/policy/running.h"
#include "edge/simulate/status_text.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file shows what is there
using policy::Role;

template <typename Test>
bool any_in(const Board& board, ResourceId id, const Test& test) {
  bool any = false;
  each_in(board, id, [&](ResourceId each) { any = any || test(board.resource(each)); });
  return any;
}

bool wrong(const Board& board, ResourceId instance) {
  return any_in(board, instance, [](const Resource& each) { return each.orphan || each.failed || !each.managed; });
}

NodeId single_place(const Board& board, ResourceId instance) {
  NodeId place = kNone;
  bool several = false;
  each_in(board, instance, [&](ResourceId each) {
    for (const NodeId node : board.resource(each).running_on) {
      several = several || (place != kNone && place != node);
      place = node;
    }
  });
  return several ? kNone : place;
}

Role role_of_instance(const Board& board, ResourceId instance) {
  Role role = Role::Unknown;
  each_in(board, instance, [&](ResourceId each) { role = std::max(role, board.resource(each).role); });
  return role;
}

/// An anonymous instance of which nothing is special goes into a list; the others are shown one by one.
bool shown_alone(const Board& board, ResourceId instance) {
  const std::string& pending_task = board.resource(instance).pending_task;  // a group has none
  const bool pending = !pending_task.empty() && pending_task != "monitor";
  if (!active(board, instance, false)) return pending;
  if (wrong(board, instance) || pending || !active(board, instance, true)) return true;
  const NodeId place = single_place(board, instance);
  return place == kNone || (!board.node(place).online && board.node(place).unclean);
}

std::string header(const Board& board, const Resource& clone, ResourceId id) {
  const Resource* child = clone.children.empty() ? nullptr : &board.resource(clone.children.front());
  const std::string name = child == nullptr || child->definition == nullptr ? "" : child->definition->id;
  std::string flags;
  const auto add = [&flags](const char* word) { flags += (flags.empty() ? "" : ", ") + std::string(word); };
  if (clone.promotable()) add("promotable");
  if (clone.unique) add("unique");
  if (!clone.managed) add("unmanaged");
  if (is_disabled(board, id)) add("disabled");
  return "* Clone Set: " + clone.id + " [" + name + "]" + (flags.empty() ? "" : " (" + flags + ")") + ":";
}

/// The clone itself, or what it is made of.
bool to_be(const Board& board, ResourceId id, Role role) {
  const Resource& clone = board.resource(id);
  if (clone.meta.contains("target-role") || clone.children.empty()) return target_role_is(board, id, role);
  return target_role_is(board, clone.children.front(), role);
}

std::string word_for_started(const Board& board, ResourceId id) {
  if (!board.resource(id).promotable()) return "Started";
  return to_be(board, id, Role::Unpromoted) ? "Unpromoted (target-role)" : "Unpromoted";
}

struct Lists {
  std::vector<std::string> promoted, started;
};

void append_lists(std::string& text, const Board& board, ResourceId id, const Lists& lists, int indent) {
  const Resource& clone = board.resource(id);
  if (!lists.promoted.empty()) append_line(text, indent, "* " + list_text("Promoted", lists.promoted));
  if (!lists.started.empty()) append_line(text, indent, "* " + list_text(word_for_started(board, id), lists.started));
  if (clone.unique || clone.clone->max <= static_cast<int>(lists.promoted.size() + lists.started.size())) return;
  std::map<std::string, std::vector<std::string>> stopped;  // by why
  const std::string otherwise = to_be(board, id, Role::Stopped) ? "Stopped (disabled)" : "Stopped";
  const bool nowhere =
      std::all_of(clone.scores.begin(), clone.scores.end(), [](policy::Score score) { return score == kNotAllowed; });
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    const bool known = std::count(clone.known_on.begin(), clone.known_on.end(), node) != 0;
    if (nowhere ? !known : clone.scores[node] == kNotAllowed) continue;
    if (std::count(clone.running_on.begin(), clone.running_on.end(), node) != 0) continue;
    const std::string failure = probe_failure(board, id, node);
    stopped[failure.empty() ? otherwise : "Stopped (" + failure + ")"].push_back(board.node(node).name);
  }
  for (const auto& [why, names] : stopped) append_line(text, indent, "* " + list_text(why, names));
}

}  // namespace

void append_clone(std::string& text, const Board& board, ResourceId id, int indent) {
  const Resource& clone = board.resource(id);
  append_line(text, indent, header(board, clone, id));
  Lists lists;
  for (const ResourceId instance : clone.children) {
    if (is_left_out(board, instance)) continue;
    const bool is_active = active(board, instance, false);
    const bool there = is_active || !board.resource(instance).orphan;
    if (clone.unique ? there : shown_alone(board, instance)) {
      append_resource(text, board, instance, indent + 2);
      continue;
    }
    if (!is_active) continue;
    const NodeId place = single_place(board, instance);
    (role_of_instance(board, instance) > Role::Unpromoted ? lists.promoted : lists.started)
        .push_back(board.node(place).name);
  }
  append_lists(text, board, id, lists, indent + 2);
}

}  // namespace bascule::simulate
