#include <charconv>

#include "core/policy/detail/steps.h"

namespace bascule::policy::detail {
namespace {

void read_utilization(const Board& board, const cib::NameValueSets& sets, Node& node) {
  for (const auto& [name, value] : resolve(board, sets)) {
    int number = 0;
    std::from_chars(value.data(), value.data() + value.size(), number);
    node.utilization[name] = number;
  }
}

}  // namespace

void name_node(const Board& board, Node& node) {
  const cib::Cib& cib = *board.snapshot.cib;
  node.dc = !node.id.empty() && node.id == cib::value_of(cib.attributes, "dc-uuid");
  node.attributes["#uname"] = node.name;
  node.attributes["#id"] = node.id;
  node.attributes["#is_dc"] = node.dc ? "true" : "false";
  const auto cluster = board.properties.all.find("cluster-name");
  if (cluster != board.properties.all.end()) node.attributes["#cluster-name"] = cluster->second;
  const auto site = node.attributes.find("site-name");
  if (site != node.attributes.end())
    node.attributes["#site-name"] = site->second;
  else if (cluster != board.properties.all.end())
    node.attributes["#site-name"] = cluster->second;
}

NodeId add_node(Board& board, Node node) {
  const auto id = static_cast<NodeId>(board.nodes.size());
  // Until a status section says otherwise: it may be running things, unless the administrator says that it is not.
  node.unseen = node.kind == Node::Kind::member;
  node.unclean = node.kind == Node::Kind::member && board.properties.startup_fencing && board.properties.fencing;
  board.node_by_name[node.name] = id;
  board.nodes.push_back(std::move(node));
  // Resources that were there before it know nothing of it.
  for (Resource& resource : board.resources) {
    resource.scores.resize(board.nodes.size(), kNotAllowed);
    if (!resource.discovery.empty()) resource.discovery.resize(board.nodes.size(), Discovery::always);
  }
  return id;
}

void read_nodes(Board& board) {
  for (const cib::Node& found : board.snapshot.cib->nodes) {
    Node node;
    node.id = found.id;
    node.name = found.name;
    node.kind = found.type == "remote" ? Node::Kind::remote : Node::Kind::member;
    if (found.type == "ping") {
      board.notices.push_back("node " + found.name + " has the type ping, which means nothing any more");
      continue;
    }
    node.weight = parse_score(found.score).value_or(0);
    const NodeId id = add_node(board, std::move(node));
    name_node(board, board.node(id));
    board.node(id).attributes["#kind"] = board.node(id).is_remote() ? "remote" : "cluster";
    for (auto& [name, value] : resolve(board, found.attributes, id))
      board.node(id).attributes.insert_or_assign(name, value);
    name_node(board, board.node(id));
    board.node(id).attributes["#kind"] = board.node(id).is_remote() ? "remote" : "cluster";
    read_utilization(board, found.utilization, board.node(id));
  }
}

}  // namespace bascule::policy::detail
