// The scores of each step of the placement (`-s`), in crm_simulate's layout.
#include "edge/simulate/scores_text.h"

#include <algorithm>
#include <vector>

#include "edge/simulate/status_text.h"

namespace bascule::simulate {
namespace {

using namespace policy::detail;  // NOLINT: this file shows what is there

std::vector<NodeId> nodes_by_name(const Board& board) {
  std::vector<NodeId> nodes;
  for (NodeId node = 0; node < board.nodes.size(); ++node) nodes.push_back(node);
  std::stable_sort(nodes.begin(), nodes.end(), [&board](NodeId left, NodeId right) {
    return natural_order(board.node(left).name, board.node(right).name) < 0;
  });
  return nodes;
}

void append_promotions(std::string& text, const Board& board, ResourceId clone) {
  for (const ResourceId instance : board.resource(clone).children) {
    const Resource& resource = board.resource(instance);
    const std::string node = resource.node == kNone ? "none" : board.node(resource.node).name;
    append_line(text, 0,
                resource.id + " promotion score on " + node + ": " +
                    policy::text_of(resource.node == kNone ? 0 : resource.sort_key));
  }
}

}  // namespace

std::string scores_text(const Board& board) {
  std::string text;
  if (!board.ledger) return text;
  const std::vector<NodeId> nodes = nodes_by_name(board);
  for (const ScoreTable& table : board.ledger->tables()) {
    const Resource& resource = board.resource(table.resource);
    if (resource.orphan) continue;
    for (const NodeId node : nodes)
      if (table.scores[node] != kNotAllowed)
        append_line(text, 0,
                    table.step + ": " + resource.id + " allocation score on " + board.node(node).name + ": " +
                        policy::text_of(table.scores[node]));
  }
  for (ResourceId id = 0; id < board.resources.size(); ++id)
    if (board.resource(id).promotable()) append_promotions(text, board, id);
  return text;
}

}  // namespace bascule::simulate
