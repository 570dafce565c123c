#include "wire/drbd_metadata/dump.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

namespace bascule::drbd_metadata {
namespace {

constexpr std::size_t kWordsPerLine = 4;
constexpr std::size_t kWordsPerHeading = 32;
constexpr std::uint64_t kKibPerWord = 256;
constexpr std::size_t kFlagNamesLength = 79;  ///< drbdmeta cuts the names off there

constexpr std::array<std::string_view, 5> kPeerFlagNames{"connected", "<=outdated", "fencing", "full-sync", "seen"};

/// " # connected | seen", or nothing.
std::string peer_flag_names(std::uint32_t flags) {
  std::string names;
  for (std::uint32_t bit = 0; bit < 32; ++bit) {
    const std::uint32_t mask = 1U << bit;
    if ((flags & mask) == 0) continue;
    names += names.empty() ? " # " : " | ";
    if (bit < kPeerFlagNames.size())
      names += kPeerFlagNames[bit];
    else if (mask == peer_flag::kNodeExists)
      names += "exists";
    else
      names += fmt::format("0x{:x}=?", mask);
  }
  return names.substr(0, kFlagNamesLength);
}

/// One line of the bitmap, or a repetition; returns how many words it stands for.
std::size_t dump_words(std::string& out, const std::vector<std::uint64_t>& words, std::size_t at) {
  std::size_t end = at;
  while (end < words.size() && words[end] == words[at]) ++end;
  const std::size_t run = (end - at) / kWordsPerLine * kWordsPerLine;
  if (run > kWordsPerLine) {
    out += fmt::format("    {} times 0x{:016X};\n", run, words[at]);
    return run;
  }
  out += "   ";
  const std::size_t count = std::min(kWordsPerLine, words.size() - at);
  for (std::size_t i = 0; i < count; ++i) out += fmt::format(" 0x{:016X};", words[at + i]);
  out += "\n";
  return count;
}

/// Headings count the words of all slots, and half a word at the end begins a line of its own, as with drbdmeta.
void dump_slot(std::string& out, const std::vector<std::uint64_t>& words, std::uint32_t slots, bool half_word) {
  const auto heading = [&out, slots](std::size_t at) {
    if (at * slots % kWordsPerHeading == 0) out += fmt::format("   # at {}kB\n", at * slots * kKibPerWord);
  };
  std::size_t printed = 0;
  for (std::size_t at = 0; at < words.size(); at += printed) {
    heading(at);
    printed = dump_words(out, words, at);
  }
  if (!half_word || printed % kWordsPerLine != 0) return;
  heading(words.size());
  out += "   \n";
}

/// What drbdmeta prints at the end: the count of the last slot, with half a word that it does not show.
std::uint64_t bits_of_last_slot(ByteView area, std::uint32_t slots) {
  std::uint64_t bits = 0;
  for (std::size_t at = (slots - std::size_t{1}) * 4; at + 4 <= area.size(); at += std::size_t{slots} * 4)
    for (const Byte byte : area.subspan(at, 4)) bits += static_cast<std::uint64_t>(std::popcount(byte));
  return bits;
}

void dump_bitmaps(std::string& out, const Metadata& metadata, ByteView area) {
  const std::uint64_t wanted = bitmap_bytes_for(metadata.effective_sectors, metadata.slots);
  Bytes padded;
  if (area.size() < wanted) {
    padded.assign(area.begin(), area.end());
    padded.resize(wanted, 0);
    area = padded;
  }
  area = area.first(wanted);
  out += fmt::format("# bm-bytes {};\n", wanted);
  for (std::uint32_t slot = 0; slot < metadata.slots; ++slot) {
    const std::size_t halves = (wanted / 4 + metadata.slots - 1 - slot) / metadata.slots;
    out += metadata.format == Format::V08 ? "bm {\n" : fmt::format("bitmap[{}] {{\n", slot);
    dump_slot(out, slot_words(area, metadata.slots, slot), metadata.slots, halves % 2 == 1);
    out += "}\n";
  }
  out += fmt::format("# bits-set {};\n", bits_of_last_slot(area, metadata.slots));
}

void dump_uuids(std::string& out, const Metadata& metadata, DumpOptions options) {
  out += fmt::format("uuid {{\n    0x{:016X}; 0x{:016X}; 0x{:016X}; 0x{:016X};\n    flags 0x{:08X};\n}}\n",
                     metadata.current_uuid, metadata.peers[0].bitmap_uuid, metadata.history_uuids[0],
                     metadata.history_uuids[1], options.real_flags ? to_superblock(metadata).flags : 0);
}

void dump_nodes(std::string& out, const Metadata& metadata) {
  out += fmt::format("node-id {};\ncurrent-uuid 0x{:016X};\nflags 0x{:08X};\n", metadata.node_id, metadata.current_uuid,
                     metadata.flags);
  for (std::size_t id = 0; id < kPeerRecords; ++id) {
    const PeerRecord& peer = metadata.peers[id];
    out += fmt::format(
        "peer[{}] {{\n    bitmap-index {};\n    bitmap-uuid 0x{:016X};\n    bitmap-dagtag 0x{:016X};\n    flags "
        "0x{:08X};{}\n}}\n",
        id, peer.bitmap_slot, peer.bitmap_uuid, peer.bitmap_dagtag, peer.flags, peer_flag_names(peer.flags));
  }
  out += "history-uuids {";
  for (std::size_t i = 0; i < kHistoryUuids; ++i)
    out += fmt::format("{}0x{:016X};", i % kWordsPerLine == 0 ? "\n        " : " ", metadata.history_uuids[i]);
  out += "\n}\n";
}

}  // namespace

FittedSize fit_size(const Metadata& metadata, const Layout& layout) {
  if (metadata.effective_sectors <= layout.usable_sectors) return {metadata.effective_sectors, {}};
  return {layout.usable_sectors, fmt::format("# la-size-sect was too big ({}), truncated ({})!\n",
                                             metadata.effective_sectors, layout.usable_sectors)};
}

std::string dump_text(const Metadata& metadata, const Layout& layout, ByteView area, DumpOptions options) {
  const bool v08 = metadata.format == Format::V08;
  std::string out = fmt::format("version \"{}\";\n\n", to_string(metadata.format));
  if (!metadata.clean())
    out +=
        "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n"
        "# You should \"apply-al\" first, if you plan to restore this.\n\n";
  if (!v08) out += fmt::format("max-peers {};\n", metadata.slots);
  out += fmt::format("# md_size_sect {}\n# md_offset {}\n# al_offset {}\n# bm_offset {}\n\n", layout.metadata_sectors,
                     layout.superblock_offset, layout.activity_log_offset, layout.bitmap_offset);
  if (v08)
    dump_uuids(out, metadata, options);
  else
    dump_nodes(out, metadata);
  const ActivityLogShape ring = metadata.shape().activity_log;
  out += fmt::format("# al-extents {};\nla-size-sect {};\nbm-byte-per-bit {};\ndevice-uuid 0x{:016X};\n",
                     metadata.activity_log_extents, metadata.effective_sectors, metadata.bytes_per_bit,
                     metadata.device_uuid);
  out += fmt::format("la-peer-max-bio-size {};\nal-stripes {};\nal-stripe-size-4k {};\n", metadata.peer_max_bio_bytes,
                     ring.stripes, ring.stripe_blocks);
  dump_bitmaps(out, metadata, area);
  return out;
}

Bytes area_of(const ParsedDump& dump, std::uint64_t bytes) {
  Bytes area(bytes, 0);
  for (std::size_t slot = 0; slot < dump.bitmaps.size(); ++slot) {
    // As drbdmeta: where the area ends within a word of some slots, all leave that word out; no device is that long.
    std::uint64_t left = bytes / 8 / dump.metadata.slots;
    std::vector<std::uint64_t> words;
    for (const WordRun& run : dump.bitmaps[slot]) {
      const std::uint64_t count = std::min(run.count, left);
      words.insert(words.end(), count, run.word);
      left -= count;
    }
    put_slot_words(area, dump.metadata.slots, static_cast<std::uint32_t>(slot), words);
  }
  return area;
}

}  // namespace bascule::drbd_metadata
