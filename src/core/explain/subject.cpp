// What a question is about: a resource, or all instances of one.
#include "core/explain/subject.h"

#include <algorithm>

#include "core/explain/words.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there
using policy::Role;

/// Instances above clone-max are told of only while they still run.
bool wanted(const Board& board, ResourceId instance) {
  const Resource& resource = board.resource(instance);
  return !resource.orphan || !resource.running_on.empty();
}

void collect_leaves(const Board& board, ResourceId id, std::vector<ResourceId>& leaves) {
  const Resource& resource = board.resource(id);
  switch (resource.variant) {
    case Variant::primitive:
      leaves.push_back(id);
      return;
    case Variant::group:
      if (!resource.children.empty()) leaves.push_back(resource.children.front());
      return;
    case Variant::clone:
      for (const ResourceId instance : resource.children)
        if (wanted(board, instance)) collect_leaves(board, instance, leaves);
      return;
    case Variant::bundle:
      for (const BundleReplica& replica : resource.bundle->replicas) leaves.push_back(replica.container);
      return;
  }
}

Subject by_definition(const Board& board, std::string_view name) {
  Subject subject{std::string(name), kNone, {}};
  for (ResourceId id = 0; id < board.resources.size(); ++id) {
    const Resource& resource = board.resource(id);
    if (resource.definition == nullptr || resource.definition->id != name || !wanted(board, id)) continue;
    if (subject.whole == kNone) subject.whole = board.top_of(id);
    collect_leaves(board, id, subject.leaves);
  }
  return subject;
}

bool contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

}  // namespace

Result<Subject> find_subject(const Board& board, std::string_view name) {
  const ResourceId id = board.find_resource(name);
  if (id != kNone) {
    Subject subject{std::string(name), id, {}};
    collect_leaves(board, id, subject.leaves);
    if (!subject.leaves.empty()) return subject;
    return fail("there is nothing to explain", std::string(name), "the resource is empty");
  }
  Subject subject = by_definition(board, name);
  if (!subject.leaves.empty()) return subject;
  std::vector<std::string> names;
  for (const Resource& resource : board.resources) names.push_back(resource.id);
  const std::string like = most_like(name, names);
  return fail("there is no such resource", std::string(name), "it is not configured",
              like.empty() ? "bascule simulate lists the resources" : "did you mean " + like + "?");
}

Result<NodeId> find_node(const Board& board, std::string_view name) {
  const NodeId id = board.find_node(name);
  if (id != kNone) return id;
  std::vector<std::string> names;
  for (const Node& node : board.nodes) names.push_back(node.name);
  const std::string like = most_like(name, names);
  return fail("there is no such node", std::string(name), "the nodes are " + list_text(names, 16),
              like.empty() ? "" : "did you mean " + like + "?");
}

ResourceId leaf_for(const Board& board, const Subject& subject, NodeId node) {
  const auto rank = [&](ResourceId id) {
    const Resource& leaf = board.resource(id);
    if (leaf.node == node) return 0;
    if (contains(leaf.running_on, node)) return 1;
    return leaf.node == kNone ? 2 : 3;
  };
  ResourceId best = subject.leaves.front();
  for (const ResourceId each : subject.leaves) {
    if (rank(each) > rank(best)) continue;
    if (rank(each) < rank(best) || board.resource(each).scores[node] > board.resource(best).scores[node]) best = each;
  }
  return best;
}

const Action* blocked_start(const Board& board, ResourceId leaf) {
  for (const ActionId each : board.resource(leaf).actions) {
    const Action& action = board.action(each);
    if (action.task == "start" && !action.optional && !action.runnable) return &action;
  }
  return nullptr;
}

bool placed(const Board& board, ResourceId leaf) {
  const Resource& resource = board.resource(leaf);
  return resource.node != kNone && resource.next_role != Role::Stopped && blocked_start(board, leaf) == nullptr;
}

std::vector<std::string> places(const Board& board, const Subject& subject) {
  std::vector<std::string> names;
  for (const ResourceId leaf : subject.leaves)
    if (placed(board, leaf)) names.push_back(board.node(board.resource(leaf).node).name);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool could_run(const Board& board, ResourceId leaf, NodeId node) {
  const policy::Score score = board.resource(leaf).scores[node];
  return score != kNotAllowed && score >= 0 && node_trouble(board, node).empty();
}

}  // namespace bascule::explain
