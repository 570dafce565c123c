// What the two replicas may differ in is marked somewhere that survives, at every instant: in a bitmap, or in the
// activity log of the node that is, or was, primary.

#include <algorithm>

#include "runtime/sim/replication/world.h"
#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::sim {
namespace {

namespace metadata = drbd_metadata;
constexpr std::uint64_t sectors_per_block = 8;

Bytes read(const Disk& disk, std::uint64_t offset, std::uint64_t length) {
  Bytes bytes(length);
  (void)disk.read(offset, bytes);
  return bytes;
}

}  // namespace

drbd_metadata::Superblock ReplicationWorld::superblock_of(const Node& node) const {
  const auto layout = layout_of(node);
  return metadata::decode_superblock(read(node.metadata, layout.superblock_offset, 4096)).value();
}

replication::Restored ReplicationWorld::restored(const Node& node) const {
  const auto layout = layout_of(node);
  replication::Restored restored;
  restored.superblock = superblock_of(node);
  restored.bitmap = read(node.metadata, layout.bitmap_offset, layout.bitmap_bytes);
  restored.activity_log = read(node.metadata, layout.activity_log_offset, restored.superblock.shape().blocks() * 4096);
  return restored;
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

/// The bits in memory while the node uses its disk, else on the disk; and the hot extents on the disk if the node
/// writes, or died writing.
Bitmap ReplicationWorld::marked_by(const Node& node) const {
  Bitmap marked(metadata::bits_for(most_bytes() / 512));
  const metadata::Superblock superblock = superblock_of(node);
  const metadata::Layout layout = layout_of(node);
  bool writes = (superblock.flags & metadata::flag::kPrimaryIndicator) != 0;
  if (node.alive && node.engine->status().disk > drbd::DiskState::Failed) {
    const Bitmap& bits = node.engine->bitmap();
    for (auto bit = bits.find_set(0); bit && *bit < marked.size(); bit = bits.find_set(*bit + 1))
      marked.set(*bit, *bit + 1);
    writes = writes || node.engine->status().role == drbd::Role::Primary;
  } else {
    (void)metadata::decode_bitmap(read(node.metadata, layout.bitmap_offset, layout.bitmap_bytes), marked);
  }
  if ((superblock.flags & metadata::flag::kFullSync) != 0) marked.set_all();  // also of a node that lives: in a move
  if (!writes) return marked;
  const std::uint64_t ring_bytes = superblock.shape().blocks() * 4096;
  const auto ring = read(node.metadata, layout.activity_log_offset, ring_bytes);
  if (const auto replayed = metadata::replay(ring, superblock.shape()))
    (void)metadata::mark_out_of_sync(marked, replayed->extents);
  return marked;
}

void ReplicationWorld::check_coverage(const char* when) {
  for (const auto& node : nodes_)  // a new replica differs everywhere, and says so by its UUID
    if ((superblock_of(*node).current_uuid | 1) == (metadata::kUuidJustCreated | 1)) return;
  ++result_.coverage_checks;
  const Stamps& one = nodes_[0]->data.current();
  const Stamps& other = nodes_[1]->data.current();
  // What only one of them has yet is marked, or made, when the other grows.
  const std::uint64_t common =
      std::min(superblock_of(*nodes_[0]).effective_sectors, superblock_of(*nodes_[1]).effective_sectors);
  std::optional<std::array<Bitmap, 2>> marked;
  for (std::uint64_t sector = 0; sector < std::min<std::uint64_t>(one.size(), common); ++sector) {
    if (one[sector] == other[sector]) continue;
    if (!marked) marked = {marked_by(*nodes_[0]), marked_by(*nodes_[1])};
    const std::size_t block = sector / sectors_per_block;
    if ((*marked)[0].test(block) || (*marked)[1].test(block)) continue;
    return checker_.violation(std::string(when) + ": sector " + std::to_string(sector) + " has write " +
                              std::to_string(one[sector]) + " and " + std::to_string(other[sector]) +
                              ", and neither bitmap nor activity log says so");
  }
}

void ReplicationWorld::count_crash(const Node& node) {
  const auto connection = node.engine->status().connection;
  result_.during_writes += node.in_flight.empty() ? 0 : 1;
  result_.during_discards += node.open_zeroings.empty() ? 0 : 1;
  result_.under_operator += has_operator() ? 1 : 0;
  result_.under_a += scenario_.options.net.protocol == drbd_config::Protocol::A ? 1 : 0;
  result_.under_b += scenario_.options.net.protocol == drbd_config::Protocol::B ? 1 : 0;
  result_.during_resize += resizing(node) ? 1 : 0;
  result_.during_metadata += node.metadata.unflushed_bytes() == 0 ? 0 : 1;
  result_.during_resync +=
      connection == drbd::ConnectionState::SyncSource || connection == drbd::ConnectionState::SyncTarget ? 1 : 0;
}

}  // namespace bascule::sim
