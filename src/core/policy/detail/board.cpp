// Looking things up on the board that all steps write on.
#include "core/policy/board.h"

#include <utility>

namespace bascule::policy::detail {

int natural_order(std::string_view left, std::string_view right) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < left.size() && j < right.size()) {
    if (digit(left[i]) && digit(right[j])) {
      while (i < left.size() && left[i] == '0') ++i;
      while (j < right.size() && right[j] == '0') ++j;
      const std::size_t from_i = i;
      const std::size_t from_j = j;
      while (i < left.size() && digit(left[i])) ++i;
      while (j < right.size() && digit(right[j])) ++j;
      if (i - from_i != j - from_j) return i - from_i < j - from_j ? -1 : 1;
      const int order = left.substr(from_i, i - from_i).compare(right.substr(from_j, j - from_j));
      if (order != 0) return order;
      continue;
    }
    if (lower(left[i]) != lower(right[j])) return lower(left[i]) < lower(right[j]) ? -1 : 1;
    ++i;
    ++j;
  }
  return i < left.size() ? 1 : j < right.size() ? -1 : 0;
}

NodeId Board::find_node(std::string_view name_or_id) const {
  const auto found = node_by_name.find(std::string(name_or_id));
  if (found != node_by_name.end()) return found->second;
  for (NodeId id = 0; id < nodes.size(); ++id)
    if (nodes[id].id == name_or_id) return id;
  return kNone;
}

ResourceId Board::find_resource(std::string_view id) const {
  const auto found = resource_by_id.find(std::string(id));
  return found == resource_by_id.end() ? kNone : found->second;
}

ResourceId Board::top_of(ResourceId id) const {
  while (resources[id].parent != kNone && resources[resources[id].parent].variant != Variant::bundle)
    id = resources[id].parent;
  return id;
}

bool Board::usable(NodeId id) const {
  const Node& node = nodes[id];
  return node.online && !node.shutdown && !node.unclean && !node.standby && !node.maintenance && !node.pending;
}

void Board::add_score(ResourceId resource, NodeId node, Score score, const Cause& cause) {
  if (ledger) ledger->note(*this, resource, Cause::Kind::start);
  Score& current = resources[resource].scores[node];
  current = current == kNotAllowed ? score : add(current, score);
  if (ledger) ledger->add(*this, resource, node, score, cause);
}

}  // namespace bascule::policy::detail
