// Metadata on a device of their own. The data device is only looked at: what it holds is the volume's content.

#include <fmt/format.h>

#include <algorithm>

#include "runtime/block_host/detail/creation.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::block_host::detail {
namespace {

using drbd_metadata::kIndexedBytes;
using drbd_metadata::Layout;
using drbd_metadata::Placement;

constexpr drbd_metadata::ActivityLogShape kRing{};

constexpr std::uint64_t kTooSmall = 64 << 10;  ///< for drbdmeta
constexpr std::uint64_t kMib = 1 << 20;

/// All of the piece, or as much as the bitmap of the data needs, in whole MiB.
std::uint64_t wanted_bytes(const MetadataPlace& place, std::uint64_t data_bytes) {
  if (place.indexed()) return (place.placement.index + 1) * kIndexedBytes;
  const std::uint64_t before = drbd_metadata::kBlockBytes * (1 + kRing.blocks());
  return (before + drbd_metadata::bitmap_bytes_for(data_bytes / 512) + kMib - 1) / kMib * kMib;
}

Result<void> make_what_is_missing(MadeFiles& made, const config::Volume& volume, const std::string& disk,
                                  const MetadataPlace& place) {
  if (is_missing(disk))
    if (const auto fine = made.make(disk, volume.size_bytes); !fine) return fine;
  if (!is_missing(place.path)) return {};
  const auto data = Backing::open(disk);
  if (!data) return tl::unexpected(data.error());
  return made.make(place.path, wanted_bytes(place, std::max(data->bytes(), volume.size_bytes)));
}

Result<Layout> layout_of(const Replica& replica, const config::Volume& volume) {
  const Backing& data = replica.data();
  const Backing& metadata = replica.metadata();
  if (metadata.bytes() <= kTooSmall)
    return refuse_creation(metadata.path(),
                           fmt::format("it is too small for the metadata: it has {} bytes", metadata.bytes()),
                           fmt::format("it must have more than {}", kTooSmall));
  const auto layout = drbd_metadata::layout(replica.place().placement, data.bytes(), metadata.bytes(), {kRing});
  if (!layout) return refuse_creation(metadata.path(), layout.error().text());
  const std::uint64_t room = data.bytes() / 512 * 512;
  if (room < volume.size_bytes || room == 0)
    return refuse_creation(data.path(), fmt::format("it is too small: it has {} of {} bytes", room, volume.size_bytes));
  const std::uint64_t covered = layout->usable_sectors * 512;
  const std::uint64_t needed = volume.size_bytes == 0 ? room : volume.size_bytes;
  if (covered >= needed) return *layout;
  return refuse_creation(
      metadata.path(),
      fmt::format("it is too small for the metadata: it covers {} of {} bytes of data", covered, needed),
      fmt::format("it must have {} bytes", wanted_bytes(replica.place(), needed)));
}

// Pieces of other volumes that reach into ours, and what begins where ours is to be.
bool holds_metadata(const Backing& backing, const Layout& ours) {
  const std::uint64_t end = ours.bitmap_offset + ours.bitmap_bytes;
  for (std::uint64_t start = 0; start < end && start + drbd_metadata::kBlockBytes <= backing.bytes();
       start += kIndexedBytes) {
    const auto block = backing.read(start, drbd_metadata::kBlockBytes);
    const auto found = block ? drbd_metadata::decode_metadata(*block) : tl::unexpected(block.error());
    if (found && start + std::uint64_t{found->metadata_sectors} * 512 > ours.superblock_offset) return true;
  }
  return read_superblock(backing, backing.bytes()).has_value();
}

/// What would be lost on the device of the metadata; empty: nothing that anybody would miss.
Result<std::string> in_the_way(const Backing& backing, const Layout& ours) {
  if (holds_metadata(backing, ours)) return std::string("metadata of a volume");
  const auto foreign = foreign_signature(backing);
  if (!foreign || (!foreign->empty() && !foreign->starts_with("DRBD"))) return foreign;
  const auto there =
      backing.read(ours.superblock_offset, ours.bitmap_offset - ours.superblock_offset + drbd_metadata::kBlockBytes);
  if (!there) return tl::unexpected(there.error());
  const bool zero = std::all_of(there->begin(), there->end(), [](Byte byte) { return byte == 0; });
  return std::string(zero ? "" : "something that is not known");
}

/// The data stay, but a replica that comes to a cluster may be overwritten by the first resync.
Result<std::string> in_the_data(const Backing& backing) {
  if (read_superblock(backing, backing.bytes())) return std::string("a volume with v08 metadata");
  return foreign_signature(backing);
}

}  // namespace

Result<CreateReport> create_external(const config::Volume& volume, const std::string& disk, const MetadataPlace& place,
                                     bool force) {
  MadeFiles made;
  if (const auto fine = make_what_is_missing(made, volume, disk, place); !fine) return tl::unexpected(fine.error());
  Replica replica(place);
  if (const auto opened = replica.open(disk); !opened) return tl::unexpected(opened.error());
  const auto layout = layout_of(replica, volume);
  if (!layout) return tl::unexpected(layout.error());
  const auto lost = made.has(place.path) ? Result<std::string>("") : in_the_way(replica.metadata(), *layout);
  if (!lost) return tl::unexpected(lost.error());
  if (!lost->empty() && !force) return refuse_creation(place.path, "it holds " + *lost, kForceOverwrites);
  const auto content = made.has(disk) ? Result<std::string>("") : in_the_data(replica.data());
  if (!content) return tl::unexpected(content.error());
  if (!content->empty() && !force)
    return refuse_creation(disk, "it holds " + *content, "--force takes it, and leaves what it holds as it is");
  if (const auto written = write_metadata(replica.metadata(), *layout); !written)
    return tl::unexpected(written.error());
  CreateReport report;
  report.path = disk;
  report.metadata = place.text();
  report.backing_bytes = replica.data().bytes();
  report.usable_bytes = layout->usable_sectors * 512;
  if (volume.size_bytes != 0) report.usable_bytes = std::min(report.usable_bytes, volume.size_bytes);
  report.file_made = made.has(disk);
  report.metadata_file_made = made.has(place.path);
  report.overwritten = *lost;
  made.keep();
  return report;
}

}  // namespace bascule::block_host::detail
