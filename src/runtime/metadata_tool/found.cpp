#include "runtime/metadata_tool/found.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::metadata_tool {
namespace {

using namespace drbd_metadata;

constexpr std::uint64_t kMaxAreaBytes = 1ULL << 32;

Error none(const Request& request, std::string why) {
  return {"no valid meta data found", request.path, std::move(why), ""};
}

}  // namespace

Answer<Bytes> Found::area() const {
  const std::uint64_t wanted =
      std::min(layout.bitmap_bytes,
               bitmap_bytes_for(std::min(metadata.effective_sectors, layout.usable_sectors), metadata.slots));
  if (wanted > kMaxAreaBytes)
    return failure(refused, {"the bitmap cannot be read", device.path(), fmt::format("it has {} bytes", wanted), ""});
  auto bytes = device.read_padded(layout.bitmap_offset, wanted);
  if (!bytes) return failure(unusable, bytes.error());
  return std::move(*bytes);
}

Answer<Bytes> Found::ring() const {
  auto bytes = device.read_padded(layout.activity_log_offset, metadata.shape().activity_log.blocks() * kBlockBytes);
  if (!bytes) return failure(unusable, bytes.error());
  return std::move(*bytes);
}

Answer<Device> open_device(const Request& request, Device::Access access) {
  auto device = Device::open(request.path, access, *request.files);
  if (!device) return failure(unusable, device.error());
  return std::move(*device);
}

Answer<Found> look(const Request& request, Device device) {
  const auto where = superblock_offset(request.placement, device.bytes());
  if (!where) return failure(wrong_usage, where.error());
  const auto block = device.read(*where, kBlockBytes);
  if (!block) return failure(wrong_usage, block.error());
  const auto metadata = decode_metadata(*block);
  if (!metadata) return failure(refused, none(request, metadata.error().text()));
  const auto place = layout(request.placement, kUnknownBytes, device.bytes(), metadata->shape());
  if (!place) return failure(refused, none(request, place.error().text()));
  if (const auto fits = check_place(*metadata, *place); !fits)
    return failure(refused, none(request, fits.error().text()));
  return Found{std::move(device), *place, *metadata};
}

Answer<Found> find(const Request& request, Device::Access access) {
  auto device = open_device(request, access);
  if (!device) return tl::unexpected(device.error());
  auto found = look(request, std::move(*device));
  if (found && found->metadata.format != request.format)
    return failure(refused, none(request, fmt::format("it has {} metadata, not {}", to_string(found->metadata.format),
                                                      to_string(request.format))));
  return found;
}

}  // namespace bascule::metadata_tool
