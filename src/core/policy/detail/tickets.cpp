// Tickets: what may run only where a ticket was granted, and what losing it means.
#include "core/policy/detail/tickets.h"

#include <algorithm>

#include "core/policy/detail/constraints.h"
#include "core/policy/detail/steps.h"
#include "core/policy/running.h"

namespace bascule::policy::detail {
namespace {

using Loss = TicketUse::Loss;

Loss loss_of(const Board& board, const std::string& word, Role role) {
  if (word == "fence") return board.properties.fencing ? Loss::fence : Loss::stop;
  if (word == "freeze") return Loss::freeze;
  if (word == "demote") return Loss::demote;
  if (word.empty() && role == Role::Promoted) return Loss::demote;
  return Loss::stop;
}

/// Fencing and freezing are for what has the role that needs the ticket.
bool has_role(const Resource& resource, const TicketUse& use) {
  return use.role == Role::Unknown || use.role == resource.role;
}

/// What runs though its ticket is gone.
void lose(Board& board, ResourceId id, const TicketUse& use) {
  switch (use.loss) {
    case Loss::stop:
      return ban_everywhere(board, id, {Cause::Kind::ticket, use.ticket});
    case Loss::demote:
      // The promoted role goes when roles are given out.
      if (use.role != Role::Promoted) ban_everywhere(board, id, {Cause::Kind::ticket, use.ticket});
      return;
    case Loss::fence: {
      if (!has_role(board.resource(id), use)) return;
      ban_everywhere(board, id, {Cause::Kind::ticket, use.ticket});
      const std::vector<NodeId> places = board.resource(id).running_on;
      for (const NodeId place : places) fence_node(board, place, "deadman ticket was lost");
      return;
    }
    case Loss::freeze:
      if (!has_role(board.resource(id), use)) return;
      board.resource(id).managed = false;
      board.resource(id).blocked = true;
      return;
  }
}

void restrain(Board& board, ResourceId id, const TicketUse& use, const Ticket& ticket) {
  const std::vector<ResourceId> children = board.resource(id).children;
  for (const ResourceId child : children) restrain(board, child, use, ticket);
  if (!children.empty()) return;
  if (!ticket.granted && !board.resource(id).running_on.empty()) return lose(board, id, use);
  // Without the ticket nothing starts, and with one in standby nothing stays; the unpromoted role needs none.
  if (use.role != Role::Promoted || use.loss == Loss::stop)
    ban_everywhere(board, id, {Cause::Kind::ticket, use.ticket});
}

void use_ticket(Board& board, const cib::TicketConstraint& written, ResourceId id, const std::string& role_word) {
  const Role written_role = role_of(role_word);
  const Role role = written_role == Role::Started ? Role::Unknown : written_role;
  const TicketUse use{written.id, id, written.ticket, role, loss_of(board, written.loss_policy, role)};
  board.resource(id).tickets.push_back(static_cast<std::uint32_t>(board.ticket_uses.size()));
  board.ticket_uses.push_back(use);
  const Ticket ticket = board.tickets[written.ticket];
  if (!ticket.granted || ticket.standby) restrain(board, id, use, ticket);
}

}  // namespace

void read_ticket(Board& board, const cib::TicketConstraint& written) {
  const std::vector<SetMembers> members = members_of_sets(board, written.sets, written.id);
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (const ResourceId id : members[i].ids) use_ticket(board, written, id, written.sets[i].role);
    if (!members[i].complete) return;
  }
  if (written.resource.empty()) return;
  for (const ResourceId id : resources_named(board, written.resource, written.id))
    use_ticket(board, written, id, written.resource_role);
}

bool ticket_forbids_promotion(const Board& board, ResourceId clone) {
  const std::vector<std::uint32_t>& uses = board.resource(clone).tickets;
  return std::any_of(uses.begin(), uses.end(), [&](std::uint32_t index) {
    const TicketUse& use = board.ticket_uses[index];
    const Ticket& ticket = board.tickets.find(use.ticket)->second;
    return use.role == Role::Promoted && (!ticket.granted || ticket.standby);
  });
}

}  // namespace bascule::policy::detail
