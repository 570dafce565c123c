#include "wire/cib/digest.h"

#include <gtest/gtest.h>

namespace bascule::cib {
namespace {

// What calculate_operation_digest() of Pacemaker 2.1.5 says.
TEST(CibDigest, IsThatOfPacemaker) {
  EXPECT_EQ(digest_of_parameters({}), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
  EXPECT_EQ(digest_of_parameters({{"b", "1"}, {"a", "2"}}), "6f23c84622126a8d8f078dc9bd1b16a0");
  EXPECT_EQ(digest_of_parameters({{"a", "<>&\"'"}}), "34da95d2f4fd45dd2a35845a8a64e9c1");
  EXPECT_EQ(digest_of_parameters({{"a", "x\ty"}}), "7b69de76e7ae09f98e5215a81bb01524");
  EXPECT_EQ(digest_of_parameters({{"a", "x\ny\r"}}), "1fa4c4859d6ee0f34eca2258efc12cc7");
  EXPECT_EQ(digest_of_parameters({{"a", "\xc3\xa9"}}), "0716cc68e30776f6996dcd576f9d3ca1");
  EXPECT_EQ(digest_of_parameters({{"a", "\x7f"}}), "3dc8c139336bf158eb0096b86f5eff5c");
  EXPECT_EQ(digest_of_parameters({{"a", ""}}), "f50be550c0acd98c63284591165f81e5");
  EXPECT_EQ(digest_of_parameters({{"a_b", "4"}, {"a-b", "3"}, {"a", "2"}, {"B", "1"}}),
            "8e3da905675c307cde4cf02307ebfd65");
}

TEST(CibDigest, TheLastOfOneNameCounts) {
  EXPECT_EQ(digest_of_parameters({{"a", "1"}, {"a", "2"}}), digest_of_parameters({{"a", "2"}}));
  EXPECT_NE(digest_of_parameters({{"a", "1"}, {"a", "2"}}), digest_of_parameters({{"a", "1"}}));
}

TEST(CibDigest, EscapesAsPacemakerWrites) { EXPECT_EQ(escaped("a\x01<\t"), "a\\001&lt;    "); }

}  // namespace
}  // namespace bascule::cib
