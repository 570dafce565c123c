#include "wire/drbd_metadata/convert.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::drbd_metadata {
namespace {

tl::unexpected<Error> cannot_convert(std::string where, std::string why, std::string hint = {}) {
  return fail("the metadata cannot be converted", std::move(where), std::move(why), std::move(hint));
}

bool any_set(std::span<const std::uint64_t> words) {
  return std::ranges::any_of(words, [](std::uint64_t word) { return word != 0; });
}

/// The record says something about a peer.
bool holds_data(const PeerRecord& peer) { return peer.bitmap_slot != kNoSlot || peer.bitmap_uuid != 0; }

bool is_known(const PeerRecord& peer) { return holds_data(peer) || (peer.flags & peer_flag::kNodeExists) != 0; }

Metadata common(const Metadata& metadata, const Layout& to, Format format) {
  Metadata converted = metadata;
  converted.format = format;
  converted.reserved = {};
  converted.members = 0;
  converted.slots = 1;
  converted.node_id = -1;
  converted.unclean = false;
  converted.peer_max_bio_bytes = 0;  // negotiated anew
  converted.activity_log = metadata.shape().activity_log;
  place(converted, to);
  return converted;
}

Bytes padded(ByteView area, std::uint64_t bytes) {
  Bytes out(area.begin(), area.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(area.size(), bytes)));
  out.resize(bytes, 0);
  return out;
}

Conversion to_v09(const Metadata& metadata, ByteView area, const Layout& to) {
  Conversion done{.metadata = common(metadata, to, Format::V09), .area = padded(area, to.bitmap_bytes), .notes = {}};
  if (!metadata.clean()) done.metadata.flags &= ~flag::kActivityLogClean;
  return done;
}

/// The record that becomes the peer of v08: the known one, or record 0 of freshly converted metadata.
Result<std::size_t> the_peer(const Metadata& metadata) {
  std::vector<std::size_t> known;
  for (std::size_t id = 0; id < kPeerRecords; ++id)
    if (static_cast<std::int32_t>(id) != metadata.node_id && is_known(metadata.peers[id])) known.push_back(id);
  if (known.size() > 1)
    return cannot_convert(fmt::format("peers {}", fmt::join(known, ", ")), "v08 has room for one peer",
                          "forget the others first: drbdmeta forget-peer");
  return known.empty() ? 0 : known.front();
}

/// The slot whose bits are kept: the peer's, or, without one, the only one with bits.
Result<std::uint32_t> the_slot(const Metadata& metadata, const PeerRecord& peer, ByteView area) {
  std::vector<std::uint32_t> used;
  for (std::uint32_t slot = 0; slot < metadata.slots; ++slot)
    if (any_set(slot_words(area, metadata.slots, slot))) used.push_back(slot);
  if (peer.bitmap_slot != kNoSlot) return static_cast<std::uint32_t>(peer.bitmap_slot);
  if (used.size() > 1)
    return cannot_convert(fmt::format("slots {}", fmt::join(used, ", ")), "v08 has room for one bitmap",
                          "bring the peers in sync first");
  return used.empty() ? 0 : used.front();
}

Result<Conversion> to_v08(const Metadata& metadata, ByteView area, const Layout& to) {
  const auto id = the_peer(metadata);
  if (!id) return tl::unexpected(id.error());
  const PeerRecord peer = metadata.peers[*id];
  const auto slot = the_slot(metadata, peer, area);
  if (!slot) return tl::unexpected(slot.error());
  Conversion done{.metadata = common(metadata, to, Format::V08), .area = Bytes(to.bitmap_bytes, 0), .notes = {}};
  constexpr std::uint32_t kCarried = peer_flag::kConnected | peer_flag::kOutdated | peer_flag::kFullSync;
  done.metadata.peers = {};
  done.metadata.peers[0].bitmap_uuid = peer.bitmap_uuid;
  done.metadata.peers[0].flags = peer.flags & kCarried;
  done.metadata.unclean = !metadata.clean();
  put_slot_words(done.area, 1, 0, slot_words(area, metadata.slots, *slot));
  const auto older = std::span(done.metadata.history_uuids).subspan(2);
  if (std::ranges::any_of(older, [](std::uint64_t uuid) { return uuid != 0; }))
    done.notes.emplace_back("v08 keeps two history UUIDs; the older ones are lost");
  std::ranges::fill(older, 0);
  return done;
}

}  // namespace

Result<Conversion> convert(const Metadata& metadata, ByteView area, const Layout& to, Format format) {
  if (metadata.format == format) return cannot_convert(std::string(to_string(format)), "it has that format already");
  if (format == Format::V09) return to_v09(metadata, area, to);
  return to_v08(metadata, area, to);
}

Steps conversion_steps(const Conversion& conversion, const Layout& layout) {
  return {write_step(layout.bitmap_offset, conversion.area), flush_step(),
          write_step(layout.superblock_offset, encode_metadata(conversion.metadata)), flush_step()};
}

}  // namespace bascule::drbd_metadata
