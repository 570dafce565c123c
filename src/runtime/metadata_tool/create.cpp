#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "runtime/files/read_file.h"
#include "runtime/metadata_tool/commands.h"
#include "runtime/metadata_tool/found.h"
#include "wire/drbd_metadata/convert.h"
#include "wire/drbd_metadata/creation.h"
#include "wire/drbd_metadata/dump.h"
#include "wire/drbd_metadata/signature.h"

namespace bascule::metadata_tool {
namespace {

using namespace drbd_metadata;

Error needs_force(const Request& request, std::string why) {
  return {"nothing was changed", request.path, std::move(why), "--force does it all the same; what is there is lost"};
}

/// Somebody else's data, by its signature. Metadata of DRBD is no foreign data; it is asked for separately.
Answer<std::string> foreign_data(const Device& device) {
  const std::uint64_t window = std::min<std::uint64_t>(kSignatureProbeBytes, device.bytes() / 512 * 512);
  const auto first = device.read(0, window);
  if (!first) return failure(unusable, first.error());
  const auto last = device.read(device.bytes() / 512 * 512 - window, window);
  if (!last) return failure(unusable, last.error());
  const auto signature = recognise_signature(*first, *last);
  return signature && !signature->starts_with("DRBD") ? *signature : std::string{};
}

/// Internal metadata go behind data that may stay; on a device of their own any data are in the way.
Answer<void> check_unused(const Request& request, const Device& device, const Layout& layout) {
  if (request.force) return {};
  const auto foreign = foreign_data(device);
  if (!foreign) return tl::unexpected(foreign.error());
  if (!foreign->empty()) return failure(refused, needs_force(request, "it holds " + *foreign));
  const std::uint64_t ring_end = layout.activity_log_offset + kBlockBytes * 8;
  const auto superblock = device.read_padded(layout.superblock_offset, kBlockBytes);
  const auto ring = device.read_padded(layout.activity_log_offset, ring_end - layout.activity_log_offset);
  if (!superblock || !ring) return failure(unusable, superblock ? ring.error() : superblock.error());
  const auto zero = [](const Bytes& bytes) { return std::ranges::all_of(bytes, [](Byte byte) { return byte == 0; }); };
  if (!zero(*superblock) || !zero(*ring))
    return failure(refused, needs_force(request, "where the metadata go something else is written"));
  return {};
}

ActivityLogShape wanted_ring(const Request& request, ActivityLogShape otherwise) {
  return {.stripes = request.al_stripes.value_or(otherwise.stripes),
          .stripe_blocks = request.al_stripe_blocks.value_or(otherwise.stripe_blocks)};
}

Answer<std::uint32_t> wanted_slots(const Request& request) {
  if (request.format == Format::V08) return 1U;
  std::uint32_t slots = 0;
  if (request.words.size() == 1) {
    const std::string& word = request.words[0];
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), slots);
    if (error == std::errc{} && end == word.data() + word.size() && slots >= 1 && slots <= kMaxPeerSlots) return slots;
  }
  return failure(wrong_usage, {"create-md needs the number of peers", "", "v09 keeps one bitmap for each peer",
                               fmt::format("MINOR v09 DEVICE PLACEMENT create-md 1..{}", kMaxPeerSlots)});
}

Answer<Outcome> convert_found(const Request& request, const Found& found, Format format) {
  const MetadataShape shape{.activity_log = found.metadata.shape().activity_log, .slots = 1};
  const auto to = layout(request.placement, kUnknownBytes, found.device.bytes(), shape);
  if (!to) return failure(wrong_usage, to.error());
  const auto area = found.area();
  if (!area) return tl::unexpected(area.error());
  Layout narrow = *to;
  narrow.bitmap_bytes = std::min(to->bitmap_bytes, bitmap_bytes_for(found.metadata.effective_sectors));
  const auto converted = convert(found.metadata, *area, narrow, format);
  if (!converted) return failure(refused, converted.error());
  if (const auto written = found.device.run(conversion_steps(*converted, narrow)); !written)
    return failure(unusable, written.error());
  Outcome outcome{.out = fmt::format("converted to {}\n", to_string(format)), .remarks = {}};
  for (const std::string& note : converted->notes) outcome.remarks += note + "\n";
  outcome.object = metadata_json(converted->metadata, *to);
  return outcome;
}

Answer<Outcome> create_new(const Request& request, const Device& device) {
  const auto slots = wanted_slots(request);
  if (!slots) return tl::unexpected(slots.error());
  const MetadataShape shape{.activity_log = wanted_ring(request, {}), .slots = *slots};
  const auto place = layout(request.placement, kUnknownBytes, device.bytes(), shape);
  if (!place) return failure(wrong_usage, place.error());
  const auto metadata = create(
      {.format = request.format, .shape = shape, .peer_max_bio_bytes = request.peer_max_bio_bytes.value_or(0)}, *place);
  if (!metadata) return failure(wrong_usage, metadata.error());
  const Steps steps = creation_steps(*metadata, *place, place->bitmap_bytes);
  if (const auto written = device.run(steps); !written) return failure(unusable, written.error());
  return Outcome{.out = "New drbd meta data block successfully created.\n",
                 .remarks = {},
                 .object = metadata_json(*metadata, *place)};
}

Answer<ParsedDump> read_dump(const Request& request) {
  if (request.words.size() != 1)
    return failure(wrong_usage, {request.command + " needs the file of a dump", "", "", ""});
  const auto text = files::read_file(request.words[0], "the dump cannot be read", std::size_t{1} << 30, *request.files);
  if (!text) return failure(unusable, text.error());
  auto parsed = parse_dump(*text);
  if (!parsed) {
    Error error = parsed.error();
    error.where = request.words[0] + ", " + error.where;
    return failure(wrong_usage, error);
  }
  if (parsed->metadata.format != request.format)
    return failure(
        wrong_usage,
        {"the dump cannot be used", request.words[0],
         fmt::format("it is {}, {} was asked for", to_string(parsed->metadata.format), to_string(request.format)), ""});
  return std::move(*parsed);
}

}  // namespace

Answer<Outcome> create_md(const Request& request) {
  auto device = open_device(request, Device::Access::Write);
  if (!device) return tl::unexpected(device.error());
  auto found = look(request, std::move(*device));
  if (found) {
    const Format there = found->metadata.format;
    if (!request.force)
      return failure(refused,
                     needs_force(request, fmt::format("valid {} metadata is there already", to_string(there))));
    if (there != request.format) return convert_found(request, *found, request.format);
    return create_new(request, found->device);
  }
  device = open_device(request, Device::Access::Write);
  if (!device) return tl::unexpected(device.error());
  const auto place = layout(request.placement, kUnknownBytes, device->bytes());
  if (!place) return failure(wrong_usage, place.error());
  if (auto unused = check_unused(request, *device, *place); !unused) return tl::unexpected(unused.error());
  return create_new(request, *device);
}

Answer<Outcome> restore_md(const Request& request) {
  auto dump = read_dump(request);
  if (!dump) return tl::unexpected(dump.error());
  if (request.command == "verify-dump") return Outcome{.out = "input file parsed ok\n", .remarks = {}};
  auto device = open_device(request, Device::Access::Write);
  if (!device) return tl::unexpected(device.error());
  Metadata& metadata = dump->metadata;
  metadata.activity_log = wanted_ring(request, metadata.shape().activity_log);
  const auto place = layout(request.placement, kUnknownBytes, device->bytes(), metadata.shape());
  if (!place) return failure(wrong_usage, place.error());
  if (auto unused = check_unused(request, *device, *place); !unused) return tl::unexpected(unused.error());
  drbd_metadata::place(metadata, *place);
  if (const auto fits = check(metadata, *place); !fits) return failure(wrong_usage, fits.error());
  Bytes area =
      area_of(*dump, std::min(place->bitmap_bytes, bitmap_bytes_for(metadata.effective_sectors, metadata.slots)));
  const std::uint64_t cleared = request.placement == Placement::internal() ? place->bitmap_bytes : 0;
  const Steps steps = creation_steps(metadata, *place, cleared, std::move(area));
  if (const auto written = device->run(steps); !written) return failure(unusable, written.error());
  return Outcome{.out = "Successfully restored meta data\n", .remarks = {}, .object = metadata_json(metadata, *place)};
}

Answer<Outcome> convert_md(const Request& request) {
  if (request.words.size() != 1 || (request.words[0] != "v08" && request.words[0] != "v09"))
    return failure(wrong_usage, {"convert needs the new format", "", "v08 or v09", ""});
  const auto found = find(request, Device::Access::Write);
  if (!found) return tl::unexpected(found.error());
  return convert_found(request, *found, request.words[0] == "v08" ? Format::V08 : Format::V09);
}

Answer<Outcome> wipe_md(const Request& request) {
  const auto found = find(request, Device::Access::Write);
  if (!found) return tl::unexpected(found.error());
  if (!request.force) return failure(refused, needs_force(request, "valid metadata is there"));
  const Steps steps{zero_step(found->layout.superblock_offset, kBlockBytes), flush_step()};
  if (const auto written = found->device.run(steps); !written) return failure(unusable, written.error());
  return Outcome{.out = "DRBD meta data block successfully wiped out.\n", .remarks = {}};
}

}  // namespace bascule::metadata_tool
