#include "wire/drbd_metadata/metadata.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/drbd_metadata/activity_log.h"

namespace bascule::drbd_metadata {
namespace {

constexpr std::size_t kWordsPerLine = 4;
constexpr std::size_t kWordsPerHeading = 32;
constexpr std::uint64_t kKibPerWord = 256;

std::string dump_uuids(const Superblock& superblock) {
  return fmt::format("uuid {{\n    0x{:016X}; 0x{:016X}; 0x{:016X}; 0x{:016X};\n    flags 0x{:08X};\n}}\n",
                     superblock.current_uuid, superblock.bitmap_uuid, superblock.history_uuids[0],
                     superblock.history_uuids[1], superblock.flags);
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

std::string dump_bitmap(const Superblock& superblock, const Bitmap& bitmap) {
  std::vector<std::uint64_t> words = bitmap.words();
  words.resize(bitmap_bytes_for(superblock.effective_sectors) / 8, 0);
  std::string out = fmt::format("# bm-bytes {};\nbm {{\n", words.size() * 8);
  for (std::size_t at = 0; at < words.size();) {
    if (at % kWordsPerHeading == 0) out += fmt::format("   # at {}kB\n", at * kKibPerWord);
    at += dump_words(out, words, at);
  }
  return out + fmt::format("}}\n# bits-set {};\n", bitmap.count());
}

}  // namespace

Result<InitialMetadata> create_v08(std::uint64_t capacity_bytes) {
  const auto layout = internal_layout(capacity_bytes);
  if (!layout) return tl::unexpected(layout.error());
  InitialMetadata initial{.layout = *layout, .superblock = {}, .image = {}};
  initial.superblock.flags = flag::kActivityLogClean;
  initial.superblock.metadata_sectors = layout->metadata_sectors;
  initial.superblock.activity_log_offset_sectors = layout->activity_log_offset_sectors;
  initial.superblock.bitmap_offset_sectors = layout->bitmap_offset_sectors;
  const Bytes block = encode_transaction({.type = TransactionType::Initialised});
  ByteWriter writer(initial.image);
  for (std::uint64_t i = 0; i < ActivityLogShape{}.blocks(); ++i) writer.bytes(block);
  writer.bytes(encode_superblock(initial.superblock));
  return initial;
}

Bytes encode_bitmap(const Bitmap& bitmap) {
  Bytes bytes;
  ByteWriter writer(bytes);
  for (const std::uint64_t word : bitmap.words()) writer.little(word);
  bytes.resize((bytes.size() + kBlockBytes - 1) / kBlockBytes * kBlockBytes, 0);
  return bytes;
}

Result<void> decode_bitmap(ByteView bytes, Bitmap& bitmap, std::uint64_t first_bit) {
  if (first_bit % 64 != 0 || bytes.size() % 8 != 0)
    return fail("bitmap cannot be read", fmt::format("bit {}", first_bit),
                fmt::format("{} bytes from there are not whole words", bytes.size()));
  ByteReader reader(bytes);
  for (std::size_t word = first_bit / 64; word < bitmap.words().size() && reader.remaining() > 0; ++word)
    bitmap.or_word(word, reader.little<std::uint64_t>());
  return {};
}

std::string dump(const Superblock& superblock, const Layout& layout, const Bitmap& bitmap) {
  std::string out = "version \"v08\";\n\n";
  if (superblock.unclean)
    out +=
        "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n"
        "# You should \"apply-al\" first, if you plan to restore this.\n\n";
  out += fmt::format("# md_size_sect {}\n# md_offset {}\n# al_offset {}\n# bm_offset {}\n\n", layout.metadata_sectors,
                     layout.superblock_offset, layout.activity_log_offset, layout.bitmap_offset);
  out += dump_uuids(superblock);
  out += fmt::format("# al-extents {};\nla-size-sect {};\nbm-byte-per-bit {};\ndevice-uuid 0x{:016X};\n",
                     superblock.activity_log_extents, superblock.effective_sectors, superblock.bytes_per_bit,
                     superblock.device_uuid);
  out += fmt::format("la-peer-max-bio-size {};\nal-stripes {};\nal-stripe-size-4k {};\n", superblock.peer_max_bio_bytes,
                     superblock.activity_log.stripes, superblock.activity_log.stripe_blocks);
  return out + dump_bitmap(superblock, bitmap);
}

}  // namespace bascule::drbd_metadata
