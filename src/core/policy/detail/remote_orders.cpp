// Actions on remote nodes wait for the connection, and fail with it.
#include <algorithm>
#include <string_view>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

void after_start(Board& board, ResourceId connection, const Action& action, OrderFlags extra) {
  order_later(board, connection, operation_key(board.resource(connection).id, "start", 0), kNone, action.resource, "",
              action.id, order_preserve | order_runnable_left | extra);
}

void before_stop(Board& board, const Action& action, ResourceId connection, OrderFlags extra) {
  order_later(board, action.resource, "", action.id, connection,
              operation_key(board.resource(connection).id, "stop", 0), kNone, order_preserve | extra);
}

/// A resource that moves to the node leaves its old place only when the node can be reached.
void stop_elsewhere_after_start(Board& board, ResourceId connection, const Action& start) {
  for (const ActionId each : board.resource(start.resource).actions) {
    const Action& stop = board.action(each);
    if (stop.task != "stop" || stop.node == start.node) continue;
    order_later(board, connection, operation_key(board.resource(connection).id, "start", 0), kNone, start.resource, "",
                each, order_optional);
  }
}

/// To leave a node, or to come to it, without a stop and a start is ordered as a stop there.
std::string_view kind_of(const Action& action) {
  return action.task == "migrate_to" || action.task == "migrate_from" ? "stop" : std::string_view(action.task);
}

// ---- remote nodes ---------------------------------------------------------------------------------------------------

void order_remote_stop(Board& board, const Action& action, ResourceId connection, RemoteState state) {
  if (state == RemoteState::alive)
    before_stop(board, action, connection, order_implies_first);
  else if (state == RemoteState::failed)
    fence_node(board, action.node, "resources are active but connection is unrecoverable");
  else if (board.resource(connection).next_role == Role::Stopped)
    before_stop(board, action, connection, order_implies_first);
  else
    after_start(board, connection, action, order_none);
}

void order_remote_other(Board& board, const Action& action, ResourceId connection, RemoteState state) {
  if (action.interval_ms != 0) return after_start(board, connection, action, order_implies_then);
  if (action.task == "monitor" && state == RemoteState::failed)
    fence_node(board, action.node, "resources are in unknown state and connection is unrecoverable");
  if (current_node(board, connection) != kNone && state == RemoteState::stopped)
    before_stop(board, action, connection, order_runnable_left);
  else
    after_start(board, connection, action, order_none);
}

void order_remote(Board& board, const Action& action, ResourceId connection) {
  const RemoteState state = remote_state(board, action.node);
  const std::string_view task = kind_of(action);
  if (task == "start" || task == "promote") {
    after_start(board, connection, action, state == RemoteState::failed ? order_implies_then : order_none);
  } else if (task == "stop") {
    order_remote_stop(board, action, connection, state);
  } else if (task == "demote") {
    if (state == RemoteState::resting || state == RemoteState::unknown)
      after_start(board, connection, action, order_none);
  } else {
    order_remote_other(board, action, connection, state);
  }
}

// ---- guest nodes ----------------------------------------------------------------------------------------------------

void order_guest(Board& board, const Action& action, ResourceId connection, ResourceId container) {
  const bool failed = board.resource(container).failed;
  if (failed) fence_node(board, action.node, "container failed");
  const std::string_view task = kind_of(action);
  if (task == "start" || task == "promote") {
    after_start(board, container, action, order_implies_then);
    after_start(board, connection, action, order_none);
  } else if (task == "stop" || task == "demote") {
    // Of a failed container all this happens by itself.
    if (!failed) before_stop(board, action, connection, order_none);
  } else if (task != "cancel") {
    after_start(board, connection, action, action.interval_ms != 0 ? order_implies_then : order_none);
  }
}

void order_one(Board& board, ActionId id) {
  const Action action = board.action(id);
  if (action.resource == kNone) return;
  const Resource& resource = board.resource(action.resource);
  if (resource.remote_node != kNone && action.task == "clear_failcount") {
    order_later(board, action.resource, "", id, action.resource, operation_key(resource.id, "start", 0), kNone,
                order_optional);
    return;
  }
  if (action.node == kNone || !board.node(action.node).is_remote() || action.pseudo) return;
  const ResourceId connection = board.node(action.node).connection;
  if (connection == kNone) return;
  if (action.task == "start") stop_elsewhere_after_start(board, connection, action);
  const ResourceId container = board.resource(connection).container;
  if (container != kNone)
    order_guest(board, action, connection, container);
  else
    order_remote(board, action, connection);
}

}  // namespace

RemoteState remote_state(const Board& board, NodeId id) {
  const Node& node = board.node(id);
  const Resource& connection = board.resource(node.connection);
  const NodeId host = current_node(board, node.connection);
  if (connection.next_role == Role::Stopped || connection.node == kNone) {
    if (host != kNone && board.node(host).unclean) return RemoteState::failed;
    if (!connection.failed) return RemoteState::stopped;
    const bool waits = connection.next_role == Role::Stopped && connection.reconnect_ms > 0 && node.remote_was_fenced;
    return waits && !node.attributes.contains("shutdown") ? RemoteState::unknown : RemoteState::failed;
  }
  if (host == kNone) return RemoteState::unknown;
  if (board.node(host).unclean || !board.node(host).online) return RemoteState::resting;
  const bool migrating =
      connection.running_on.size() > 1 && connection.migration_source != kNone && connection.migration_target != kNone;
  return migrating ? RemoteState::resting : RemoteState::alive;
}

bool lost_remote_node(const Board& board, NodeId id) {
  const Node& node = board.node(id);
  return node.is_remote() && !node.is_guest() && !node.online && node.connection != kNone &&
         remote_state(board, id) == RemoteState::failed;
}

bool remote_probe(Board& board, ResourceId id, NodeId node_id) {
  const Node& node = board.node(node_id);
  if (!node.is_remote()) return true;
  const Resource& resource = board.resource(id);
  if (resource.fence_device || resource.remote_node != kNone) return false;
  if (!node.is_guest()) return true;
  if (holds_guest_node(board, id)) return false;
  const Resource& container = board.resource(node.container);
  const ResourceId outermost = board.top_of(id);
  const ResourceId top = board.resource(outermost).clone ? outermost : id;
  if (container.role == Role::Stopped) {
    // Nothing can be active there, unless the container is after all.
    const auto& known = container.known_on;
    if (container.node != kNone && std::find(known.begin(), known.end(), container.node) == known.end())
      order_tasks(board, node.container, "monitor", top, "start", order_optional);
    return false;
  }
  const bool moves =
      container.role > Role::Stopped && container.node != kNone &&
      std::find(container.running_on.begin(), container.running_on.end(), container.node) == container.running_on.end();
  if (!container.failed && container.next_role != Role::Stopped && !moves) return true;
  order_later(board, node.container, operation_key(container.id, "stop", 0), kNone, top,
              operation_key(board.resource(top).id, "start", 0), kNone, order_optional);
  return false;
}

void order_remote_actions(Board& board) {
  if (!board.properties.have_remote_nodes) return;
  const std::size_t count = board.actions.size();
  for (ActionId id = 0; id < count; ++id) order_one(board, id);
}

}  // namespace bascule::policy::detail
