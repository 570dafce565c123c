// Disks that grow while the volume is in use: where their metadata are, and what the owner asks for.

#include <algorithm>

#include "runtime/sim/replication/on_disk.h"
#include "runtime/sim/replication/world.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

/// A device for external metadata, with room for the largest bitmap of the run.
std::uint64_t ReplicationWorld::metadata_bytes() const {
  return 9 * drbd_metadata::kBlockBytes + drbd_metadata::bitmap_bytes_for(most_bytes() / 512);
}

drbd_metadata::Layout ReplicationWorld::layout_of(const Node& node) const {
  if (!external(node)) return drbd_metadata::internal_layout(place_of(node)).value();
  return drbd_metadata::layout(drbd_metadata::Placement::flexible(), node.backing_bytes, metadata_bytes()).value();
}

/// The backing store for `data_bytes` of data: internal metadata lie behind it.
std::uint64_t ReplicationWorld::backing_bytes_for(std::size_t node, std::uint64_t data_bytes) const {
  if (scenario_.external_metadata[node]) return data_bytes;
  return backing_bytes_with_metadata(data_bytes);
}

/// The size at the end of which the metadata are. They are whole where they were as long as they are there.
std::uint64_t ReplicationWorld::place_of(const Node& node) const {
  if (external(node)) return node.backing_bytes;
  if (node.known_sizes.size() == 1) return node.known_sizes.front();
  for (const std::uint64_t bytes : node.known_sizes) {
    Bytes block(drbd_metadata::kBlockBytes);
    (void)node.metadata.read(drbd_metadata::internal_layout(bytes)->superblock_offset, block);
    const auto superblock = drbd_metadata::decode_superblock(block);
    if (superblock && drbd_metadata::check_internal(*superblock, bytes)) return bytes;
  }
  return node.backing_bytes;
}

/// As a driver does it: what the metadata may move to is noted first.
void ReplicationWorld::tell_size(Node& node) {
  if (scenario_.grown_bytes == 0) return;
  if (!external(node) && node.known_sizes.back() != node.backing_bytes) node.known_sizes.push_back(node.backing_bytes);
  node.step(input::BackingSize{node.backing_bytes, metadata_bytes()});
}

void ReplicationWorld::metadata_moved(Replica& replica, const effect::MetadataMoved& effect) {
  Node& node = node_of(replica);
  if (effect.backing_bytes != node.known_sizes.back()) return;
  node.known_sizes = {effect.backing_bytes};
  if (place_of(node) != node.backing_bytes) checker_.violation("the metadata moved to where the disk does not end");
}

void ReplicationWorld::grow_disk(Node& node) {
  if (scenario_.grown_bytes != 0) node.backing_bytes = backing_bytes_for(node.index, scenario_.grown_bytes);
}

/// What the owner's person at the console does once this node's disk has grown.
void ReplicationWorld::tend_size(Node& node) {
  const bool ready = node.backing_bytes == backing_bytes_for(node.index, scenario_.grown_bytes);
  if (grown(node) || !ready || !prng().chance(1, 6)) return;
  if (node.engine->status().role != drbd::Role::Primary) return;
  tell_size(node);
  node.step(
      input::Resize{next_command_++, node.backing_bytes, scenario_.grown_bytes / 512, false, false, metadata_bytes()});
  if (finishing_ || !prng().chance(1, 2)) return;
  // A resize is over soon: else few power losses would meet one.
  Node& victim = *nodes_[prng().below(nodes)];
  scheduler_.after(between(Duration{0}, milliseconds(5)), [this, &victim] {
    stop(victim, true);
    scheduler_.after(between(milliseconds(20), milliseconds(500)), [this, &victim] {
      if (!victim.alive) start(victim);
    });
  });
}

bool ReplicationWorld::grown(const Node& node) const {
  return scenario_.grown_bytes == 0 || node.engine->status().size_bytes == scenario_.grown_bytes;
}

/// A device that is promoted reaches as far as its acknowledged writes.
void ReplicationWorld::check_size(const Node& node) {
  const std::uint64_t size = node.engine->status().size_bytes / 512;
  const std::uint64_t most = most_bytes() / 512;
  if (size >= most) return;
  const Stamps behind = checker_.floor(node.index, size, most - size);
  if (std::any_of(behind.begin(), behind.end(), [](std::uint64_t stamp) { return stamp != 0; }))
    checker_.violation("an acknowledged write lies behind the end of the promoted device of node " +
                       std::to_string(node.index));
}

/// The metadata are on their way, or the two nodes, or memory and disk, have not the same size.
bool ReplicationWorld::resizing(const Node& node) const {
  if (scenario_.grown_bytes == 0) return false;
  const std::uint64_t here = superblock_of(node).effective_sectors;
  return node.known_sizes.size() > 1 || here != superblock_of(*nodes_[1 - node.index]).effective_sectors ||
         here * 512 != node.engine->status().size_bytes;
}

}  // namespace bascule::sim
