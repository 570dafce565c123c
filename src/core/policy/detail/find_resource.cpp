// Which resource a history belongs to: an instance of a clone, a replica, or one that is configured no more.
#include "core/policy/detail/find_resource.h"

#include <algorithm>

#include "core/policy/detail/bundle.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/resources.h"
#include "core/policy/detail/steps.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

/// The clone that it is an instance of, if the instances have no identity.
ResourceId anonymous_clone_of(const Board& board, ResourceId id) {
  const ResourceId top = board.top_of(id);
  for (ResourceId each = id; each != kNone; each = board.resource(each).parent)
    if (board.resource(each).variant == Variant::clone) return board.resource(each).unique ? kNone : each;
  static_cast<void>(top);
  return kNone;
}

/// Inside an instance of a clone: the primitive of that name.
ResourceId member(const Board& board, ResourceId instance, const std::string& base) {
  ResourceId found = kNone;
  each_in(board, instance, [&](ResourceId each) {
    if (found == kNone && board.resource(each).primitive() && base_id(board.resource(each).id) == base) found = each;
  });
  return found;
}

/// Where something of the instance is, or is about to be.
std::vector<NodeId> places(const Board& board, ResourceId instance) {
  std::vector<NodeId> found;
  each_in(board, instance, [&](ResourceId each) {
    const Resource& resource = board.resource(each);
    for (const NodeId node : resource.running_on)
      if (std::find(found.begin(), found.end(), node) == found.end()) found.push_back(node);
    if (resource.pending_node != kNone && std::find(found.begin(), found.end(), resource.pending_node) == found.end())
      found.push_back(resource.pending_node);
  });
  return found;
}

/// A clone that is to run everywhere: exactly as many instances as nodes.
bool universal(const Board& board, ResourceId clone) {
  return board.resource(clone).clone->max == static_cast<int>(board.nodes.size());
}

/// What an unclean node had does not use up an instance, unless it has to be fenced before another may start.
bool may_be_elsewhere(const Board& board, ResourceId found, ResourceId clone, NodeId node_id) {
  const Node& node = board.node(node_id);
  const bool doubtful = !node.online || node.unclean;
  return doubtful && !node.is_guest() && board.resource(found).needs < Requires::fencing && !universal(board, clone);
}

ResourceId orphan_instance(Board& board, ResourceId clone, const std::string& base) {
  const int number = static_cast<int>(board.resource(clone).children.size());
  const ResourceId instance = add_instance(board, clone, number);
  each_in(board, instance, [&](ResourceId each) { board.resource(each).orphan = true; });
  return member(board, instance, base);
}

ResourceId instance_for(Board& board, ResourceId clone, NodeId node, const std::string& base) {
  ResourceId idle = kNone;
  bool only_active = false;
  const std::vector<ResourceId> instances = board.resource(clone).children;
  for (const ResourceId instance : instances) {
    const std::vector<NodeId> at = places(board, instance);
    const ResourceId candidate = member(board, instance, base);
    if (candidate == kNone) continue;
    if (!at.empty() && at.front() == node) {
      if (board.resource(candidate).running_on.empty())
        return may_be_elsewhere(board, candidate, clone, node) ? orphan_instance(board, clone, base) : candidate;
      only_active = true;  // a second history on this node: one too many
      continue;
    }
    const bool free = !only_active && at.empty() && !board.resource(instance).blocked;
    if (free && idle == kNone) idle = candidate;
  }
  if (only_active || idle == kNone || may_be_elsewhere(board, idle, clone, node))
    return orphan_instance(board, clone, base);
  return idle;
}

NodeId orphan_node(Board& board, const std::string& name) {
  Node node;
  node.id = node.name = name;
  node.kind = Node::Kind::remote;
  board.properties.have_remote_nodes = true;
  return add_node(board, std::move(node));
}

ResourceId make_orphan(Board& board, const cib::ResourceHistory& history) {
  cib::Resource& made = board.merged.emplace_back();
  made.id = history.id;
  made.resource_class = history.resource_class;
  made.provider = history.provider;
  made.type = history.type;
  const ResourceId id = add_resource(board, made);
  if (is_connection_agent(board.resource(id))) {
    NodeId node = board.find_node(history.id);
    if (node == kNone) node = orphan_node(board, history.id);
    link_connection(board, id);
    board.node(node).shutdown = true;
  }
  Resource& orphan = board.resource(id);
  orphan.orphan = true;
  orphan.orphan_filler = !history.container.empty();
  if (!board.properties.stop_orphans) {
    orphan.managed = false;
    return id;
  }
  ban_everywhere(board, id, "it is not configured any more");
  return id;
}

}  // namespace

std::string base_id(std::string_view id) {
  const std::size_t colon = id.rfind(':');
  const bool number = colon != std::string_view::npos && colon + 1 < id.size() &&
                      std::all_of(id.begin() + static_cast<std::ptrdiff_t>(colon) + 1, id.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  return std::string(number ? id.substr(0, colon) : id);
}

ResourceId find_for_history(Board& board, NodeId node, const cib::ResourceHistory& history) {
  ResourceId found = board.find_resource(history.id);
  if (found != kNone && !board.resource(found).primitive()) found = kNone;
  if (found == kNone) {
    const ResourceId first = board.find_resource(base_id(history.id) + ":0");
    if (first != kNone && board.resource(first).primitive() && anonymous_clone_of(board, first) != kNone) found = first;
  }
  if (found != kNone) {
    const ResourceId clone = anonymous_clone_of(board, found);
    const ResourceId replica = clone == kNone || !bundled(board, clone) ? kNone : replica_on(board, clone, node);
    if (replica != kNone)
      found = replica;
    else if (clone != kNone)
      found = instance_for(board, clone, node, base_id(history.id));
  }
  if (found == kNone) found = make_orphan(board, history);
  if (Resource& resource = board.resource(found); resource.id != history.id) resource.history_id = history.id;
  return found;
}

}  // namespace bascule::policy::detail
