// Which nodes are there: online, pending, standby, in maintenance, unclean, to be fenced.
#include <cctype>

#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/steps.h"

namespace bascule::policy::detail {
namespace {

bool present(const std::string& in_ccm) {
  if (in_ccm.empty()) return false;
  // From 2.1.7 on: since when, in seconds; 0: not.
  if (std::isdigit(static_cast<unsigned char>(in_ccm[0])) != 0) return in_ccm != "0";
  return truth(in_ccm);
}

bool process_online(const std::string& crmd) {
  if (!crmd.empty() && std::isdigit(static_cast<unsigned char>(crmd[0])) != 0) return crmd != "0";
  return crmd == "online";
}

std::string attribute(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? std::string() : found->second;
}

bool terminating(const Node& node) {
  const std::string terminate = attribute(node, "terminate");
  if (truth(terminate)) return true;
  return !terminate.empty() && terminate[0] != '0' && std::isdigit(static_cast<unsigned char>(terminate[0])) != 0;
}

bool shutdown_requested(const Node& node) {
  const std::string shutdown = attribute(node, "shutdown");
  return !shutdown.empty() && shutdown != "0";
}

/// Without fencing only what is certainly up counts; who is half there blocks what it may run.
bool online_without_fencing(Board& board, NodeId id, const cib::NodeState& state) {
  const bool in_cluster = present(state.in_ccm);
  if (!in_cluster) return false;
  if (process_online(state.crmd)) return state.join == "member";
  if (board.node(id).expected_up) fence_node(board, id, "peer is unexpectedly down");
  return false;
}

/// The order matters: the first that holds decides (facts, section 19).
bool online_with_fencing(Board& board, NodeId id, const cib::NodeState& state) {
  Node& node = board.node(id);
  const bool process = process_online(state.crmd);
  const bool in_cluster = present(state.in_ccm);
  const bool terminate = terminating(node);
  const bool expected_down = state.expected.empty() || state.expected == "down";
  bool online = in_cluster;
  const auto join_later = [&node] { node.standby = node.pending = true; };
  if (node.shutdown) {
    online = process;
  } else if (state.in_ccm.empty()) {
    fence_node(board, id, "peer has not been seen by the cluster");
  } else if (state.join == "banned") {
    fence_node(board, id, "peer failed Pacemaker membership criteria");
  } else if (!terminate && expected_down) {
    if (in_cluster || process) join_later();
  } else if (terminate && state.join == "down" && !in_cluster && !process) {
    online = false;  // it was just shot
  } else if (!in_cluster) {
    fence_node(board, id, "peer is no longer part of the cluster", true);
  } else if (!process) {
    fence_node(board, id, "peer process is no longer available");
  } else if (terminate) {
    fence_node(board, id, "termination was requested");
  } else if (state.join == "pending" || state.join == "down") {
    join_later();
  } else if (state.join != "member") {
    fence_node(board, id, "peer was in an unknown state");
  }
  return online;
}

void determine_online(Board& board, NodeId id, const cib::NodeState& state) {
  Node& node = board.node(id);
  if (shutdown_requested(node))
    node.shutdown = true;
  else if (state.expected == "member")
    node.expected_up = true;
  node.online =
      board.properties.fencing ? online_with_fencing(board, id, state) : online_without_fencing(board, id, state);
}

void take_attributes(Board& board, NodeId id, const cib::NodeState& state) {
  Node& node = board.node(id);
  for (auto& [name, value] : resolve(board, state.transient_attributes, id))
    node.attributes.insert_or_assign(name, value);
  if (truth(attribute(node, "standby"))) node.standby = true;
  if (truth(attribute(node, "maintenance"))) node.maintenance = true;
}

void read_node_state(Board& board, const cib::NodeState& state) {
  const NodeId id = board.find_node(state.name.empty() ? state.id : state.name);
  if (id == kNone) {
    board.notices.push_back("the status of node " + state.name + " is ignored: it is not configured");
    return;
  }
  Node& node = board.node(id);
  node.state = &state;
  if (node.is_remote()) {
    node.remote_was_fenced = !state.node_fenced.empty() && state.node_fenced != "0";
    return;
  }
  node.unclean = false;
  node.unseen = false;
  take_attributes(board, id, state);
  determine_online(board, id, state);
  if (!board.properties.have_quorum && node.online && board.properties.no_quorum == NoQuorumPolicy::suicide)
    fence_node(board, id, "cluster does not have quorum");
}

}  // namespace

void fence_node(Board& board, NodeId id, std::string_view reason, bool priority_delay) {
  Node& node = board.node(id);
  if (node.is_guest()) {
    Resource& container = board.resource(node.container);
    if (container.failed || !container.managed) return;
    // Not unclean: it may run resources again as soon as the container was recovered.
    node.remote_requires_reset = true;
    container.failed = container.must_stop = true;
    return;
  }
  if (dangling_guest(board, id)) {
    board.resource(node.connection).failed = board.resource(node.connection).must_stop = true;
    return;
  }
  if (node.is_remote()) {
    const bool managed = node.connection == kNone || board.resource(node.connection).managed;
    if (node.fence_reason.empty()) node.fence_reason = reason;
    if (managed) node.remote_requires_reset = true;
    node.unclean = true;
    return;
  }
  if (!node.unclean || node.fence_reason.empty()) node.fence_reason = reason;
  node.unclean = true;
  node.fence_delayed = node.fence_delayed || priority_delay;
}

bool can_fence(const Board& board, NodeId id) {
  const Node& node = board.node(id);
  if (node.is_guest()) {
    // It is fenced by stopping its container, which takes a host that is under control.
    for (const NodeId host : board.resource(node.container).running_on)
      if (!board.node(host).online && !can_fence(board, host)) return false;
    return true;
  }
  if (!board.properties.fencing || !board.properties.have_fencing_device) return false;
  return board.properties.have_quorum || board.properties.no_quorum == NoQuorumPolicy::ignore || node.online;
}

void read_node_states(Board& board) {
  for (const cib::NodeState& state : board.snapshot.cib->node_states) read_node_state(board, state);
}

}  // namespace bascule::policy::detail
