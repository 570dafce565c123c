#include "runtime/metadata_tool/commands.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "runtime/metadata_tool/found.h"
#include "wire/drbd_metadata/dump.h"
#include "wire/drbd_metadata/generation.h"
#include "wire/drbd_metadata/recover.h"

namespace bascule::metadata_tool {
namespace {

using namespace drbd_metadata;

constexpr const char* kUncleanRemark = "Found meta data is \"unclean\", please apply-al first\n";

Answer<std::uint32_t> node_of(const Request& request) {
  if (request.format == Format::V08) return 0U;
  if (request.node_id) return *request.node_id;
  return failure(wrong_usage, {fmt::format("{} needs --node-id", request.command), "",
                               "v09 keeps one bitmap UUID for each peer", "--node-id 0..31 names the peer"});
}

Answer<std::string> only_word(const Request& request, const char* what) {
  if (request.words.size() == 1) return request.words[0];
  return failure(wrong_usage, {fmt::format("{} needs one argument", request.command), "", what, ""});
}

Answer<Outcome> write_superblock(const Found& found, Metadata changed) {
  changed.activity_log = changed.shape().activity_log;
  const Steps steps{write_step(found.layout.superblock_offset, encode_metadata(changed)), flush_step()};
  if (const auto written = found.device.run(steps); !written) return failure(unusable, written.error());
  return Outcome{};
}

Answer<Outcome> dump_md(const Request& request) {
  const auto found = find(request, Device::Access::Read);
  if (!found) return tl::unexpected(found.error());
  const auto area = found->area();
  if (!area) return tl::unexpected(area.error());
  Metadata metadata = found->metadata;
  const FittedSize fitted = fit_size(metadata, found->layout);
  metadata.effective_sectors = fitted.sectors;
  Outcome outcome;
  outcome.out = fitted.remark + dump_heading(request) +
                dump_text(metadata, found->layout, *area, {.real_flags = request.real_flags});
  if (!metadata.clean()) outcome.remarks = kUncleanRemark;
  outcome.object = metadata_json(metadata, found->layout);
  return outcome;
}

Answer<Outcome> get_gi(const Request& request) {
  const auto node = node_of(request);
  if (!node) return tl::unexpected(node.error());
  const auto found = find(request, Device::Access::Read);
  if (!found) return tl::unexpected(found.error());
  Outcome outcome{.out = generation_text(found->metadata, *node) + "\n", .remarks = {}};
  if (request.command == "show-gi") outcome.out = generation_legend(found->metadata, *node);
  outcome.object = {{"generation", generation_text(found->metadata, *node)}};
  return outcome;
}

Answer<Outcome> set_gi(const Request& request) {
  const auto node = node_of(request);
  if (!node) return tl::unexpected(node.error());
  const auto text = only_word(request, "UUID:UUID:UUID:UUID:FLAG:...");
  if (!text) return tl::unexpected(text.error());
  const auto found = find(request, Device::Access::Write);
  if (!found) return tl::unexpected(found.error());
  const auto changed = with_generation(found->metadata, *node, *text);
  if (!changed) return failure(wrong_usage, changed.error());
  auto outcome = write_superblock(*found, *changed);
  if (!outcome) return outcome;
  outcome->out = fmt::format("previously {}\nset GI to  {}\n", generation_text(found->metadata, *node),
                             generation_text(*changed, *node));
  outcome->object = {{"previous", generation_text(found->metadata, *node)},
                     {"generation", generation_text(*changed, *node)}};
  return outcome;
}

Answer<Outcome> dstate(const Request& request) {
  const auto found = find(request, Device::Access::Read);
  if (!found) return tl::unexpected(found.error());
  const std::string state(disk_state(found->metadata));
  return Outcome{.out = state + "\n", .remarks = {}, .object = {{"disk_state", state}}};
}

Answer<Outcome> outdate_or_invalidate(const Request& request) {
  const auto found = find(request, Device::Access::Write);
  if (!found) return tl::unexpected(found.error());
  if (request.command == "invalidate") return write_superblock(*found, invalidated(found->metadata));
  if ((found->metadata.flags & flag::kConsistent) == 0)
    return failure(inconsistent, {"the data cannot be outdated", request.path, "they are inconsistent", ""});
  return write_superblock(*found, outdated(found->metadata));
}

Answer<Outcome> read_dev_uuid(const Request& request) {
  const auto found = find(request, Device::Access::Read);
  if (!found) return tl::unexpected(found.error());
  const std::string uuid = fmt::format("{:016X}", found->metadata.device_uuid);
  return Outcome{.out = uuid + "\n", .remarks = {}, .object = {{"device_uuid", uuid}}};
}

Answer<Outcome> write_dev_uuid(const Request& request) {
  const auto text = only_word(request, "a UUID, hexadecimal");
  if (!text) return tl::unexpected(text.error());
  std::string_view digits = *text;
  if (digits.starts_with("0x")) digits.remove_prefix(2);
  std::uint64_t uuid = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), uuid, 16);
  if (error != std::errc{} || end != digits.data() + digits.size())
    return failure(wrong_usage, {"the device UUID cannot be written", *text, "it is no hexadecimal number", ""});
  const auto found = find(request, Device::Access::Write);
  if (!found) return tl::unexpected(found.error());
  Metadata changed = found->metadata;
  changed.device_uuid = uuid;
  return write_superblock(*found, changed);
}

Answer<Outcome> apply_al(const Request& request) {
  const auto found = find(request, Device::Access::Write);
  if (!found) return tl::unexpected(found.error());
  const auto area = found->area();
  if (!area) return tl::unexpected(area.error());
  const auto ring = found->ring();
  if (!ring) return tl::unexpected(ring.error());
  const auto applied = apply_activity_log(found->metadata, found->layout, *ring, *area);
  if (!applied) return failure(refused, applied.error());
  if (const auto written = found->device.run(applied->steps); !written) return failure(unusable, written.error());
  Outcome outcome;
  if (applied->newly_set_bits != 0)
    outcome.remarks = fmt::format("Marked additional {} KB as out-of-sync based on AL.\n", applied->newly_set_bits * 4);
  outcome.object = {{"needed", applied->needed},
                    {"hot_extents", applied->hot_extents},
                    {"newly_set_bits", applied->newly_set_bits},
                    {"damaged_blocks", applied->dropped_blocks}};
  return outcome;
}

}  // namespace

Command command_of(const std::string& name) {
  static const std::map<std::string, Command> all{{"create-md", create_md},
                                                  {"dump-md", dump_md},
                                                  {"restore-md", restore_md},
                                                  {"verify-dump", restore_md},
                                                  {"apply-al", apply_al},
                                                  {"wipe-md", wipe_md},
                                                  {"resize", resize_md},
                                                  {"convert", convert_md},
                                                  {"get-gi", get_gi},
                                                  {"show-gi", get_gi},
                                                  {"set-gi", set_gi},
                                                  {"outdate", outdate_or_invalidate},
                                                  {"invalidate", outdate_or_invalidate},
                                                  {"dstate", dstate},
                                                  {"read-dev-uuid", read_dev_uuid},
                                                  {"write-dev-uuid", write_dev_uuid}};
  const auto found = all.find(name);
  return found == all.end() ? nullptr : found->second;
}

}  // namespace bascule::metadata_tool
