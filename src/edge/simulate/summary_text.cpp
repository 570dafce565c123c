// The transition summary, a line for each resource that changes, in crm_simulate's layout.
#include "edge/simulate/summary_text.h"

#include <algorithm>

#include "edge/simulate/status_text.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file shows what is there
using policy::Role;

struct Widths {
  std::size_t name = 5;
  std::size_t places = 5;
};

std::string node_line(const Board& board, const Change& change) {
  const Node& node = board.node(change.from);
  std::string line = "* " + std::string(name_of(change.verb));
  if (!change.how.empty()) line += " (" + change.how + ")";
  line += " " + node.name;
  if (node.is_guest()) line += " (resource: " + board.resource(node.container).id + ")";
  return change.reason.empty() ? line : line + " '" + change.reason + "'";
}

std::string end_of_line(const Change& change) {
  if (change.reason.empty()) return change.blocked ? "  blocked" : "";
  return "  due to " + change.reason + (change.blocked ? " (blocked)" : "");
}

std::string resource_line(const Board& board, const Change& change, const Widths& widths) {
  const auto spaces = [](std::size_t width, std::size_t used) {
    return std::string(width > used ? width - used : 0, ' ');
  };
  const std::string verb = name_of(change.verb);
  const std::string& name = board.resource(change.resource).id;
  const std::string places = places_text(board, change);
  return "* " + verb + spaces(8, verb.size()) + "   " + name + spaces(widths.name, name.size()) + "   ( " +
         spaces(widths.places, places.size()) + places + " )" + end_of_line(change);
}

}  // namespace

std::string places_text(const Board& board, const Change& change) {
  const auto node = [&board](NodeId id) { return board.node(id).name; };
  const bool roles = change.role > Role::Started || change.next_role > Role::Started;
  const std::string now = policy::name_of(change.role);
  const std::string next = policy::name_of(change.next_role);
  const bool same_role = change.role == change.next_role;
  // Where it only starts, the role goes without saying.
  if (change.from == kNone)
    return (change.next_role == Role::Promoted ? now + " -> " + next + " " : "") + node(change.to);
  if (change.to == kNone) return (roles ? now + " " : "") + node(change.from);
  if (change.from == change.to) {
    if (!roles) return node(change.from);
    return (same_role ? now : now + " -> " + next) + " " + node(change.from);
  }
  if (!roles) return node(change.from) + " -> " + node(change.to);
  if (same_role) return node(change.from) + " -> " + node(change.to) + " " + now;
  return now + " " + node(change.from) + " -> " + next + " " + node(change.to);
}

std::string summary_text(const Board& board, const std::vector<Change>& changes) {
  Widths widths;
  for (const Change& change : changes) {
    if (change.resource == kNone) continue;
    widths.name = std::max(widths.name, board.resource(change.resource).id.size() + 2);
    widths.places = std::max(widths.places, places_text(board, change).size());
  }
  std::string text;
  for (const Change& change : changes) {
    if (change.verb == Verb::Shutdown) continue;  // crm_simulate does not tell
    append_line(text, 2, change.resource == kNone ? node_line(board, change) : resource_line(board, change, widths));
  }
  return text;
}

}  // namespace bascule::simulate
