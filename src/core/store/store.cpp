#include "core/store/store.h"

#include "base/assert.h"
#include "core/store/detail/rules.h"

namespace bascule::store {

Applied Store::apply(std::uint64_t index, const message::Proposal& proposal) {
  skip(index);
  if (const auto found = answers_.find(proposal.id); found != answers_.end())
    return {.changed = false, .accepted = found->second.accepted, .why = found->second.why, .events = {}};
  Applied applied = detail::apply(state_, proposal);
  remember(proposal.id, applied);
  return applied;
}

void Store::skip(std::uint64_t index) {
  BASCULE_ASSERT(index > state_.applied_index);
  state_.applied_index = index;
}

void Store::remember(std::uint64_t id, const Applied& applied) {
  answers_[id] = {applied.accepted, applied.why};
  order_.push_back(id);
  if (order_.size() <= remembered_proposals) return;
  answers_.erase(order_.front());
  order_.pop_front();
}

}  // namespace bascule::store
