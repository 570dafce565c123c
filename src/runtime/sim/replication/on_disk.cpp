// What the two replicas may differ in is marked somewhere that survives, at every instant: in a bitmap, or in the
// activity log of the node that is, or was, primary.

#include "runtime/sim/replication/on_disk.h"

#include <algorithm>
#include <array>

#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::sim {
namespace {

namespace on_disk = drbd_metadata;
constexpr std::uint64_t sectors_per_block = 8;

Bytes read_bytes(const Disk& disk, std::uint64_t offset, std::uint64_t length) {
  Bytes bytes(length);
  (void)disk.read(offset, bytes);
  return bytes;
}

/// The bits in memory while the node uses its disk, else on the disk; and the hot extents on the disk if the node
/// writes, or died writing.
Bitmap marked_by(const Placed& placed, std::uint64_t bytes) {
  const auto& [replica, layout] = placed;
  Bitmap marked(on_disk::bits_for(bytes / 512));
  const on_disk::Superblock superblock = superblock_on(replica.metadata, layout);
  bool writes = (superblock.flags & on_disk::flag::kPrimaryIndicator) != 0;
  if (replica.alive && replica.engine->status().disk > drbd::DiskState::Failed) {
    const Bitmap& bits = replica.engine->bitmap();
    for (auto bit = bits.find_set(0); bit && *bit < marked.size(); bit = bits.find_set(*bit + 1))
      marked.set(*bit, *bit + 1);
    writes = writes || replica.engine->status().role == drbd::Role::Primary;
  } else {
    (void)on_disk::decode_bitmap(read_bytes(replica.metadata, layout.bitmap_offset, layout.bitmap_bytes), marked);
  }
  if ((superblock.flags & on_disk::flag::kFullSync) != 0) marked.set_all();  // also of a node that lives: in a move
  if (!writes) return marked;
  const std::uint64_t ring_bytes = superblock.shape().blocks() * 4096;
  const auto ring = read_bytes(replica.metadata, layout.activity_log_offset, ring_bytes);
  if (const auto replayed = on_disk::replay(ring, superblock.shape()))
    (void)on_disk::mark_out_of_sync(marked, replayed->extents);
  return marked;
}

}  // namespace

void format(Disk& metadata, const on_disk::Layout& layout, const on_disk::Superblock& superblock) {
  (void)metadata.write(layout.activity_log_offset, on_disk::initial_ring({}));
  (void)metadata.write(layout.superblock_offset, on_disk::encode_superblock(superblock));
  (void)metadata.flush();
}

on_disk::Superblock superblock_on(const Disk& metadata, const on_disk::Layout& layout) {
  return on_disk::decode_superblock(read_bytes(metadata, layout.superblock_offset, 4096)).value();
}

replication::Restored restored_from(const Disk& metadata, const on_disk::Layout& layout) {
  replication::Restored restored;
  restored.superblock = superblock_on(metadata, layout);
  restored.bitmap = read_bytes(metadata, layout.bitmap_offset, layout.bitmap_bytes);
  restored.activity_log = read_bytes(metadata, layout.activity_log_offset, restored.superblock.shape().blocks() * 4096);
  return restored;
}

std::uint64_t backing_bytes_with_metadata(std::uint64_t data_bytes) {
  std::uint64_t backing = data_bytes + 64 * 1024;
  while (on_disk::internal_layout(backing)->usable_sectors * 512 < data_bytes) backing += 4096;
  return backing;
}

std::optional<std::string> unmarked_difference(const Placed& one, const Placed& other, std::uint64_t bytes) {
  std::uint64_t common = bytes / 512;
  for (const Placed* placed : {&one, &other}) {
    const on_disk::Superblock superblock = superblock_on(placed->replica.metadata, placed->layout);
    if ((superblock.current_uuid | 1) == (on_disk::kUuidJustCreated | 1)) return std::nullopt;
    // What only one of them has yet is marked, or made, when the other grows.
    common = std::min(common, superblock.effective_sectors);
  }
  const auto& ours = one.replica.data.current();
  const auto& theirs = other.replica.data.current();
  std::optional<std::array<Bitmap, 2>> marked;
  for (std::uint64_t sector = 0; sector < common; ++sector) {
    if (ours[sector] == theirs[sector]) continue;
    if (!marked) marked = {marked_by(one, bytes), marked_by(other, bytes)};
    const std::size_t block = sector / sectors_per_block;
    if ((*marked)[0].test(block) || (*marked)[1].test(block)) continue;
    return "sector " + std::to_string(sector) + " has write " + std::to_string(ours[sector]) + " and " +
           std::to_string(theirs[sector]) + ", and neither bitmap nor activity log says so";
  }
  return std::nullopt;
}

}  // namespace bascule::sim
