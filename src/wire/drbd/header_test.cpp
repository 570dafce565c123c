#include "wire/drbd/header.h"

#include <gtest/gtest.h>

namespace bascule::drbd {
namespace {

Bytes encoded(const Header& header) {
  Bytes out;
  encode_header(out, header);
  return out;
}

TEST(Header, LayoutsAreThoseOfTheFormat) {
  EXPECT_EQ(encoded({.kind = HeaderKind::H80, .command = 0xfff2}), (Bytes{0x83, 0x74, 0x02, 0x67, 0xff, 0xf2, 0, 0}));
  EXPECT_EQ(encoded({.kind = HeaderKind::H95, .command = 2, .length = 0x10018}),
            (Bytes{0x83, 0x5a, 0, 2, 0, 1, 0, 0x18}));
  EXPECT_EQ(encoded({.kind = HeaderKind::H100, .volume = 3, .command = 0x1d, .length = 4}),
            (Bytes{0x86, 0x20, 0xec, 0x20, 0, 3, 0, 0x1d, 0, 0, 0, 4, 0, 0, 0, 0}));
}

TEST(Header, KindFollowsTheAgreedVersion) {
  EXPECT_EQ(header_kind(0, 72), HeaderKind::H80);
  EXPECT_EQ(header_kind(94, 32792), HeaderKind::H80);
  EXPECT_EQ(header_kind(95, 32768), HeaderKind::H80);
  EXPECT_EQ(header_kind(95, 32769), HeaderKind::H95);
  EXPECT_EQ(header_kind(100, 0), HeaderKind::H100);
  EXPECT_EQ(header_kind(101, 1 << 20), HeaderKind::H100);
}

TEST(Header, EachKindReadsBack) {
  for (const std::uint32_t version : {0U, 94U, 95U, 99U, 100U, 101U}) {
    const Header header{.kind = header_kind(version, 40000),
                        .volume = static_cast<std::uint16_t>(version >= 100 ? 7 : 0),
                        .command = 0x21,
                        .length = 40000};
    const auto read = decode_header(encoded(header), version);
    ASSERT_TRUE(read && *read) << version;
    EXPECT_EQ((*read)->volume, header.volume);
    EXPECT_EQ((*read)->command, header.command);
    EXPECT_EQ((*read)->length, header.length);
  }
}

TEST(Header, IncompleteIsNotAnError) {
  const Bytes bytes = encoded({.kind = HeaderKind::H100, .command = 0x13});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = decode_header(ByteView(bytes).first(size), 101);
    ASSERT_TRUE(read);
    EXPECT_FALSE(*read);
  }
}

TEST(Header, WrongMagicIsSaidAfterFourBytes) {
  const auto read = decode_header(Bytes{'G', 'E', 'T', ' '}, 101);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().where, "magic");
  EXPECT_NE(read.error().why.find("0x47455420"), std::string::npos);
}

TEST(Header, AnotherVersionsHeaderIsRefused) {
  EXPECT_FALSE(decode_header(encoded({.kind = HeaderKind::H80, .command = 0x13}), 101));
  EXPECT_FALSE(decode_header(encoded({.kind = HeaderKind::H95, .command = 0x13}), 101));
  EXPECT_FALSE(decode_header(encoded({.kind = HeaderKind::H100, .command = 0x13}), 0));
  EXPECT_FALSE(decode_header(encoded({.kind = HeaderKind::H95, .command = 0x13}), 94));
}

TEST(Header, PadMustBeZero) {
  Bytes bytes = encoded({.kind = HeaderKind::H100, .command = 0x13});
  bytes[15] = 1;
  const auto read = decode_header(bytes, 101);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().where, "pad");
}

}  // namespace
}  // namespace bascule::drbd
