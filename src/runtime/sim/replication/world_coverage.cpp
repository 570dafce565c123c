// What the two replicas may differ in is marked somewhere that survives, at every instant: in a bitmap, or in the
// activity log of the node that is, or was, primary.

#include <algorithm>

#include "runtime/sim/replication/on_disk.h"
#include "runtime/sim/replication/world.h"

namespace bascule::sim {
namespace {

namespace metadata = drbd_metadata;

}  // namespace

drbd_metadata::Superblock ReplicationWorld::superblock_of(const Node& node) const {
  return superblock_on(node.metadata, layout_of(node));
}

replication::Restored ReplicationWorld::restored(const Node& node) const {
  return restored_from(node.metadata, layout_of(node));
}

/// With a majority the members of the set count. Without one it is what the two disks say: a node that has begun a
/// generation of its own owes its peer nothing, nor one whose peer's data are known to be incomplete or whose peer's
/// disk has failed.
bool ReplicationWorld::peer_counts(const Node& node) const {
  const Node& other = *nodes_[1 - node.index];
  if (!has_operator()) return majority_.view().members[other.index];
  const bool broken = other.alive && other.engine->status().disk <= drbd::DiskState::Failed;
  const metadata::Superblock theirs = superblock_of(other);
  return !broken && superblock_of(node).bitmap_uuid == 0 && (theirs.flags & metadata::flag::kConsistent) != 0;
}

void ReplicationWorld::check_coverage(const char* when) {
  for (const auto& node : nodes_)  // a new replica differs everywhere, and says so by its UUID
    if ((superblock_of(*node).current_uuid | 1) == (metadata::kUuidJustCreated | 1)) return;
  ++result_.coverage_checks;
  const auto difference =
      unmarked_difference({*nodes_[0], layout_of(*nodes_[0])}, {*nodes_[1], layout_of(*nodes_[1])}, most_bytes());
  if (difference) checker_.violation(std::string(when) + ": " + *difference);
}

void ReplicationWorld::count_crash(const Node& node) {
  const auto connection = node.engine->status().connection;
  result_.during_writes += node.in_flight.empty() ? 0 : 1;
  result_.during_discards += node.application->zeroes() ? 1 : 0;
  result_.under_operator += has_operator() ? 1 : 0;
  result_.under_a += scenario_.options.net.protocol == drbd_config::Protocol::A ? 1 : 0;
  result_.under_b += scenario_.options.net.protocol == drbd_config::Protocol::B ? 1 : 0;
  result_.during_resize += resizing(node) ? 1 : 0;
  result_.during_metadata += node.metadata.unflushed_bytes() == 0 ? 0 : 1;
  result_.during_resync +=
      connection == drbd::ConnectionState::SyncSource || connection == drbd::ConnectionState::SyncTarget ? 1 : 0;
}

}  // namespace bascule::sim
