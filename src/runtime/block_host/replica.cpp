#include "runtime/block_host/replica.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "wire/drbd_metadata/metadata.h"

namespace bascule::block_host {
namespace {

constexpr const char* kCannotUseReplica = "the disk of the volume cannot be used";

bool same_device(const std::string& one, const std::string& other) {
  struct stat first {};
  struct stat second {};
  if (::stat(one.c_str(), &first) != 0 || ::stat(other.c_str(), &second) != 0) return false;
  if (S_ISBLK(first.st_mode) && S_ISBLK(second.st_mode)) return first.st_rdev == second.st_rdev;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

}  // namespace

// ---- the place of the metadata ----------------------------------------------------------------------------------

Result<MetadataPlace> MetadataPlace::parse(const std::string& text) {
  if (text.empty() || text == "internal") return MetadataPlace{};
  const auto bracket = text.find('[');
  if (bracket == std::string::npos) return MetadataPlace{drbd_metadata::Placement::flexible(), text};
  std::uint32_t index = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data() + bracket + 1, end, index);
  if (error != std::errc{} || std::string(stopped, end) != "]" || index > drbd_metadata::kMaxIndex)
    return fail("there is no such place for metadata", text, "",
                "an index is 0.." + std::to_string(drbd_metadata::kMaxIndex));
  return MetadataPlace{drbd_metadata::Placement::indexed(index), text.substr(0, bracket)};
}

std::string MetadataPlace::text() const {
  if (internal()) return "internal";
  return indexed() ? path + "[" + std::to_string(placement.index) + "]" : path;
}

// ---- devices ----------------------------------------------------------------------------------------------------

Result<void> Replica::open(const std::string& disk, Duration patience) {
  if (!place_.internal() && same_device(disk, place_.path))
    return fail(kCannotUseReplica, place_.path, "it is the disk itself, and cannot hold the metadata apart from it",
                "write metadata = \"internal\"");
  auto data = Backing::open(disk, std::nullopt, patience);
  if (!data) return tl::unexpected(data.error());
  if (!place_.internal()) {
    std::optional<Backing::Piece> piece;
    if (place_.indexed()) piece = {place_.placement.index * drbd_metadata::kIndexedBytes, drbd_metadata::kIndexedBytes};
    auto metadata = Backing::open(place_.path, piece, patience);
    if (!metadata) return tl::unexpected(metadata.error());
    metadata_ = std::move(*metadata);
  }
  data_ = std::move(*data);
  return {};
}

void Replica::close() {
  data_ = Backing();
  metadata_ = Backing();
}

Result<void> Replica::measure() {
  if (const auto measured = data_.measure(); !measured || place_.internal()) return measured;
  return metadata_.measure();
}

// ---- what is on them --------------------------------------------------------------------------------------------

namespace {

tl::unexpected<Error> not_usable(const Backing& backing, const std::string& volume, const Error& wrong,
                                 const std::string& otherwise) {
  const std::string create = "bascule volume create " + volume;
  const auto foreign = foreign_signature(backing);
  const bool drbd = foreign && foreign->starts_with("DRBD");  // metadata, but not such that it can be used
  if (foreign && !foreign->empty() && !drbd)
    return fail(kCannotUseReplica, backing.path(), "it holds somebody else's data: " + *foreign,
                create + " --force overwrites it");
  return fail(kCannotUseReplica, backing.path(), "it is no volume that can be used: " + wrong.text(),
              "make one with: " + create + otherwise);
}

/// Of the bitmap only what the agreed size needs: an external area can be much larger.
Result<FoundVolume> read_parts(const Backing& backing, const drbd_metadata::Superblock& superblock,
                               const drbd_metadata::Layout& layout) {
  const std::uint64_t needed =
      std::min(layout.bitmap_bytes, drbd_metadata::bitmap_bytes_for(superblock.effective_sectors));
  auto bitmap = backing.read(layout.bitmap_offset, needed);
  if (!bitmap) return tl::unexpected(bitmap.error());
  auto ring = backing.read(layout.activity_log_offset, superblock.shape().blocks() * drbd_metadata::kBlockBytes);
  if (!ring) return tl::unexpected(ring.error());
  return FoundVolume{{superblock, std::move(*bitmap), std::move(*ring)}};
}

Result<FoundVolume> read_internal(const Backing& backing, const drbd_metadata::Superblock& superblock,
                                  std::uint64_t bytes) {
  const auto layout = drbd_metadata::internal_layout(bytes, superblock.shape());
  if (!layout) return tl::unexpected(layout.error());
  auto found = read_parts(backing, superblock, *layout);
  if (found) found->backing_bytes = bytes;
  return found;
}

Result<FoundVolume> restore_internal(const Backing& backing, const std::string& volume,
                                     const std::vector<std::uint64_t>& earlier_sizes) {
  for (const std::uint64_t bytes : earlier_sizes) {
    if (bytes >= backing.bytes()) continue;
    if (const auto superblock = read_superblock(backing, bytes)) return read_internal(backing, *superblock, bytes);
  }
  const auto superblock = read_superblock(backing, backing.bytes());
  if (!superblock)
    return not_usable(backing, volume, superblock.error(),
                      "; did the disk grow? bascule drbdmeta resize --old-size moves its metadata");
  return read_internal(backing, *superblock, backing.bytes());
}

/// Flexible metadata use as much of their device as they say: it may have grown.
Result<FoundVolume> read_external(const Replica& replica) {
  const Backing& backing = replica.metadata();
  const drbd_metadata::Placement placement = replica.place().placement;
  const auto offset = drbd_metadata::superblock_offset(placement, backing.bytes());
  if (!offset) return tl::unexpected(offset.error());
  const auto block = backing.read(*offset, drbd_metadata::kBlockBytes);
  if (!block) return tl::unexpected(block.error());
  const auto superblock = drbd_metadata::decode_superblock(*block);
  if (!superblock) return tl::unexpected(superblock.error());
  std::uint64_t used = backing.bytes();
  if (!replica.place().indexed()) used = std::min(used, std::uint64_t{superblock->metadata_sectors} * 512);
  const auto layout =
      drbd_metadata::layout(placement, replica.data().bytes(), used, {.activity_log = superblock->shape()});
  if (!layout) return tl::unexpected(layout.error());
  if (const auto fits = drbd_metadata::check_place(drbd_metadata::from_superblock(*superblock), *layout); !fits)
    return tl::unexpected(fits.error());
  if (superblock->effective_sectors > layout->usable_sectors)
    return fail(kCannotUseReplica,
                replica.data().bytes() / 512 > layout->usable_sectors ? backing.path() : replica.data().path(),
                "it has become too small: there is room for " + std::to_string(layout->usable_sectors * 512) + " of " +
                    std::to_string(superblock->effective_sectors * 512) + " bytes of data");
  auto found = read_parts(backing, *superblock, *layout);
  if (!found) return found;
  found->backing_bytes = replica.data().bytes();
  found->metadata_bytes = used;
  return found;
}

}  // namespace

Result<FoundVolume> restore(const Replica& replica, const std::string& volume,
                            const std::vector<std::uint64_t>& earlier_sizes) {
  if (replica.place().internal()) return restore_internal(replica.data(), volume, earlier_sizes);
  auto found = read_external(replica);
  if (found || found.error().what == kCannotUseReplica) return found;
  return not_usable(replica.metadata(), volume, found.error(), "");
}

}  // namespace bascule::block_host
