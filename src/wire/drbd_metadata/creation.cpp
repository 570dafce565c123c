#include "wire/drbd_metadata/creation.h"

namespace bascule::drbd_metadata {

Steps creation_steps(const Metadata& metadata, const Layout& layout, std::uint64_t zero_bytes, Bytes area) {
  Steps steps{zero_step(layout.superblock_offset, kBlockBytes), flush_step()};
  if (zero_bytes != 0) steps.push_back(zero_step(layout.bitmap_offset, zero_bytes));
  if (!area.empty()) steps.push_back(write_step(layout.bitmap_offset, std::move(area)));
  steps.push_back(write_step(layout.activity_log_offset, initial_ring(metadata.shape().activity_log)));
  steps.push_back(flush_step());
  steps.push_back(write_step(layout.superblock_offset, encode_metadata(metadata)));
  steps.push_back(flush_step());
  return steps;
}

}  // namespace bascule::drbd_metadata
