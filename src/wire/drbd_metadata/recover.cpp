#include "wire/drbd_metadata/recover.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "wire/drbd_metadata/activity_log.h"

namespace bascule::drbd_metadata {
namespace {

constexpr std::uint64_t kWordsPerExtent = kBitsPerExtent / 64;

/// Sets the bits of one extent in every slot; returns how many were clear. Words behind the end of the area are not
/// there.
std::uint64_t set_extent(std::span<Byte> area, std::uint32_t slots, std::uint64_t extent) {
  std::uint64_t newly_set = 0;
  const std::uint64_t first = extent * kWordsPerExtent * 8 * slots;  // the extent's words of all slots are neighbours
  const std::uint64_t last = std::min<std::uint64_t>(first + kWordsPerExtent * 8 * slots, area.size());
  for (std::uint64_t at = first; at < last; ++at) {
    newly_set += 8U - static_cast<std::uint64_t>(std::popcount(area[at]));
    area[at] = 0xff;
  }
  return newly_set;
}

Steps changed_blocks(ByteView before, ByteView after, std::uint64_t offset) {
  Steps steps;
  for (std::uint64_t at = 0; at < after.size(); at += kBlockBytes) {
    const std::uint64_t length = std::min<std::uint64_t>(kBlockBytes, after.size() - at);
    const ByteView block = after.subspan(at, length);
    if (!std::ranges::equal(block, before.subspan(at, length)))
      steps.push_back(write_step(offset + at, {block.begin(), block.end()}));
  }
  return steps;
}

/// Bits of the hot extents, and the changed blocks of the bitmap.
void mark(AppliedLog& applied, const ReplayedLog& log, const Layout& layout, ByteView area) {
  const Metadata& metadata = applied.metadata;
  Bytes after(area.begin(), area.end());
  const std::uint64_t wanted = bitmap_bytes_for(metadata.effective_sectors, metadata.slots);
  const auto usable = std::span(after).first(std::min<std::uint64_t>(wanted, after.size()));
  for (const std::uint32_t extent : log.extents) applied.newly_set_bits += set_extent(usable, metadata.slots, extent);
  applied.hot_extents = log.extents.size();
  applied.dropped_blocks = log.dropped_blocks;
  applied.steps = changed_blocks(area, after, layout.bitmap_offset);
  if (!applied.steps.empty()) applied.steps.push_back(flush_step());
}

/// The ring as create-md leaves it, unless it is that already.
Steps fresh_ring(ByteView ring, ActivityLogShape shape, const Layout& layout) {
  Bytes fresh = initial_ring(shape);
  if (std::ranges::equal(fresh, ring)) return {};
  return {write_step(layout.activity_log_offset, std::move(fresh)), flush_step()};
}

}  // namespace

Result<AppliedLog> apply_activity_log(const Metadata& metadata, const Layout& layout, ByteView ring, ByteView area) {
  AppliedLog applied{.metadata = metadata, .steps = {}};
  const ActivityLogShape shape = metadata.shape().activity_log;
  applied.needed = !metadata.clean();
  if (applied.needed) applied.metadata.activity_log = shape;
  applied.metadata.unclean = false;
  applied.metadata.flags |= flag::kActivityLogClean;
  if ((metadata.flags & flag::kPrimaryIndicator) != 0) {
    const auto log = replay(ring, shape);
    if (!log && applied.needed) return tl::unexpected(log.error());
    if (log) mark(applied, *log, layout, area);
    // drbdmeta writes the superblock whenever it has looked at the log, and names the ring's shape in it.
    if (log) applied.metadata.activity_log = shape;
  }
  if (applied.metadata != metadata) {
    applied.steps.push_back(write_step(layout.superblock_offset, encode_metadata(applied.metadata)));
    applied.steps.push_back(flush_step());
  }
  const Steps fresh = fresh_ring(ring, shape, layout);
  applied.steps.insert(applied.steps.end(), fresh.begin(), fresh.end());
  return applied;
}

}  // namespace bascule::drbd_metadata
