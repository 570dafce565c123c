#include "wire/drbd_metadata/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace bascule::drbd_metadata {
namespace {

/// One 0 or 1 of the text: where it lies.
struct FlagField {
  const char* name;
  bool of_peer;
  std::uint32_t mask;
};

constexpr std::array<FlagField, 7> kV08Fields{{{"consistent", false, flag::kConsistent},
                                               {"was up to date", false, flag::kWasUpToDate},
                                               {"primary", false, flag::kPrimaryIndicator},
                                               {"connected", true, peer_flag::kConnected},
                                               {"full sync", true, peer_flag::kFullSync},
                                               {"peer outdated", true, peer_flag::kOutdated},
                                               {"crashed primary", false, flag::kCrashedPrimary}}};

constexpr std::array<FlagField, 12> kV09Fields{{{"consistent", false, flag::kConsistent},
                                                {"was up to date", false, flag::kWasUpToDate},
                                                {"primary", false, flag::kPrimaryIndicator},
                                                {"crashed primary", false, flag::kCrashedPrimary},
                                                {"activity log clean", false, flag::kActivityLogClean},
                                                {"activity log disabled", false, flag::kActivityLogDisabled},
                                                {"primary lost quorum", false, flag::kPrimaryLostQuorum},
                                                {"connected", true, peer_flag::kConnected},
                                                {"peer outdated", true, peer_flag::kOutdated},
                                                {"fencing", true, peer_flag::kFencing},
                                                {"full sync", true, peer_flag::kFullSync},
                                                {"device seen", true, peer_flag::kDeviceSeen}}};

std::span<const FlagField> fields_of(const Metadata& metadata) {
  if (metadata.format == Format::V08) return kV08Fields;
  return kV09Fields;
}

constexpr std::string_view kUuidLegend =
    "\n"
    "       +--<  Current data generation UUID  >-\n"
    "       |               +--<  Bitmap's base data generation UUID  >-\n"
    "       |               |                 +--<  younger history UUID  >-\n"
    "       |               |                 |         +-<  older history  >-\n"
    "       V               V                 V         V\n";

/// The words of the legend with the column they end in, as drbdmeta places them.
constexpr std::array<std::string_view, 7> kV08Legend{
    "                                      -<  Data consistency flag  >--+",
    "                             -<  Data was/is currently up-to-date  >--+",
    "                                  -<  Node was/is currently primary  >--+",
    "                                  -<  Node was/is currently connected  >--+",
    "         -<  Node was in the progress of setting all bits in the bitmap  >--+",
    "                        -<  The peer's disk was out-dated or inconsistent  >--+",
    "      -<  This node was a crashed primary, and has not seen its peer since   >--+"};
constexpr std::array<std::string_view, 12> kV09Legend{
    "                                      -<  Data consistency flag  >--+",
    "                             -<  Data was/is currently up-to-date  >--+",
    "                                  -<  Node was/is currently primary  >--+",
    " -<  This node was a crashed primary, and has not seen its peer since  >--+",
    "             -<  The activity-log was applied, the disk can be attached  >--+",
    "        -<  The activity-log was disabled, peer is completely out of sync  >--+",
    "                              -<  This node was primary when it lost quorum  >--+",
    "                                          -<  Node was/is currently connected  >--+",
    "                              -<  The peer's disk was out-dated or inconsistent  >--+",
    "                                 -<   A fence policy other the dont-care was used  >--+",
    "                  -<  Node was in the progress of marking all blocks as out of sync  >--+",
    "                     -<  At least once we saw this node with a backing device attached >--+"};

std::string flag_legend(std::span<const std::string_view> lines) {
  std::string out(68, ' ');
  for (std::size_t i = 0; i < lines.size(); ++i) out += i == 0 ? "^" : " ^";
  out += "\n";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    out += lines[i];
    for (std::size_t bar = i + 1; bar < lines.size(); ++bar) out += " |";
    out += "\n";
  }
  return out;
}

/// Sizes as drbdmeta rounds them for people: 10000 of a unit become the next one.
std::string size_text(std::uint64_t kibibytes) {
  constexpr std::array<const char*, 6> kUnits{"KB", "MB", "GB", "TB", "PB", "EB"};
  std::size_t unit = 0;
  while (kibibytes >= 10000 && unit + 1 < kUnits.size()) {
    kibibytes = (kibibytes >> 10) + ((kibibytes & 512) != 0 ? 1 : 0);
    ++unit;
  }
  return fmt::format("{} {}", kibibytes, kUnits[unit]);
}

std::string_view state_in_words(const Metadata& metadata) {
  if ((metadata.flags & flag::kConsistent) == 0) return "Inconsistent";
  return (metadata.flags & flag::kWasUpToDate) != 0 ? "UpToDate" : "Outdated";
}

std::string v08_flags_in_words(const Metadata& metadata) {
  const std::uint32_t flags = metadata.flags;
  const std::uint32_t peer = metadata.peers[0].flags;
  const std::string_view crashed = (flags & flag::kCrashedPrimary) != 0 ? "crashed " : "";
  const std::string_view role = (flags & flag::kPrimaryIndicator) != 0 ? "Primary" : "Secondary";
  return fmt::format("\nflags: {}{}, {}, {}{}{}\nmeta-data: {}\n", crashed, role,
                     (peer & peer_flag::kConnected) != 0 ? "Connected" : "StandAlone", state_in_words(metadata),
                     (peer & peer_flag::kFullSync) != 0 ? ", need full sync" : "",
                     (peer & peer_flag::kOutdated) != 0 ? ", peer Outdated" : "",
                     (flags & flag::kActivityLogClean) != 0 ? "clean" : "need apply-al");
}

template <typename Number>
bool parse_field(std::string_view text, Number& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return failure == std::errc{} && end == text.data() + text.size();
}

tl::unexpected<Error> wrong_field(std::string_view text, const char* name, const char* want) {
  return fail("the generation identifiers cannot be set", std::string(name),
              fmt::format("\"{}\" is not {}", text, want),
              "UUID:UUID:UUID:UUID:FLAG:FLAG:...; an empty field stays as it is");
}

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> fields;
  for (;;) {
    const std::size_t colon = text.find(':');
    fields.push_back(text.substr(0, colon));
    if (colon == std::string_view::npos) return fields;
    text.remove_prefix(colon + 1);
  }
}

void put_flag(Metadata& metadata, std::uint32_t node_id, const FlagField& field, bool value) {
  std::uint32_t& flags = field.of_peer ? metadata.peers[node_id].flags : metadata.flags;
  flags = (flags & ~field.mask) | (value ? field.mask : 0);
}

}  // namespace

std::string generation_text(const Metadata& metadata, std::uint32_t node_id) {
  const PeerRecord& peer = metadata.peers[node_id % kPeerRecords];
  std::string out = fmt::format("{:016X}:{:016X}:{:016X}:{:016X}", metadata.current_uuid, peer.bitmap_uuid,
                                metadata.history_uuids[0], metadata.history_uuids[1]);
  for (const FlagField& field : fields_of(metadata))
    out += ((field.of_peer ? peer.flags : metadata.flags) & field.mask) != 0 ? ":1" : ":0";
  return out;
}

std::string generation_legend(const Metadata& metadata, std::uint32_t node_id) {
  const bool v08 = metadata.format == Format::V08;
  std::string out = std::string(kUuidLegend) + generation_text(metadata, node_id) + "\n";
  out += v08 ? flag_legend(kV08Legend) : flag_legend(kV09Legend);
  out += v08 ? v08_flags_in_words(metadata) : "\n";
  if (metadata.effective_sectors == 0) return out + "zero size device -- never seen peer yet?\n";
  return out + fmt::format("last agreed size: {} ({} sectors)\nlast agreed max bio size: {} Byte\n",
                           size_text(metadata.effective_sectors / 2), metadata.effective_sectors,
                           metadata.peer_max_bio_bytes);
}

Result<Metadata> with_generation(const Metadata& metadata, std::uint32_t node_id, std::string_view text) {
  Metadata changed = metadata;
  node_id %= kPeerRecords;
  const std::array<std::uint64_t*, 4> uuids{&changed.current_uuid, &changed.peers[node_id].bitmap_uuid,
                                            changed.history_uuids.data(), changed.history_uuids.data() + 1};
  constexpr std::array<const char*, 4> kNames{"current UUID", "bitmap UUID", "younger history", "older history"};
  const auto fields = split(text);
  const auto flags = fields_of(metadata);
  if (fields.size() > uuids.size() + flags.size()) return wrong_field(text, "all of it", "as many fields as there are");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].empty()) continue;
    if (i < uuids.size()) {
      if (!parse_field(fields[i], *uuids[i])) return wrong_field(fields[i], kNames[i], "a hexadecimal number");
      continue;
    }
    std::uint32_t value = 0;
    const FlagField& field = flags[i - uuids.size()];
    if (!parse_field(fields[i], value) || value > 1) return wrong_field(fields[i], field.name, "0 or 1");
    put_flag(changed, node_id, field, value == 1);
  }
  return changed;
}

std::string_view disk_state(const Metadata& metadata) {
  if ((metadata.flags & flag::kConsistent) == 0) return "Inconsistent";
  if ((metadata.flags & flag::kWasUpToDate) == 0) return "Outdated";
  // v09 has no such device flag, but drbdmeta looks at the same bit.
  const bool knows_peer = metadata.format == Format::V08 ? (metadata.peers[0].flags & peer_flag::kOutdated) != 0
                                                         : (metadata.flags & flag::kPeerOutdated) != 0;
  return knows_peer ? "UpToDate" : "Consistent";
}

Metadata outdated(Metadata metadata) {
  metadata.flags &= ~flag::kWasUpToDate;
  return metadata;
}

Metadata invalidated(Metadata metadata) {
  metadata.flags &= ~(flag::kConsistent | flag::kWasUpToDate);
  const std::size_t peers = metadata.format == Format::V08 ? 1 : kPeerRecords;
  for (std::size_t id = 0; id < peers; ++id) metadata.peers[id].flags |= peer_flag::kFullSync;
  return metadata;
}

}  // namespace bascule::drbd_metadata
