// Where resources run, and what is forbidden to them.
#include "core/policy/running.h"

#include <algorithm>

namespace bascule::policy::detail {
namespace {

void block(Board& board, ResourceId id) {
  board.resource(id).managed = false;
  board.resource(id).blocked = true;
}

/// One resource of a group or bundle that is active twice blocks all of it.
void block_whole(Board& board, ResourceId id) {
  block(board, id);
  const ResourceId parent = board.resource(id).parent;
  if (parent == kNone) return;
  const Resource& whole = board.resource(parent);
  const bool together = whole.variant == Variant::group || whole.variant == Variant::bundle;
  if (!together || whole.multiple_active != MultipleActive::block) return;
  for (const ResourceId sister : whole.children) block(board, sister);
}

/// Of what is not managed the parents are there as well, but may still go elsewhere.
void place_parents(Board& board, ResourceId id, NodeId node) {
  for (ResourceId each = board.resource(id).parent; each != kNone; each = board.resource(each).parent) {
    auto& places = board.resource(each).running_on;
    if (std::find(places.begin(), places.end(), node) == places.end()) places.push_back(node);
  }
}

/// Places that count: what needs no fencing to be recovered is not taken to run where nobody can tell.
bool active_in_several(const Board& board, const Resource& resource) {
  const auto counts = [&](NodeId place) {
    const Node& node = board.node(place);
    return resource.needs >= Requires::fencing || (node.online && !node.unclean);
  };
  return std::count_if(resource.running_on.begin(), resource.running_on.end(), counts) > 1;
}

void active_twice(Board& board, ResourceId id) {
  switch (board.resource(id).multiple_active) {
    case MultipleActive::stop_only:
      return ban_everywhere(board, id, "multiple-active=stop_only");
    case MultipleActive::block:
      return block_whole(board, id);
    default:
      return;  // what is done about it is decided with the placement
  }
}

}  // namespace

void add_running(Board& board, ResourceId id, NodeId node_id, bool failed) {
  Resource& resource = board.resource(id);
  auto& places = resource.running_on;
  if (std::find(places.begin(), places.end(), node_id) != places.end()) return;
  places.push_back(node_id);
  Node& node = board.node(node_id);
  if (resource.primitive()) {
    node.running.push_back(id);
    if (resource.priority != 0) {
      const bool promoted = resource.role == Role::Promoted && !failed;
      node.priority += resource.priority + (promoted ? 1 : 0);
    }
    // The monitors of what else it runs on go on: only what is in maintenance itself loses them.
    if (node.maintenance) resource.managed = false;
  }
  if (!resource.managed) {
    add_score_deep(board, id, node_id, kInfinity, "it is not managed and runs there");
    if (node.online) place_parents(board, id, node_id);
    return;
  }
  if (resource.primitive() && active_in_several(board, resource)) active_twice(board, id);
  if (board.resource(id).parent != kNone) add_running(board, board.resource(id).parent, node_id, false);
}

void add_score_deep(Board& board, ResourceId id, NodeId node, Score score, const Cause& cause) {
  each_in(board, id, [&](ResourceId each) { board.add_score(each, node, score, cause); });
}

void ban(Board& board, ResourceId id, NodeId node, const Cause& cause) {
  add_score_deep(board, id, node, -kInfinity, cause);
}

void ban_everywhere(Board& board, ResourceId id, const Cause& cause) {
  for (NodeId node = 0; node < board.nodes.size(); ++node) ban(board, id, node, cause);
}

bool active(const Board& board, ResourceId id, bool all) {
  const Resource& resource = board.resource(id);
  if (resource.children.empty()) {
    // What ran on a node that is lost may still run until the node was fenced.
    return std::any_of(resource.running_on.begin(), resource.running_on.end(), [&](NodeId place) {
      const Node& node = board.node(place);
      return node.online || node.unclean || !resource.managed;
    });
  }
  const auto is_active = [&](ResourceId child) { return active(board, child, all); };
  return all && resource.variant != Variant::clone
             ? std::all_of(resource.children.begin(), resource.children.end(), is_active)
             : std::any_of(resource.children.begin(), resource.children.end(), is_active);
}

}  // namespace bascule::policy::detail
