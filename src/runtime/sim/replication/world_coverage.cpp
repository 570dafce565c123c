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

/// The bits in memory while the node lives, else on its disk; and the hot extents on its disk if it writes, or died
/// writing.
Bitmap ReplicationWorld::marked_by(const Node& node) const {
  Bitmap marked(metadata::bits_for(scenario_.data_bytes / 512));
  const auto layout = metadata::internal_layout(node.metadata.size_bytes()).value();
  const auto superblock = metadata::decode_superblock(read(node.metadata, layout.superblock_offset, 4096));
  if (!superblock) return marked;
  bool writes = (superblock->flags & metadata::flag::kPrimaryIndicator) != 0;
  if (node.alive) {
    const Bitmap& bits = node.engine->bitmap();
    for (auto bit = bits.find_set(0); bit && *bit < marked.size(); bit = bits.find_set(*bit + 1))
      marked.set(*bit, *bit + 1);
    writes = writes || node.engine->status().role == drbd::Role::Primary;
  } else {
    (void)metadata::decode_bitmap(read(node.metadata, layout.bitmap_offset, (marked.size() + 63) / 64 * 8), marked);
    if ((superblock->flags & metadata::flag::kFullSync) != 0) marked.set_all();
  }
  if (!writes) return marked;
  const std::uint64_t ring_bytes = superblock->shape().blocks() * 4096;
  const auto ring = read(node.metadata, layout.activity_log_offset, ring_bytes);
  if (const auto replayed = metadata::replay(ring, superblock->shape()))
    (void)metadata::mark_out_of_sync(marked, replayed->extents);
  return marked;
}

void ReplicationWorld::check_coverage(const char* when) {
  if (scenario_.created_anew) return;  // two empty replicas differ everywhere, and say so by their UUIDs
  ++result_.coverage_checks;
  const Stamps& one = nodes_[0]->data.current();
  const Stamps& other = nodes_[1]->data.current();
  std::optional<std::array<Bitmap, 2>> marked;
  for (std::uint64_t sector = 0; sector < one.size(); ++sector) {
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
  result_.during_metadata += node.metadata.unflushed_bytes() == 0 ? 0 : 1;
  result_.during_resync +=
      connection == drbd::ConnectionState::SyncSource || connection == drbd::ConnectionState::SyncTarget ? 1 : 0;
}

}  // namespace bascule::sim
