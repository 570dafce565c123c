#include "runtime/metadata_tool/report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <ctime>

namespace bascule::metadata_tool {
namespace {

using namespace drbd_metadata;

std::string hex(std::uint64_t value) { return fmt::format("{:016X}", value); }

json peers_json(const Metadata& metadata) {
  json peers = json::array();
  for (std::size_t id = 0; id < kPeerRecords; ++id) {
    const PeerRecord& peer = metadata.peers[id];
    if (peer == PeerRecord{}) continue;
    peers.push_back({{"node_id", id},
                     {"bitmap_slot", peer.bitmap_slot},
                     {"bitmap_uuid", hex(peer.bitmap_uuid)},
                     {"bitmap_dagtag", peer.bitmap_dagtag},
                     {"connected", (peer.flags & peer_flag::kConnected) != 0},
                     {"outdated", (peer.flags & peer_flag::kOutdated) != 0},
                     {"full_sync", (peer.flags & peer_flag::kFullSync) != 0},
                     {"flags", peer.flags}});
  }
  return peers;
}

json history_json(const Metadata& metadata) {
  json history = json::array();
  const std::size_t count = metadata.format == Format::V08 ? 2 : kHistoryUuids;
  for (std::size_t i = 0; i < count; ++i) history.push_back(hex(metadata.history_uuids[i]));
  return history;
}

}  // namespace

std::string dump_heading(const Request& request) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const std::time_t now = std::time(nullptr);
  return fmt::format("# DRBD meta data dump\n# {:%Y-%m-%d %H:%M:%S %z} [{}]\n# {}> {}\n#\n\n", fmt::localtime(now), now,
                     host.data(), request.as_typed);
}

json metadata_json(const Metadata& metadata, const Layout& layout) {
  return {{"format", to_string(metadata.format)},
          {"clean", metadata.clean()},
          {"current_uuid", hex(metadata.current_uuid)},
          {"history_uuids", history_json(metadata)},
          {"device_uuid", hex(metadata.device_uuid)},
          {"flags", metadata.flags},
          {"consistent", (metadata.flags & flag::kConsistent) != 0},
          {"was_up_to_date", (metadata.flags & flag::kWasUpToDate) != 0},
          {"primary", (metadata.flags & flag::kPrimaryIndicator) != 0},
          {"crashed_primary", (metadata.flags & flag::kCrashedPrimary) != 0},
          {"node_id", metadata.node_id},
          {"max_peers", metadata.slots},
          {"peers", peers_json(metadata)},
          {"effective_sectors", metadata.effective_sectors},
          {"usable_sectors", layout.usable_sectors},
          {"peer_max_bio_bytes", metadata.peer_max_bio_bytes},
          {"al_extents", metadata.activity_log_extents},
          {"al_stripes", metadata.shape().activity_log.stripes},
          {"al_stripe_blocks", metadata.shape().activity_log.stripe_blocks},
          {"superblock_offset", layout.superblock_offset},
          {"activity_log_offset", layout.activity_log_offset},
          {"bitmap_offset", layout.bitmap_offset},
          {"metadata_sectors", layout.metadata_sectors}};
}

json error_json(const Error& error) {
  return {{"what", error.what}, {"where", error.where}, {"why", error.why}, {"hint", error.hint}};
}

}  // namespace bascule::metadata_tool
