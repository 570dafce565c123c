// Remote and guest nodes: resources that are nodes as well.
#include "core/policy/detail/remote_nodes.h"

#include <algorithm>
#include <utility>

#include "core/policy/detail/steps.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

std::string meta_value(const cib::Resource& resource, std::string_view name) {
  for (const cib::NameValueSet& set : resource.meta)
    for (const cib::NameValue& pair : set.pairs)
      if (pair.name == name) return pair.value;
  return "";
}

cib::Operation operation(const std::string& owner, const std::string& name, const std::string& interval,
                         const std::string& timeout) {
  cib::Operation made;
  made.id = owner + "-" + name + "-" + interval;
  made.name = name;
  made.interval = interval;
  made.attributes = {{"id", made.id}, {"name", name}, {"interval", interval}, {"timeout", timeout}};
  return made;
}

NodeId remote_node(Board& board, const std::string& name) {
  const NodeId known = board.find_node(name);
  if (known != kNone) {
    board.node(known).kind = Node::Kind::remote;
    return known;
  }
  Node node;
  node.id = node.name = name;
  node.kind = Node::Kind::remote;
  const NodeId id = add_node(board, std::move(node));
  // Its other attributes come with its status: rules do not know the name of a node that never was.
  board.node(id).attributes["#kind"] = "remote";
  return id;
}

bool name_taken(const Board& board, const std::string& name) {
  for (const cib::Resource& each : board.snapshot.cib->resources) {
    if (each.id == name) return true;
    for (const cib::Resource& child : each.children)
      if (child.id == name) return true;
  }
  return false;
}

/// The connection of a guest node, as if somebody had written it.
void imply_connection(Board& board, const cib::Resource& container) {
  const std::string name = meta_value(container, "remote-node");
  if (name.empty()) return;
  if (name_taken(board, name)) {
    board.notices.push_back("resource " + container.id + ": remote-node " + name + " is the name of a resource");
    return;
  }
  const std::string address = meta_value(container, "remote-addr");
  const std::string port = meta_value(container, "remote-port");
  const std::string migrate = meta_value(container, "remote-allow-migrate");
  const std::string managed = meta_value(container, "is-managed");
  board.implied.push_back(connection_definition(name, container.id, meta_value(container, "remote-connect-timeout"),
                                                {address, port, migrate, managed}));
  remote_node(board, name);
}

void read_promised(Board& board, const cib::Resource& written) {
  using Kind = cib::Resource::Kind;
  if (written.kind == Kind::primitive) {
    if (is_connection_agent(written))
      remote_node(board, written.id);
    else
      imply_connection(board, written);
  } else if (written.kind == Kind::group) {
    for (const cib::Resource& member : written.children) read_promised(board, member);
  }
}

void link_container(Board& board, ResourceId id) {
  const auto named = board.resource(id).meta.find("container");
  if (named == board.resource(id).meta.end() || !board.resource(id).primitive()) return;
  if (named->second == board.resource(id).id) return;  // inherited from its group
  const ResourceId container = board.find_resource(named->second);
  if (container == kNone) {
    board.notices.push_back("resource " + board.resource(id).id + ": its container " + named->second +
                            " does not exist");
    return;
  }
  board.resource(id).container = container;
  board.resource(container).fillers.push_back(id);
}

std::string attribute(const Node& node, std::string_view name) {
  const auto found = node.attributes.find(name);
  return found == node.attributes.end() ? std::string() : found->second;
}

}  // namespace

cib::Resource connection_definition(const std::string& name, const std::string& container, const std::string& timeout,
                                    const ConnectionOptions& options) {
  cib::Resource made;
  made.id = name;
  made.resource_class = "ocf";
  made.provider = "pacemaker";
  made.type = "remote";
  cib::NameValueSet meta;
  meta.id = name + "-meta_attributes";
  const auto set = [&meta](const char* key, const std::string& value) {
    if (!value.empty()) meta.pairs.push_back({key, value});
  };
  set("container", container);
  set("internal_attr", "true");
  set("allow-migrate", options.allow_migrate);
  set("is-managed", options.managed);
  made.meta.push_back(std::move(meta));
  made.operations.push_back(operation(name, "monitor", "30s", "30s"));
  if (!timeout.empty()) made.operations.push_back(operation(name, "start", "0", timeout));
  cib::NameValueSet parameters;
  parameters.id = name + "-instance_attributes";
  if (!options.address.empty()) parameters.pairs.push_back({"addr", options.address});
  if (!options.port.empty()) parameters.pairs.push_back({"port", options.port});
  if (!parameters.pairs.empty()) made.parameters.push_back(std::move(parameters));
  return made;
}

bool is_connection_agent(const Resource& resource) {
  return resource.primitive() && resource.resource_class == "ocf" && resource.provider == "pacemaker" &&
         resource.type == "remote";
}

bool is_connection_agent(const cib::Resource& definition) {
  return definition.resource_class == "ocf" && definition.provider == "pacemaker" && definition.type == "remote";
}

void read_remote_nodes(Board& board) {
  for (const cib::Resource& written : board.snapshot.cib->resources) read_promised(board, written);
  for (const Node& node : board.nodes)
    if (node.is_remote()) board.properties.have_remote_nodes = true;
}

void link_connection(Board& board, ResourceId id) {
  const NodeId node_id = board.find_node(board.resource(id).id);
  if (node_id == kNone) return;
  Node& node = board.node(node_id);
  node.connection = id;
  node.unseen = true;
  board.resource(id).remote_node = node_id;
  if (board.resource(id).container == kNone) {
    node.unclean = board.properties.startup_fencing;
  } else {
    node.container = board.resource(id).container;
    node.attributes["#kind"] = "container";
  }
}

void link_remote_nodes(Board& board) {
  for (ResourceId id = 0; id < board.resources.size(); ++id) {
    link_container(board, id);
    if (is_connection_agent(board.resource(id))) link_connection(board, id);
  }
}

void judge_remote_node(Board& board, NodeId id) {
  Node& node = board.node(id);
  node.online = false;
  if (node.connection == kNone) return;
  const Resource& connection = board.resource(node.connection);
  const Resource* container = node.container == kNone ? nullptr : &board.resource(node.container);
  const Node* host =
      container != nullptr && connection.running_on.size() == 1 ? &board.node(connection.running_on.front()) : nullptr;
  node.online = connection.role == Role::Started;
  if (connection.role == Role::Started && connection.next_role == Role::Stopped) node.shutdown = true;
  if (container != nullptr && container->failed) {
    node.online = false;
    node.remote_requires_reset = true;
  } else if (connection.failed) {
    node.online = false;
  } else if (connection.role == Role::Stopped || (container != nullptr && container->role == Role::Stopped)) {
    node.online = false;
    node.remote_requires_reset = false;
  } else if (host != nullptr && !host->online && host->unclean) {
    node.online = false;
    node.remote_requires_reset = true;
  }
}

void take_remote_state(Board& board, NodeId id) {
  Node& node = board.node(id);
  if (!node.remote_requires_reset) node.unclean = node.unseen = false;
  if (node.state != nullptr) {
    for (auto& [name, value] : resolve(board, node.state->transient_attributes, id))
      node.attributes.insert_or_assign(name, value);
    name_node(board, node);
  }
  const std::string shutdown = attribute(node, "shutdown");
  if (!shutdown.empty() && shutdown != "0") node.shutdown = true;
  if (truth(attribute(node, "standby"))) node.standby = true;
  if (truth(attribute(node, "maintenance")) || (node.connection != kNone && !board.resource(node.connection).managed))
    node.maintenance = true;
  const std::string discovery = attribute(node, "resource-discovery-enabled");
  const bool needs_fencing = !node.is_guest() && !board.properties.fencing;
  if (!discovery.empty() && !truth(discovery) && !needs_fencing) node.discovery = false;
}

bool remote_history_readable(const Board& board, NodeId id) {
  const Node& node = board.node(id);
  if (node.connection == kNone) return false;
  const bool connected = board.resource(node.connection).role == Role::Started;
  if (node.is_guest()) return connected && board.resource(node.container).role == Role::Started;
  return connected || board.properties.shutdown_lock;
}

void finish_remote_nodes(Board& board) {
  for (NodeId id = 0; id < board.nodes.size(); ++id) {
    const Node& node = board.node(id);
    if (!node.is_remote()) continue;
    if (node.shutdown && node.connection != kNone) board.resource(node.connection).next_role = Role::Stopped;
    if (!node.history_unpacked) judge_remote_node(board, id);
  }
}

void join_container(Board& board, const cib::ResourceHistory& history) {
  if (history.container.empty()) return;
  const ResourceId container = board.find_resource(history.container);
  const ResourceId id = board.find_resource(history.id);
  if (container == kNone || id == kNone) return;
  Resource& filler = board.resource(id);
  if (!filler.orphan_filler || filler.container != kNone) return;
  filler.container = container;
  board.resource(container).fillers.push_back(id);
  if (filler.remote_node != kNone) board.node(filler.remote_node).container = container;
}

bool dangling_guest(const Board& board, NodeId id) {
  const Node& node = board.node(id);
  return node.is_remote() && node.connection != kNone && board.resource(node.connection).container == kNone &&
         board.resource(node.connection).orphan_filler;
}

bool holds_guest_node(const Board& board, ResourceId id) {
  const std::vector<ResourceId>& fillers = board.resource(id).fillers;
  return std::any_of(fillers.begin(), fillers.end(),
                     [&](ResourceId each) { return board.resource(each).remote_node != kNone; });
}

void avoid_remote_nodes(Board& board, ResourceId id) {
  for (NodeId node = 0; node < board.nodes.size(); ++node)
    if (board.node(node).connection != kNone && board.resource(id).scores[node] != kNotAllowed)
      board.add_score(id, node, -kInfinity, "it cannot run on remote nodes");
}

void connection_assigned(Board& board, ResourceId id) {
  const Resource& connection = board.resource(id);
  Node& node = board.node(connection.remote_node);
  if (connection.node != kNone && connection.next_role != Role::Stopped) {
    node.online = true;
    if (node.unseen) node.unclean = false;
  } else {
    node.shutdown = true;
  }
}

}  // namespace bascule::policy::detail
