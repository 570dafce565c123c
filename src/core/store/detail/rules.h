#pragma once

#include "core/store/store.h"

namespace bascule::store::detail {

/// Applies one command to the state by its rules, whatever its id. Refused: the state is as before.
[[nodiscard]] Applied apply(ClusterState& state, const message::Proposal& proposal);

// operation_rules.cpp
[[nodiscard]] Applied apply_operation(ClusterState& state, const message::SetMaintenance& command);
[[nodiscard]] Applied apply_operation(ClusterState& state, const message::AgeMaintenance& command);
[[nodiscard]] Applied apply_operation(ClusterState& state, const message::RestartService& command);
[[nodiscard]] Applied apply_operation(ClusterState& state, const message::RestartDone& command);
[[nodiscard]] Applied apply_operation(ClusterState& state, const message::SetHalt& command);
// configuration_rules.cpp
[[nodiscard]] Applied set_config(ClusterState& state, const message::SetConfig& command);
[[nodiscard]] Applied issue_token(ClusterState& state, const message::IssueToken& command);
[[nodiscard]] Applied use_token(ClusterState& state, const message::UseToken& command);
[[nodiscard]] Applied update_attributes(ClusterState& state, const message::UpdateAttributes& command);
[[nodiscard]] Applied note_boot(ClusterState& state, const message::NoteBoot& command);
// fence_rules.cpp
[[nodiscard]] Applied request_fencing(ClusterState& state, const message::RequestFencing& c);
[[nodiscard]] Applied record_fencing(ClusterState& state, const message::RecordFencing& c);
[[nodiscard]] Applied record_fence_test(ClusterState& state, const message::RecordFenceTest& c);

}  // namespace bascule::store::detail
