// Resources that wait for the node that was shut down under them.
#include "core/policy/detail/shutdown_lock.h"

#include "core/policy/detail/make_action.h"
#include "core/policy/operations.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

void lock(Board& board, ResourceId id) {
  Resource& resource = board.resource(id);
  if (resource.variant == Variant::group) {
    const std::vector<ResourceId> members = resource.children;
    for (const ResourceId member : members) lock(board, member);
    return;
  }
  if (!resource.primitive() || resource.fence_device || resource.remote_node != kNone) return;
  if (resource.lock_node != kNone && !resource.running_on.empty()) {
    resource.lock_node = kNone;  // it was started elsewhere: too late
  } else if (resource.lock_node == kNone && resource.running_on.size() == 1) {
    const Node& node = board.node(resource.running_on.front());
    if (node.shutdown && !node.unclean) resource.lock_node = resource.running_on.front();
  }
  if (resource.lock_node == kNone) return;
  for (NodeId node = 0; node < board.nodes.size(); ++node)
    if (node != resource.lock_node) board.add_score(id, node, -kInfinity, Cause::Kind::lock);
}

}  // namespace

void read_shutdown_lock(Board& board, ResourceId id, NodeId node, const cib::ResourceHistory& history) {
  if (!board.properties.shutdown_lock || history.shutdown_lock_s == 0) return;
  const std::int64_t limit_s = board.properties.shutdown_lock_limit_s;
  if (limit_s == 0 || board.snapshot.now_s <= history.shutdown_lock_s + limit_s) {
    board.resource(id).lock_node = node;
    return;
  }
  const std::string key = operation_key(board.resource(id).id, "lrm_delete", 0);
  board.action(make_action(board, id, key, "lrm_delete", node, false)).reason = "the shutdown lock expired";
}

void apply_shutdown_locks(Board& board) {
  if (!board.properties.shutdown_lock) return;
  const std::vector<ResourceId> top = board.top;
  for (const ResourceId id : top) lock(board, id);
}

}  // namespace bascule::policy::detail
