#include "core/consensus/raft.h"

#include "core/consensus/detail/core.h"

namespace bascule::consensus {

Raft::Raft(const Config& config, raft::Restored restored)
    : core_(std::make_unique<detail::Core>(config, std::move(restored))) {}
Raft::~Raft() = default;
Raft::Raft(Raft&&) noexcept = default;
Raft& Raft::operator=(Raft&&) noexcept = default;

void Raft::step(const Input& input, Instant now, Effects& effects) { core_->step(input, now, effects); }
Instant Raft::next_deadline() const { return core_->next_deadline(); }
Leadership Raft::leadership() const { return core_->leadership(); }
std::optional<Instant> Raft::answered_at(ServerId member) const { return core_->answered_at(member); }
Status Raft::status() const { return core_->status(); }

std::string_view name_of(Role role) {
  switch (role) {
    case Role::Follower:
      return "Follower";
    case Role::PreCandidate:
      return "PreCandidate";
    case Role::Candidate:
      return "Candidate";
    case Role::Leader:
      return "Leader";
    case Role::Stopped:
      return "Stopped";
  }
  return "?";
}

std::string_view name_of(ProposalOutcome outcome) {
  switch (outcome) {
    case ProposalOutcome::Committed:
      return "Committed";
    case ProposalOutcome::NotLeader:
      return "NotLeader";
    case ProposalOutcome::Transferring:
      return "Transferring";
    case ProposalOutcome::Busy:
      return "Busy";
    case ProposalOutcome::Invalid:
      return "Invalid";
    case ProposalOutcome::Unknown:
      return "Unknown";
  }
  return "?";
}

void Raft::prefer(std::vector<ServerId> leaders) { core_->prefer(std::move(leaders)); }

}  // namespace bascule::consensus
