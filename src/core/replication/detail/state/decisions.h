#pragma once

#include "core/replication/detail/core.h"
#include "core/replication/detail/state/state_rules.h"

namespace bascule::replication::detail {

/// What the rules look at beside the states, as it is now.
RuleFacts facts_of(const Core& core);
/// May this node's state become what `change` (in its own view) says?
ChangeVerdict judge(const Core& core, const drbd::StateChange& change, bool hard = false);
/// The same as a refusal in words; the words of the rule's number.
Refusal refusal_of(const ChangeVerdict& verdict);

constexpr drbd::StateChange change_of(Role role) {
  return {drbd::kRoleField.mask, static_cast<std::uint32_t>(role) << drbd::kRoleField.shift};
}
constexpr drbd::StateChange change_of(ConnectionState connection) {
  return {drbd::kConnectionField.mask, static_cast<std::uint32_t>(connection) << drbd::kConnectionField.shift};
}
constexpr drbd::StateChange change_of(DiskState disk) {
  return {drbd::kDiskField.mask, static_cast<std::uint32_t>(disk) << drbd::kDiskField.shift};
}
constexpr drbd::StateChange change_of_peer(DiskState disk) {
  return {drbd::kPeerDiskField.mask, static_cast<std::uint32_t>(disk) << drbd::kPeerDiskField.shift};
}
constexpr drbd::StateChange operator|(const drbd::StateChange& one, const drbd::StateChange& other) {
  return {one.mask | other.mask, one.value | other.value};
}

}  // namespace bascule::replication::detail
