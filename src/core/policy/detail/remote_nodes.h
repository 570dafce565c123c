#pragma once

#include <string>

#include "core/policy/board.h"

/// Nodes without a cluster stack of their own. A remote node is reached through a resource of ocf:pacemaker:remote that
/// has the node's name; a guest node through one that nobody wrote down: it belongs to the resource whose
/// meta-attribute `remote-node` names the node, and which is the container that the node runs in.
namespace bascule::policy::detail {

[[nodiscard]] bool is_connection_agent(const Resource& resource);
[[nodiscard]] bool is_connection_agent(const cib::Resource& definition);
struct ConnectionOptions {
  std::string address, port, allow_migrate, managed;
};
/// The definition of a connection that nobody wrote down.
[[nodiscard]] cib::Resource connection_definition(const std::string& name, const std::string& container,
                                                  const std::string& timeout, const ConnectionOptions& options);
/// Nodes that resources promise, and the definitions of guests' connections (Board::implied).
void read_remote_nodes(Board& board);
/// Connections know their nodes, nodes their connections, containers what is in them.
void link_remote_nodes(Board& board);
void link_connection(Board& board, ResourceId connection);
/// Is it up? By what is known of its connection, its container and their host.
void judge_remote_node(Board& board, NodeId node);
/// What the status section says of it, once its connection is known.
void take_remote_state(Board& board, NodeId node);
/// Whether what is known of its connection allows its history to be read in the first passes.
[[nodiscard]] bool remote_history_readable(const Board& board, NodeId node);
/// Those whose connection or container is to stop with them, and those without a history.
void finish_remote_nodes(Board& board);
/// What is not configured any more runs in the container that its history names.
void join_container(Board& board, const cib::ResourceHistory& history);
/// A connection that is orphaned with its container.
[[nodiscard]] bool dangling_guest(const Board& board, NodeId node);
/// The resource is what a guest node runs in.
[[nodiscard]] bool holds_guest_node(const Board& board, ResourceId resource);
void avoid_remote_nodes(Board& board, ResourceId resource);
/// A connection was placed, or was not: its node can be used, or goes down.
void connection_assigned(Board& board, ResourceId connection);

/// What can be done on a remote node now.
enum class RemoteState : std::uint8_t { unknown, alive, resting, failed, stopped };
[[nodiscard]] RemoteState remote_state(const Board& board, NodeId node);
/// A remote node that is down and cannot be reached any more.
[[nodiscard]] bool lost_remote_node(const Board& board, NodeId node);
/// Whether the resource could be active there; true for cluster nodes. On a guest node that stops nothing is probed: a
/// start waits for the stop instead.
bool remote_probe(Board& board, ResourceId resource, NodeId node);
/// Actions on remote and guest nodes wait for their connection, and it waits for them.
void order_remote_actions(Board& board);

}  // namespace bascule::policy::detail
