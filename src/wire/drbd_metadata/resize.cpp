#include "wire/drbd_metadata/resize.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/drbd_metadata/activity_log.h"

namespace bascule::drbd_metadata {
namespace {

constexpr std::uint64_t kSector = kSectorBytes;

Metadata marked(Metadata metadata) {
  metadata.flags |= flag::kActivityLogDisabled;
  const std::size_t peers = metadata.format == Format::V08 ? 1 : kPeerRecords;
  for (std::size_t id = 0; id < peers; ++id) metadata.peers[id].flags |= peer_flag::kFullSync;
  return metadata;
}

Metadata moved(Metadata metadata, const Resize& resize) {
  place(metadata, resize.to);
  metadata.activity_log = resize.activity_log;
  metadata.activity_log_extents = std::min(metadata.activity_log_extents, max_slots(resize.activity_log));
  return metadata;
}

void write_flushed(Steps& steps, std::uint64_t offset, Bytes bytes) {
  steps.push_back(write_step(offset, std::move(bytes)));
  steps.push_back(flush_step());
}

void write_superblock(Steps& steps, const Layout& layout, const Metadata& metadata) {
  write_flushed(steps, layout.superblock_offset, encode_metadata(metadata));
}

/// A superblock where none was: the sector with the magic comes last, so that a torn one is none.
void write_new_superblock(Steps& steps, const Layout& layout, const Metadata& metadata) {
  const Bytes block = encode_metadata(metadata);
  const auto split = block.begin() + static_cast<std::ptrdiff_t>(kSector);
  write_flushed(steps, layout.superblock_offset + kSector, {split, block.end()});
  write_flushed(steps, layout.superblock_offset, {block.begin(), split});
}

void write_zeros(Steps& steps, std::uint64_t offset) {
  steps.push_back(zero_step(offset, kBlockBytes));
  steps.push_back(flush_step());
}

/// Ring and bitmap at the new place. The bitmap's room behind the agreed size is cleared.
void write_parts(Steps& steps, const Resize& resize, ByteView area) {
  const std::uint64_t wanted = bitmap_bytes_for(resize.metadata.effective_sectors, resize.metadata.slots);
  Bytes bitmap(area.begin(), area.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(area.size(), wanted)));
  bitmap.resize(wanted, 0);
  const bool behind_data = resize.to.activity_log_offset_sectors < 0;
  if (behind_data && resize.to.bitmap_bytes > wanted)
    steps.push_back(zero_step(resize.to.bitmap_offset + wanted, resize.to.bitmap_bytes - wanted));
  if (!bitmap.empty()) steps.push_back(write_step(resize.to.bitmap_offset, std::move(bitmap)));
  steps.push_back(
      write_step(resize.to.activity_log_offset, resize.ring.empty() ? initial_ring(resize.activity_log) : resize.ring));
  steps.push_back(flush_step());
}

std::uint64_t first_byte(const Layout& layout) { return std::min(layout.bitmap_offset, layout.superblock_offset); }

/// The old metadata stay whole until the new are: no mark is needed.
bool grows_clear_of_the_old(const Resize& resize) {
  return resize.to.superblock_offset > resize.from.superblock_offset &&
         first_byte(resize.to) >= resize.from.superblock_offset + kBlockBytes;
}

Steps copy_plan(const Resize& resize, const Metadata& last, ByteView area) {
  Steps steps;
  write_zeros(steps, resize.to.superblock_offset);  // what an earlier, larger time left there
  write_parts(steps, resize, area);
  write_new_superblock(steps, resize.to, last);
  write_zeros(steps, resize.from.superblock_offset);
  return steps;
}

/// Old and new parts overlap, or the device will shrink: both superblocks say "everything" while there are two of them.
Steps marked_plan(const Resize& resize, const Metadata& last, ByteView area) {
  Steps steps;
  write_superblock(steps, resize.from, marked(resize.metadata));
  write_zeros(steps, resize.to.superblock_offset);
  write_new_superblock(steps, resize.to, marked(last));
  write_zeros(steps, resize.from.superblock_offset);
  write_parts(steps, resize, area);
  write_superblock(steps, resize.to, last);
  return steps;
}

/// The superblock stays where it is. New offsets are written with the mark first: the sectors of a v09 superblock may
/// be written in any order.
Steps in_place_plan(const Resize& resize, const Metadata& last, ByteView area) {
  Steps steps;
  write_superblock(steps, resize.from, marked(resize.metadata));
  write_parts(steps, resize, area);
  write_superblock(steps, resize.to, marked(last));
  write_superblock(steps, resize.to, last);
  return steps;
}

tl::unexpected<Error> cannot_move(std::string where, std::string why, std::string hint) {
  return fail("the metadata cannot be moved", std::move(where), std::move(why), std::move(hint));
}

}  // namespace

Result<ResizePlan> plan_resize(const Resize& resize, ByteView area) {
  const Metadata& metadata = resize.metadata;
  if (!metadata.clean() && resize.ring.empty())
    return cannot_move("activity log", "it is not applied", "apply-al first");
  if (metadata.effective_sectors > resize.to.usable_sectors)
    return cannot_move("la_size_sect",
                       fmt::format("{} sectors of agreed data, only {} would be left", metadata.effective_sectors,
                                   resize.to.usable_sectors),
                       "shrink the volume first, on both nodes");
  ResizePlan plan{.metadata = moved(metadata, resize), .steps = {}};
  if (resize.from == resize.to && plan.metadata == metadata) return plan;
  if (resize.from.superblock_offset == resize.to.superblock_offset)
    plan.steps = in_place_plan(resize, plan.metadata, area);
  else if (grows_clear_of_the_old(resize))
    plan.steps = copy_plan(resize, plan.metadata, area);
  else
    plan.steps = marked_plan(resize, plan.metadata, area);
  return plan;
}

bool everything_out_of_sync(const Metadata& metadata) {
  const std::size_t peers = metadata.format == Format::V08 ? 1 : kPeerRecords;
  return std::ranges::all_of(std::span(metadata.peers).first(peers),
                             [](const PeerRecord& peer) { return (peer.flags & peer_flag::kFullSync) != 0; });
}

}  // namespace bascule::drbd_metadata
