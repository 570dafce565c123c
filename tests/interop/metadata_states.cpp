// Our side of the comparison with drbdmeta: one process that plants random states and runs our commands. Requests and
// answers are lines of JSON.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/metadata_tool/tool.h"
#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/detail/random_metadata.h"

namespace {

using namespace bascule;
using namespace bascule::drbd_metadata;
using json = nlohmann::json;

bool write_at(int descriptor, std::uint64_t offset, const Bytes& bytes) {
  return pwrite(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(bytes.size());
}

/// A ring as a running node leaves it: some transactions, perhaps one of them torn.
Bytes random_ring_content(Prng& prng, ActivityLogShape shape, std::uint64_t extents) {
  Bytes ring = initial_ring(shape);
  std::vector<std::uint32_t> slots(1 + prng.below(300), kFreeExtent);
  const auto first = static_cast<std::uint32_t>(prng.chance(1, 3) ? 0xfffffffd : prng.below(1000));
  const std::uint64_t count = prng.below(2 * shape.blocks() + 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    Transaction transaction{.number = first + static_cast<std::uint32_t>(i)};
    transaction.slots = static_cast<std::uint16_t>(slots.size());
    transaction.context = slots;
    for (std::uint64_t update = 0; update < prng.below(6); ++update) {
      const auto slot = static_cast<std::uint16_t>(prng.below(slots.size()));
      const auto extent = static_cast<std::uint32_t>(prng.below(extents));
      if (std::ranges::find(slots, extent) != slots.end()) continue;
      slots[slot] = extent;
      transaction.updates.push_back({slot, extent});
    }
    const Bytes block = encode_transaction(transaction);
    std::ranges::copy(block, ring.begin() + static_cast<std::ptrdiff_t>(ring_block(transaction.number, shape) * 4096));
  }
  return ring;
}

json plant(const json& request) {
  Prng prng(request.at("seed").get<std::uint64_t>());
  auto random = drbd_metadata::detail::random_metadata(prng);
  Metadata& metadata = random.metadata;
  metadata.members = 0;  // we keep the mask, drbdmeta 9.22 clears it with every change
  const std::string path = request.at("path");
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const std::uint64_t extents = std::max<std::uint64_t>(1, (metadata.effective_sectors + 8191) / 8192);
  const bool planted = descriptor >= 0 && ftruncate(descriptor, static_cast<off_t>(random.device_bytes)) == 0 &&
                       write_at(descriptor, random.layout.bitmap_offset, random.area) &&
                       write_at(descriptor, random.layout.activity_log_offset,
                                random_ring_content(prng, metadata.shape().activity_log, extents)) &&
                       write_at(descriptor, random.layout.superblock_offset, encode_metadata(metadata));
  close(descriptor);
  return {{"planted", planted},
          {"format", to_string(metadata.format)},
          {"placement", random.placement.text()},
          {"slots", metadata.slots},
          {"node_id", metadata.node_id},
          {"clean", metadata.clean()},
          {"bitmap_uuid", metadata.peers[0].bitmap_uuid},
          {"device_bytes", random.device_bytes},
          {"superblock_offset", random.layout.superblock_offset},
          {"bitmap_offset", random.layout.bitmap_offset},
          {"bitmap_bytes", random.area.size()},
          {"ring_offset", random.layout.activity_log_offset},
          {"ring_bytes", metadata.shape().activity_log.blocks() * kBlockBytes}};
}

json run_command(const json& request) {
  std::ostringstream out, err;
  const int code = metadata_tool::run(request.at("arguments").get<std::vector<std::string>>(), {out, err});
  return {{"code", code}, {"out", out.str()}, {"err", err.str()}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line);
    std::cout << (request.contains("seed") ? plant(request) : run_command(request)) << std::endl;
  }
}
