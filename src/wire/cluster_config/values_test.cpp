#include "wire/cluster_config/detail/values.h"

#include <gtest/gtest.h>

namespace bascule::config::detail {
namespace {

TEST(Values, Sizes) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("3K"), 3072u);
  EXPECT_EQ(parse_size("512M"), 512u << 20);
  EXPECT_EQ(parse_size("20GiB"), std::uint64_t{20} << 30);
  EXPECT_EQ(parse_size("1P"), std::uint64_t{1} << 50);
  for (const char* bad : {"", "G", "1GB", "1g", "1.5G", "-1", " 1G", "1G ", "99999999999999999999", "9999P", "1Kib"})
    EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Values, Durations) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("2s"), seconds(2));
  EXPECT_EQ(parse_duration("1m"), seconds(60));
  EXPECT_EQ(parse_duration("1min"), seconds(60));
  EXPECT_EQ(parse_duration("24h"), seconds(86400));
  for (const char* bad :
       {"", "5", "s", "5 s", "5sec", "25h", "86400001ms", "-1s", "99999999999999999999s", "86400000h"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Values, Addresses) {
  EXPECT_EQ(parse_address("10.0.0.1"), "10.0.0.1");
  EXPECT_EQ(parse_address("FD00:0:0::1"), "fd00::1");
  for (const char* bad : {"", "10.0.0", "10.0.0.256", "fe80::1%eth0", "10.0.0.1/24", "[::1]", "alice"})
    EXPECT_FALSE(parse_address(bad)) << bad;
  EXPECT_FALSE(parse_address(std::string_view("10.0.0.1\0", 9)));
  EXPECT_EQ(parse_address_with_prefix("fd00::1/128")->prefix, 128u);
  for (const char* bad : {"10.0.0.1", "10.0.0.1/", "10.0.0.1/0", "10.0.0.1/33", "10.0.0.1/24x", "/24", "fd00::1/129"})
    EXPECT_FALSE(parse_address_with_prefix(bad)) << bad;
}

TEST(Values, NearestWord) {
  EXPECT_EQ(nearest("adress", {"address", "role"}), "address");
  EXPECT_EQ(nearest("lease", {"name", "lease_ms"}), "lease_ms");
  EXPECT_FALSE(nearest("colour", {"address", "role"}));
  EXPECT_FALSE(nearest(std::string(1000, 'a'), {"a"}));
}

}  // namespace
}  // namespace bascule::config::detail
