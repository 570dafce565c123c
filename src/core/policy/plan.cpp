// The pipeline: which steps there are, and in which order.
#include "core/policy/plan.h"

#include "core/policy/board.h"
#include "core/policy/detail/remote_nodes.h"
#include "core/policy/detail/steps.h"

namespace bascule::policy {

Plan::Plan(std::unique_ptr<detail::Board> board) : board_(std::move(board)) {}
Plan::~Plan() = default;
Plan::Plan(Plan&&) noexcept = default;
Plan& Plan::operator=(Plan&&) noexcept = default;

namespace {

std::unique_ptr<detail::Board> read(const Snapshot& snapshot) {
  auto board = std::make_unique<detail::Board>(snapshot);
  detail::read_properties(*board);
  detail::read_nodes(*board);
  detail::read_remote_nodes(*board);
  detail::read_tags_and_tickets(*board);
  detail::read_resources(*board);
  detail::read_node_states(*board);
  detail::read_histories(*board);
  return board;
}

void assign(detail::Board& board) {
  detail::read_constraints(board);
  detail::apply_node_criteria(board);
  detail::make_internal_constraints(board);
  detail::check_changes(board);
  detail::assign_resources(board);
}

}  // namespace

Plan observe(const Snapshot& snapshot) { return Plan(read(snapshot)); }

Plan place(const Snapshot& snapshot) {
  auto board = read(snapshot);
  assign(*board);
  return Plan(std::move(board));
}

Plan plan(const Snapshot& snapshot) {
  auto board = read(snapshot);
  assign(*board);
  detail::check_changes_of_placed(*board);
  detail::make_probes(*board);
  detail::make_actions(*board);
  detail::order_remote_actions(*board);
  detail::make_fencing(*board);
  detail::order_migrations(*board);
  detail::resolve_orderings(*board);
  detail::make_notifications(*board);
  return Plan(std::move(board));
}

}  // namespace bascule::policy
