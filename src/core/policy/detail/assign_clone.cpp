// A clone: what must be placed before it, then its instances, then their roles.
#include "core/policy/detail/assign.h"
#include "core/policy/detail/instances.h"
#include "core/policy/detail/promotion.h"

namespace bascule::policy::detail {

NodeId assign_clone(Board& board, ResourceId id) {
  if (board.resource(id).assigning) return kNone;
  board.resource(id).assigning = true;
  if (board.resource(id).promotable()) add_promotion_scores(board, id);
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(id).with))
    assign(board, board.colocations[index].primary);
  for (const std::uint32_t index : std::vector<std::uint32_t>(board.resource(id).others_with)) {
    const Colocation& colocation = board.colocations[index];
    if (!has_influence(board, colocation)) continue;
    Scores scores = board.resource(id).scores;
    add_colocated(board, colocation.dependent, scores, colocation.node_attribute, factor_of(colocation.score),
                  {false, true, true});
    board.resource(id).scores = std::move(scores);
    note(board, id, {Cause::Kind::attraction, colocation.id, colocation.dependent, factor_of(colocation.score)});
  }
  note_scores(board, id, "pcmk__clone_allocate");
  board.resource(id).children = in_order_of_service(board, board.resource(id).children);
  const CloneParts& parts = *board.resource(id).clone;
  distribute(board, {id, parts.max, parts.node_max}, std::vector<ResourceId>(board.resource(id).children));
  board.resource(id).assigned_yet = true;
  if (board.resource(id).promotable()) set_instance_roles(board, id);
  board.resource(id).assigning = false;
  return kNone;
}

}  // namespace bascule::policy::detail
