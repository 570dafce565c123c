// What a bundle is made of: container, address, remote connection and instance for each replica.
#include "core/policy/detail/bundle.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/policy/detail/bundle_parameters.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/resources.h"
#include "core/policy/detail/steps.h"

namespace bascule::policy::detail {
namespace {

int number(const cib::Attributes& attributes, std::string_view name, int otherwise) {
  const std::string* text = cib::find(attributes, name);
  int value = otherwise;
  if (text != nullptr) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

/// The address after one of IPv4; empty if there is none.
std::string next_address(const std::string& address) {
  std::array<int, 4> parts{};
  const char* at = address.data();
  const char* end = at + address.size();
  for (int& part : parts) {
    const auto [rest, error] = std::from_chars(at, end, part);
    if (error != std::errc{}) return "";
    at = rest == end ? rest : rest + 1;
  }
  for (std::size_t i = 4; i-- > 0;) {
    if (++parts[i] < 255) break;
    parts[i] = i == 3 ? 1 : 0;
  }
  return std::to_string(parts[0]) + "." + std::to_string(parts[1]) + "." + std::to_string(parts[2]) + "." +
         std::to_string(parts[3]);
}

/// One for each replica, empty if there are none.
std::vector<std::string> addresses_of(const cib::BundleParts& parts, int replicas) {
  std::vector<std::string> all;
  std::string address = cib::value_of(parts.network, "ip-range-start");
  for (int offset = 0; offset < replicas; ++offset) {
    all.push_back(address);
    if (!address.empty()) address = next_address(address);
  }
  return all;
}

cib::Resource made(const std::string& id, const std::string& type, cib::NameValueSet parameters) {
  cib::Resource resource;
  resource.parameters.push_back(std::move(parameters));
  resource.id = id;
  resource.resource_class = "ocf";
  resource.provider = "heartbeat";
  resource.type = type;
  cib::Operation monitor;
  monitor.id = id + "-monitor-60s";
  monitor.name = "monitor";
  monitor.interval = "60s";
  monitor.attributes = {{"id", monitor.id}, {"name", "monitor"}, {"interval", "60s"}};
  resource.operations.push_back(std::move(monitor));
  return resource;
}

/// The clone that the bundle's primitive becomes.
cib::Resource clone_of(const cib::Resource& bundle, int replicas, int per_host, int promoted) {
  cib::Resource clone;
  clone.kind = cib::Resource::Kind::clone;
  clone.id = bundle.id + (promoted > 0 ? "-master" : "-clone");
  cib::NameValueSet meta;
  meta.pairs = {{"ordered", "true"},
                {"clone-max", std::to_string(replicas)},
                {"clone-node-max", std::to_string(per_host)},
                {"globally-unique", per_host > 1 ? "true" : "false"}};
  if (promoted > 0) {
    meta.pairs.push_back({"promotable", "true"});
    meta.pairs.push_back({"promoted-max", std::to_string(promoted)});
  }
  clone.meta.push_back(std::move(meta));
  clone.children = bundle.children;
  return clone;
}

NodeId guest_node(Board& board, const std::string& name) {
  NodeId id = board.find_node(name);
  if (id == kNone) {
    Node node;
    node.id = node.name = name;
    id = add_node(board, std::move(node));
    board.node(id).unclean = false;
    for (const char* attribute : {"#uname", "#id"}) board.node(id).attributes[attribute] = name;
    board.node(id).attributes["#is_dc"] = "false";
  }
  board.node(id).kind = Node::Kind::remote;
  board.node(id).unclean = false;
  board.node(id).attributes["#kind"] = "container";
  board.node(id).for_bundle = true;
  board.properties.have_remote_nodes = true;
  return id;
}

/// Nothing else may run there.
void reserve(Board& board, NodeId node, ResourceId child, bool existed) {
  for (Resource& resource : board.resources) {
    // What was read before the node existed does not know it.
    resource.scores[node] = existed ? -kInfinity : kNotAllowed;
    if (resource.discovery.empty()) resource.discovery.assign(board.nodes.size(), Discovery::always);
    resource.discovery[node] = Discovery::never;
  }
  Resource& inside = board.resource(child);
  std::fill(inside.scores.begin(), inside.scores.end(), kNotAllowed);
  inside.scores[node] = 500;
  inside.exclusive_discovery = true;
  inside.discovery[node] = Discovery::exclusive;
}

void make_connection(Board& board, ResourceId bundle, BundleReplica& replica) {
  const cib::Resource& written = *board.resource(bundle).definition;
  std::string name = written.id + "-" + std::to_string(replica.offset);
  if (board.find_resource(name) != kNone) name = written.id + "-remote-" + std::to_string(replica.offset);
  const std::string port = cib::value_of(written.bundle->network, "control-port");
  const bool existed = board.find_node(name) != kNone;
  replica.node = guest_node(board, name);
  board.merged.push_back(connection_definition(
      name, board.resource(replica.container).id, "",
      {replica.address.empty() ? "#uname" : replica.address, port.empty() ? "3121" : port, "", ""}));
  replica.remote = add_child(board, bundle, board.merged.back());
  board.resource(replica.remote).remote_hosts = true;
  Resource& connection = board.resource(replica.remote);
  for (NodeId node = 0; node < board.nodes.size(); ++node)
    if (board.node(node).is_remote() && connection.scores[node] != kNotAllowed) connection.scores[node] = -kInfinity;
  reserve(board, replica.node, replica.child, existed);
}

void make_replica(Board& board, ResourceId bundle, BundleReplica& replica, const std::vector<std::string>& addresses) {
  const cib::Resource& written = *board.resource(bundle).definition;
  const cib::BundleParts& parts = *written.bundle;
  if (!replica.address.empty()) {
    board.merged.push_back(
        made(written.id + "-ip-" + replica.address, "IPaddr2", address_parameters(written, replica.address)));
    replica.ip = add_child(board, bundle, board.merged.back());
  }
  board.merged.push_back(made(written.id + "-" + parts.runtime + "-" + std::to_string(replica.offset), parts.runtime,
                              container_parameters(written, replica.offset, addresses)));
  replica.container = add_child(board, bundle, board.merged.back());
  // What runs inside needs its room where the container is.
  if (replica.child != kNone)
    board.resource(replica.container).utilization = std::exchange(board.resource(replica.child).utilization, {});
  const bool reachable =
      cib::find(parts.network, "ip-range-start") != nullptr || cib::find(parts.network, "control-port") != nullptr;
  if (replica.child != kNone && reachable) make_connection(board, bundle, replica);
}

}  // namespace

void make_replicas(Board& board, ResourceId id) {
  const cib::Resource& written = *board.resource(id).definition;
  const cib::BundleParts& parts = *written.bundle;
  BundleParts bundle;
  bundle.promoted_max = number(parts.container, "promoted-max", number(parts.container, "masters", 0));
  const int asked = std::max(1, number(parts.container, "replicas", std::max(1, bundle.promoted_max)));
  const int replicas = std::min(asked, instances_most(board, 1));
  if (asked > replicas)
    board.notices.push_back("bundle " + written.id + ": only " + std::to_string(replicas) + " replicas are planned");
  bundle.replicas_per_host = std::max(1, number(parts.container, "replicas-per-host", 1));
  board.resource(id).unique = bundle.replicas_per_host > 1;
  // Replicas without addresses of their own are told apart by their hosts; the bundle is still called unique.
  const bool addresses_differ = cib::find(parts.network, "ip-range-start") != nullptr;
  if (!addresses_differ && !written.children.empty()) bundle.replicas_per_host = 1;
  std::vector<ResourceId> instances;
  if (!written.children.empty()) {
    board.merged.push_back(clone_of(written, replicas, bundle.replicas_per_host, bundle.promoted_max));
    bundle.child = add_child(board, id, board.merged.back());
    instances = board.resource(bundle.child).children;
    std::erase(board.resource(id).children, bundle.child);
    // Whether instances are notified is the primitive's word.
    const bool notify = std::any_of(instances.begin(), instances.end(),
                                    [&board](ResourceId each) { return board.resource(each).notify; });
    if (notify) board.resource(bundle.child).notify = board.resource(bundle.child).clone->notify = true;
    // Nobody writes this clone: that it is to hear of changes is said of the primitive.
    for (const ResourceId each : instances)
      if (board.resource(each).notify) board.resource(bundle.child).notify = true;
  }
  const std::vector<std::string> addresses = addresses_of(parts, replicas);
  for (int offset = 0; offset < replicas; ++offset) {
    BundleReplica replica;
    replica.offset = offset;
    replica.address = addresses[static_cast<std::size_t>(offset)];
    if (!instances.empty()) replica.child = instances[static_cast<std::size_t>(offset)];
    make_replica(board, id, replica, addresses);
    bundle.replicas.push_back(replica);
  }
  if (bundle.child != kNone) board.resource(id).children.push_back(bundle.child);
  board.resource(id).bundle = std::move(bundle);
}

bool bundled(const Board& board, ResourceId id) {
  for (ResourceId each = id; each != kNone; each = board.resource(each).parent)
    if (board.resource(each).variant == Variant::bundle) return true;
  return false;
}

bool made_for_bundle(const Board& board, ResourceId id) {
  const ResourceId parent = board.resource(id).parent;
  return parent != kNone && board.resource(parent).variant == Variant::bundle && board.resource(id).primitive();
}

ResourceId replica_on(const Board& board, ResourceId clone, NodeId node) {
  const Resource& bundle = board.resource(board.resource(clone).parent);
  for (const BundleReplica& replica : bundle.bundle->replicas)
    if (replica.node == node) return replica.child;
  return kNone;
}

}  // namespace bascule::policy::detail
