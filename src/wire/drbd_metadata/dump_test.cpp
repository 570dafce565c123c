#include "wire/drbd_metadata/dump.h"

#include <gtest/gtest.h>

#include "base/prng.h"
#include "wire/drbd_metadata/detail/random_metadata.h"
#include "wire/drbd_metadata/detail/test_files.h"

namespace bascule::drbd_metadata {
namespace {

using detail::Tail;

/// An image of a real device and what the real drbdmeta printed for it.
struct Pair {
  const char* image;
  const char* text;
};

class RealDumps : public ::testing::TestWithParam<Pair> {};

TEST_P(RealDumps, AreOursByteForByte) {
  const Tail tail(GetParam().image);
  const auto metadata = decode_metadata(tail.superblock());
  ASSERT_TRUE(metadata) << metadata.error().text();
  const auto place = layout(Placement::internal(), 64 << 20, 64 << 20, metadata->shape());
  ASSERT_TRUE(place);
  EXPECT_TRUE(check(*metadata, *place));
  EXPECT_EQ(dump_text(*metadata, *place, tail.bitmap()), detail::body_of(detail::read_text(GetParam().text)));
}

INSTANTIATE_TEST_SUITE_P(Fixtures, RealDumps,
                         ::testing::Values(Pair{"guest-a-final", "guest-a-final.dump.txt"},
                                           Pair{"guest-b-final", "guest-b-final.dump.txt"},
                                           Pair{"crashed-primary.a", "crashed-primary.a.dump.txt"},
                                           Pair{"crashed-primary.b", "crashed-primary.b.dump.txt"},
                                           Pair{"v08-virgin-64M", "v08-virgin-64M.dump.txt"},
                                           Pair{"v08-restored", "v08-restored.dump.txt"},
                                           Pair{"v09-virgin-64M", "v09-virgin-64M.dump.txt"},
                                           Pair{"v09-converted", "v09-converted-from-v08.dump.txt"}));

/// Everything a dump of `metadata` keeps: neither places nor reserved fields nor the members.
Metadata dumped(Metadata metadata) {
  metadata.metadata_sectors = 0;
  metadata.activity_log_offset_sectors = metadata.bitmap_offset_sectors = 0;
  metadata.activity_log_extents = Metadata{}.activity_log_extents;
  metadata.members = 0;
  metadata.reserved = {};
  for (PeerRecord& peer : metadata.peers) peer.reserved = 0;
  metadata.activity_log = metadata.shape().activity_log;
  return metadata;
}

/// Where the area ends within a word of some slots, a restore leaves that word of all slots out.
void clear_incomplete_words(Bytes& area, std::uint32_t slots) {
  const std::size_t complete = area.size() / 8 / slots * 8 * slots;
  std::fill(area.begin() + static_cast<std::ptrdiff_t>(complete), area.end(), Byte{0});
}

TEST(ParseDump, ReadsBackWhatDumpTextWrites) {
  Prng prng(7);
  for (int i = 0; i < 100; ++i) {
    detail::RandomMetadata random = detail::random_metadata(prng);
    random.metadata.unclean = false;
    random.metadata.flags |= flag::kActivityLogClean;
    clear_incomplete_words(random.area, random.metadata.slots);
    const std::string text = dump_text(random.metadata, random.layout, random.area, {.real_flags = true});
    const auto parsed = parse_dump(text);
    ASSERT_TRUE(parsed) << parsed.error().text() << "\n" << text;
    EXPECT_EQ(dumped(parsed->metadata), dumped(random.metadata)) << text;
    Metadata again = parsed->metadata;
    again.activity_log_extents = random.metadata.activity_log_extents;
    const Bytes area = area_of(*parsed, random.area.size());
    EXPECT_EQ(dump_text(again, random.layout, area, {.real_flags = true}), text);
  }
}

/// 19 slots: 4096 bytes give 17 of them 27 words and two of them 26 and a half. Seen with the real tool: the count at
/// the end includes the last slot's half word, and a restore takes 26 words of each.
TEST(DumpText, CountsTheHalfWordOfTheLastSlotAndRestoreLeavesItOut) {
  const MetadataShape shape{.slots = 19};
  const Layout place = *layout(Placement::internal(), 0, 64 << 20, shape);
  Metadata metadata = *create({.format = Format::V09, .shape = shape}, place);
  metadata.effective_sectors = 1016;
  Bytes area(4096, 0);
  constexpr std::size_t kHalfWordOfTheLastSlot = (52 * 19 + 18) * 4;
  area[kHalfWordOfTheLastSlot] = 0x0f;
  area[0] = 0x01;
  const std::string text = dump_text(metadata, place, area);
  EXPECT_TRUE(text.ends_with("# bits-set 4;\n")) << text.substr(text.size() - 40);
  area[(52 * 19) * 4] = 0xff;  // of the first slot's 27th word
  const auto parsed = parse_dump(dump_text(metadata, place, area));
  ASSERT_TRUE(parsed) << parsed.error().text();
  clear_incomplete_words(area, 19);
  EXPECT_EQ(area_of(*parsed, 4096), area);
  EXPECT_EQ(area[0], 0x01);
}

TEST(ParseDump, ReadsTheInputOfARealRestore) {
  const auto parsed = parse_dump(detail::read_text("v08-restore-input.txt"));
  ASSERT_TRUE(parsed) << parsed.error().text();
  const Tail restored("v08-restored");
  auto expected = decode_metadata(restored.superblock());
  ASSERT_TRUE(expected);
  Metadata metadata = parsed->metadata;
  place(metadata, *internal_layout(64 << 20));
  EXPECT_EQ(metadata, *expected);
  EXPECT_EQ(area_of(*parsed, 4096), Bytes(restored.bitmap().begin(), restored.bitmap().end()));
}

struct Wrong {
  const char* from;
  const char* to;
  const char* where;
  const char* why;
};

class WrongDumps : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongDumps, SayWhereAndWhy) {
  std::string text = detail::body_of(detail::read_text("v09-virgin-64M.dump.txt"));
  const std::size_t at = text.find(GetParam().from);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, std::string_view(GetParam().from).size(), GetParam().to);
  const auto parsed = parse_dump(text);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().where, GetParam().where);
  EXPECT_NE(parsed.error().why.find(GetParam().why), std::string::npos) << parsed.error().text();
}

INSTANTIATE_TEST_SUITE_P(
    OneMistake, WrongDumps,
    ::testing::Values(Wrong{"\"v09\"", "\"v07\"", "line 1, column 9", "no format"},
                      Wrong{"max-peers 1", "max-peers 32", "line 3, column 11", "the most is 31"},
                      Wrong{"max-peers 1", "max-peers 0", "line 3, column 1", "without any peer"},
                      Wrong{"node-id -1", "node-id 32", "line 9, column 9", "the most is 31"},
                      Wrong{"flags 0x00000080", "flags 80", "line 11, column 7", "hexadecimal"},
                      Wrong{"peer[1]", "peer[40]", "line 18, column 6", "the most is 31"},
                      Wrong{"bitmap-index -1", "bitmap-index 1", "line 13, column 18", "the most is 0"},
                      Wrong{"bitmap[0] {", "bitmap[1] {", "line 222, column 8", "slot 1 instead of 0"},
                      Wrong{"# bits-set 0;", "more", "line 224, column 1", "end of the file"},
                      Wrong{"bm-byte-per-bit 4096", "bm-byte-per-bit 8192", "line 216, column 1", "only 4096"},
                      Wrong{"al-stripes 1", "al-stripes 0", "line 219, column 1", "ring of 0 blocks"}));

TEST(ParseDump, RefusesEveryBeginningOfADump) {
  const std::string text = detail::body_of(detail::read_text("v08-restored.dump.txt"));
  EXPECT_NE(parse_dump(text).error().why.find("unclean"), std::string::npos);
  const std::string whole = detail::body_of(detail::read_text("v09-converted-from-v08.dump.txt"));
  ASSERT_TRUE(parse_dump(whole));
  const std::size_t end = whole.rfind('}');
  for (std::size_t length = 0; length <= end; length += 7) EXPECT_FALSE(parse_dump(whole.substr(0, length))) << length;
}

TEST(ParseDump, ARepetitionWithoutEndTakesNoMemory) {
  std::string text = detail::body_of(detail::read_text("v09-virgin-64M.dump.txt"));
  text.replace(text.find("bitmap[0] {\n") + 12, 0,
               "18446744073709551615 times 0xFFFFFFFFFFFFFFFF;\n9 times 0xFFFFFFFFFFFFFFFF;\n");
  const auto parsed = parse_dump(text);
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(area_of(*parsed, 4096), Bytes(4096, 0xff));
}

TEST(FitSize, SaysWhenTheLastAgreedSizeIsTooBig) {
  Metadata metadata;
  const Layout place = *internal_layout(64 << 20);
  metadata.effective_sectors = place.usable_sectors;
  EXPECT_EQ(fit_size(metadata, place).remark, "");
  metadata.effective_sectors = 1000000000;
  EXPECT_EQ(fit_size(metadata, place).sectors, 130992U);
  EXPECT_EQ(fit_size(metadata, place).remark, "# la-size-sect was too big (1000000000), truncated (130992)!\n");
}

}  // namespace
}  // namespace bascule::drbd_metadata
