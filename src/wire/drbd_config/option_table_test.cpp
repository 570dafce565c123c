#include "wire/drbd_config/option_table.h"

#include <gtest/gtest.h>

#include "wire/drbd_config/detail/option.h"
#include "wire/drbd_config/detail/quantity.h"

namespace bascule::drbd_config {
namespace {

using detail::Kind;
using detail::Option;

TEST(Quantity, SuffixesAreDividedByTheUnit) {
  EXPECT_EQ(detail::parse_quantity("10", 1), 10);
  EXPECT_EQ(detail::parse_quantity("10", 1024), 10);
  EXPECT_EQ(detail::parse_quantity("10k", 1024), 10);
  EXPECT_EQ(detail::parse_quantity("10M", 1024), 10240);
  EXPECT_EQ(detail::parse_quantity("4G", 1024), 4194304);
  EXPECT_EQ(detail::parse_quantity("1G", 512), 2097152);
  EXPECT_EQ(detail::parse_quantity("7s", 1), 3584);
  EXPECT_EQ(detail::parse_quantity("-1", 1), -1);
}

TEST(Quantity, WhatIsNoMultipleIsRoundedUp) {
  EXPECT_EQ(detail::parse_quantity("1s", 1024), 1);
  EXPECT_EQ(detail::parse_quantity("8388609s", 1024), 4194305);
}

TEST(Quantity, AnythingElseIsNothing) {
  for (const char* bad : {"", "k", "x", "5x", "1.5", "5kk", " 5", "5 ", "+5", "99999999999999999999",
                          "9223372036854775807g", "-5k", "--1"})
    EXPECT_FALSE(detail::parse_quantity(bad, 1)) << bad;
}

class EveryOption : public testing::TestWithParam<Option> {};

std::vector<std::string> good_values(const Option& option) {
  if (option.kind == Kind::number) {
    const std::string unit = detail::suffix_of(option.unit_bytes);
    return {std::to_string(option.low) + (option.low < 0 ? "" : unit), std::to_string(option.high) + unit};
  }
  if (option.kind == Kind::text) return {"sha1", std::string(static_cast<std::size_t>(option.high), 'x')};
  return {option.words.begin(), option.words.end()};
}

std::vector<std::string> bad_values(const Option& option) {
  if (option.kind == Kind::number)
    return {std::to_string(option.low - 1), std::to_string(option.high + 1), "", "many", "1T"};
  if (option.kind == Kind::text) return {std::string(static_cast<std::size_t>(option.high) + 1, 'x')};
  return {"", "maybe", "YES", "true"};
}

TEST_P(EveryOption, TakesItsValuesAndGivesThemBack) {
  const Option& option = GetParam();
  for (const auto& value : good_values(option)) {
    Options options;
    const auto result = set(options, option.section, option.name, value);
    ASSERT_TRUE(result.has_value()) << result.error().text();
    EXPECT_EQ(text_of(options, option.section, option.name), value);
  }
}

TEST_P(EveryOption, ItsDefaultIsOneOfItsValues) {
  const Option& option = GetParam();
  const Options fresh;
  const std::string text = text_of(fresh, option.section, option.name);
  Options options;
  EXPECT_TRUE(set(options, option.section, option.name, text).has_value()) << text;
  EXPECT_EQ(options, fresh);
}

TEST_P(EveryOption, RefusesOthersInWordsAndChangesNothing) {
  const Option& option = GetParam();
  for (const auto& value : bad_values(option)) {
    Options options;
    const auto result = set(options, option.section, option.name, value);
    ASSERT_FALSE(result.has_value()) << value;
    EXPECT_EQ(result.error().where, std::string(name_of(option.section)) + "." + std::string(option.name));
    if (option.kind != Kind::text) {
      EXPECT_NE(result.error().why.find(value), std::string::npos);
    }
    EXPECT_FALSE(result.error().hint.empty());
    EXPECT_EQ(options, Options{});
  }
}

std::string test_name(const testing::TestParamInfo<Option>& info) {
  std::string name = std::string(name_of(info.param.section)) + "_" + std::string(info.param.name);
  for (char& c : name)
    if (c == '-') c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, EveryOption, testing::ValuesIn(detail::all_options()), test_name);

TEST(OptionTable, NamesMeanWhatTheySay) {
  Options options;
  ASSERT_TRUE(set(options, Section::net, "protocol", "A").has_value());
  EXPECT_EQ(options.net.protocol, Protocol::A);
  ASSERT_TRUE(set(options, Section::disk, "size", "10G").has_value());
  EXPECT_EQ(options.disk.size_sectors, 20971520u);
  ASSERT_TRUE(set(options, Section::disk, "rate", "30M").has_value());
  EXPECT_EQ(options.disk.resync_rate_kib_per_s, 30720u);
  ASSERT_TRUE(set(options, Section::disk, "read-balancing", "1M-striping").has_value());
  EXPECT_EQ(options.disk.read_balancing, ReadBalancing::striping_1m);
  ASSERT_TRUE(set(options, Section::net, "after-sb-1pri", "consensus").has_value());
  EXPECT_EQ(options.net.after_sb_1pri, AfterSplitBrain1::consensus);
}

TEST(OptionTable, OptionsStandInTheirOwnSection) {
  Options options;
  EXPECT_FALSE(set(options, Section::disk, "protocol", "A").has_value());
  const auto result = set(options, Section::net, "max-bufers", "1");
  ASSERT_FALSE(result.has_value());
  EXPECT_NE(result.error().hint.find("max-buffers"), std::string::npos);
}

TEST(OptionTable, HandlersHaveTheirNames) {
  Options options;
  EXPECT_TRUE(set(options, Section::handlers, "outdate-peer", "/bin/x").has_value());
  EXPECT_EQ(text_of(options, Section::handlers, "fence-peer"), "/bin/x");
  EXPECT_FALSE(set(options, Section::handlers, "fence-pear", "/bin/x").has_value());
  EXPECT_FALSE(set(options, Section::handlers, "fence-peer", "").has_value());
}

struct Combination {
  const char* name;
  std::vector<std::vector<const char*>> settings;  ///< section, name, value
  const char* where;                               ///< "": allowed
};

class Combinations : public testing::TestWithParam<Combination> {};

TEST_P(Combinations, AreCheckedAsDrbdDoes) {
  Options options;
  for (const auto& setting : GetParam().settings) {
    const Section section = std::string_view(setting[0]) == "net" ? Section::net : Section::disk;
    ASSERT_TRUE(set(options, section, setting[1], setting[2]).has_value());
  }
  const auto result = check(options);
  EXPECT_EQ(result.has_value() ? "" : result.error().where, GetParam().where);
}

const std::vector<Combination> combinations{
    {"Defaults", {}, ""},
    {"TwoPrimariesB", {{"net", "protocol", "B"}, {"net", "allow-two-primaries", "yes"}}, "net.allow-two-primaries"},
    {"TwoPrimariesC", {{"net", "allow-two-primaries", "yes"}}, ""},
    {"PullAheadC", {{"net", "on-congestion", "pull-ahead"}}, "net.on-congestion"},
    {"DisconnectB", {{"net", "protocol", "B"}, {"net", "on-congestion", "disconnect"}}, "net.on-congestion"},
    {"PullAheadA", {{"net", "protocol", "A"}, {"net", "on-congestion", "pull-ahead"}}, ""},
    {"StonithA", {{"net", "protocol", "A"}, {"disk", "fencing", "resource-and-stonith"}}, "disk.fencing"},
    {"ResourceOnlyA", {{"net", "protocol", "A"}, {"disk", "fencing", "resource-only"}}, ""},
    {"StonithB", {{"net", "protocol", "B"}, {"disk", "fencing", "resource-and-stonith"}}, ""},
    {"TimeoutOfPing", {{"net", "ping-int", "6"}}, "net.timeout"},
    {"TimeoutBelowPing", {{"net", "ping-int", "6"}, {"net", "timeout", "59"}}, ""},
    {"TimeoutOfConnect", {{"net", "connect-int", "5"}}, "net.timeout"},
    {"UnknownVerify", {{"net", "verify-alg", "crc33"}}, "net.verify-alg"},
    {"KnownVerify", {{"net", "verify-alg", "crc32c"}}, ""},
    {"UnknownChecksum", {{"net", "csums-alg", "md4"}}, "net.csums-alg"},
    {"UnknownIntegrity", {{"net", "data-integrity-alg", "hmac(sha1)"}}, "net.data-integrity-alg"},
    {"WeakAuthentication", {{"net", "cram-hmac-alg", "crc32c"}, {"net", "shared-secret", "s"}}, "net.cram-hmac-alg"},
    {"NoSecret", {{"net", "cram-hmac-alg", "sha1"}}, "net.cram-hmac-alg"},
    {"Authentication", {{"net", "cram-hmac-alg", "sha1"}, {"net", "shared-secret", "s"}}, ""},
};

INSTANTIATE_TEST_SUITE_P(All, Combinations, testing::ValuesIn(combinations),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace bascule::drbd_config
