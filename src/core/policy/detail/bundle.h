#pragma once

#include "core/policy/board.h"

/// A bundle is made of replicas. Each has a container, maybe an address, and, if something is to run inside, a
/// connection to the guest node that the container is; what runs inside is a clone whose instances live on these nodes.
namespace bascule::policy::detail {

/// Makes the replicas of a bundle that has just been taken in.
void make_replicas(Board& board, ResourceId bundle);
/// It, or what it is part of, belongs to a bundle.
[[nodiscard]] bool bundled(const Board& board, ResourceId resource);
/// A container, address or connection that nobody wrote down.
[[nodiscard]] bool made_for_bundle(const Board& board, ResourceId resource);
/// The instance of the bundle's clone that lives on the node.
[[nodiscard]] ResourceId replica_on(const Board& board, ResourceId clone, NodeId node);
NodeId assign_bundle(Board& board, ResourceId bundle);
void constrain_bundle(Board& board, ResourceId bundle);
void schedule_bundle(Board& board, ResourceId bundle);
bool probe_bundle(Board& board, ResourceId bundle, NodeId node);

}  // namespace bascule::policy::detail
