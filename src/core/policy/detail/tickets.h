#pragma once

#include "core/policy/board.h"

/// Tickets: what may only be at this site while the site has been granted it (facts, section 18).
namespace bascule::policy::detail {

/// Takes a constraint in, and keeps its resources from where they may not be without the ticket.
void read_ticket(Board& board, const cib::TicketConstraint& written);
/// A ticket for the promoted role that is missing or in standby.
[[nodiscard]] bool ticket_forbids_promotion(const Board& board, ResourceId clone);

}  // namespace bascule::policy::detail
