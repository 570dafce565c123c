#include "wire/drbd_metadata/resize.h"

#include <fmt/format.h>

#include "runtime/metadata_tool/commands.h"
#include "runtime/metadata_tool/found.h"

namespace bascule::metadata_tool {
namespace {

using namespace drbd_metadata;

/// Where metadata are that belong to a device of another size: behind what it was, or behind what it will be.
Answer<Found> look_at(const Request& request, std::uint64_t as_if_bytes) {
  auto device = open_device(request, Device::Access::Write);
  if (!device) return tl::unexpected(device.error());
  device->pretend(as_if_bytes);
  auto found = look(request, std::move(*device));
  if (found && found->metadata.format != request.format)
    return failure(refused, {"no valid meta data found", request.path, "it has another format", ""});
  return found;
}

/// The end of the device first; then the sizes that were given, for a move that was begun before.
Answer<Found> find_any(const Request& request) {
  auto found = find(request, Device::Access::Write);
  for (const auto& bytes : {request.old_size_bytes, request.size_bytes}) {
    if (found || !bytes) continue;
    if (auto elsewhere = look_at(request, *bytes)) found = std::move(elsewhere);
  }
  if (found || request.old_size_bytes) return found;
  Failure none = found.error();
  none.error.hint = "did the device grow? --old-size BYTES says where its metadata were";
  return tl::unexpected(none);
}

}  // namespace

Answer<Outcome> resize_md(const Request& request) {
  auto found = find_any(request);
  if (!found) return tl::unexpected(found.error());
  const auto area = found->area();
  if (!area) return tl::unexpected(area.error());
  found->device.pretend(0);
  const std::uint64_t bytes = request.size_bytes.value_or(found->device.bytes());
  if (bytes > found->device.bytes())
    return failure(wrong_usage,
                   {"the metadata cannot be moved", request.path,
                    fmt::format("the device has {} bytes only", found->device.bytes()), "grow the device first"});
  MetadataShape shape = found->metadata.shape();
  shape.activity_log.stripes = request.al_stripes.value_or(shape.activity_log.stripes);
  shape.activity_log.stripe_blocks = request.al_stripe_blocks.value_or(shape.activity_log.stripe_blocks);
  const auto to = layout(request.placement, kUnknownBytes, bytes, shape);
  if (!to) return failure(wrong_usage, to.error());
  const auto plan = plan_resize({found->metadata, found->layout, *to, shape.activity_log}, *area);
  if (!plan) return failure(refused, plan.error());
  if (const auto written = found->device.run(plan->steps); !written) return failure(unusable, written.error());
  return Outcome{.out = plan->steps.empty() ? "the metadata are in their place\n" : "the metadata were moved\n",
                 .remarks = {},
                 .object = metadata_json(plan->metadata, *to)};
}

}  // namespace bascule::metadata_tool
