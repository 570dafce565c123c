#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "wire/drbd_config/detail/option.h"
#include "wire/drbd_config/detail/quantity.h"
#include "wire/drbd_config/document.h"
#include "wire/drbd_config/option_table.h"
#include "wire/drbd_config/resolve.h"

namespace bascule::drbd_config {
namespace {

using detail::Kind;
using detail::Option;

Result<std::vector<Source>> nothing(const std::string&, const std::string&) { return fail("no files here"); }

/// Any value that the option takes, quotes and backslashes included.
std::string any_value(const Option& option) {
  if (option.kind == Kind::number)
    return std::to_string(*rc::gen::inRange(option.low, option.high + 1)) +
           (option.low < 0 ? "" : detail::suffix_of(option.unit_bytes));
  if (option.kind == Kind::text)
    return *rc::gen::container<std::string>(*rc::gen::inRange<std::size_t>(1, 20), rc::gen::inRange<char>(' ', '\x7f'));
  return *rc::gen::elementOf(option.words);
}

Settings any_settings(Section section) {
  Settings settings;
  for (const auto& option : detail::all_options()) {
    if (option.section != section || option.name == "resync-after" || !*rc::gen::arbitrary<bool>()) continue;
    settings.push_back({std::string(option.name), {any_value(option)}, {}});
  }
  return settings;
}

Host any_host(const std::string& name, const std::string& address) {
  Host host;
  host.names = {name};
  host.address = Address{"ipv4", address, *rc::gen::inRange<std::uint16_t>(1, 65535)};
  VolumeText volume;
  volume.implicit = *rc::gen::arbitrary<bool>();
  volume.minor = *rc::gen::inRange<std::uint32_t>(0, 1048576);
  if (*rc::gen::arbitrary<bool>()) volume.device = "/dev/drbd_" + name;
  volume.disk = "/dev/" + *rc::gen::container<std::string>(5, rc::gen::inRange<char>(' ', '\x7f'));
  volume.meta_disk = *rc::gen::element<std::string>("internal", "/dev/sdc", "/dev/a b");
  if (volume.meta_disk != "internal" && *rc::gen::arbitrary<bool>())
    volume.meta_index = *rc::gen::inRange<std::uint32_t>(0, 1000);
  host.volumes = {volume};
  return host;
}

Document any_document() {
  Document document;
  document.file = "f";
  Resource resource;
  resource.name = "r0";
  resource.at = {"f", 1, 1};
  resource.hosts = {any_host("alice", "10.0.0.1"), any_host("bob", "10.0.0.2")};
  resource.sections.net = any_settings(Section::net);
  resource.sections.disk = any_settings(Section::disk);
  resource.sections.options = any_settings(Section::options);
  document.resources = {resource};
  if (*rc::gen::arbitrary<bool>()) document.common = Sections{any_settings(Section::options), {}, {}, {}, {}, {}, {}};
  return document;
}

std::string without_place(const std::string& text) {
  const auto start = text.find("# defined at");
  return start == std::string::npos ? text : text.substr(0, start) + text.substr(text.find('\n', start));
}

RC_GTEST_PROP(RoundTrip, WhatIsDumpedIsReadAsTheSame, ()) {
  const Document document = any_document();
  const std::string text = dump(document, "alice");
  const auto again = parse({"f", text}, nothing);
  if (!again) RC_FAIL(again.error().text() + "\n" + text);
  RC_ASSERT(without_place(dump(*again, "alice")) == without_place(text));
}

RC_GTEST_PROP(RoundTrip, OptionsKeepTheirValues, ()) {
  Options options;
  for (const auto& option : detail::all_options())
    RC_ASSERT(set(options, option.section, option.name, any_value(option)).has_value());
  Options again;
  for (const auto& option : detail::all_options())
    RC_ASSERT(set(again, option.section, option.name, text_of(options, option.section, option.name)).has_value());
  RC_ASSERT(again == options);
}

TEST(Resolve, TheResourceWinsOverCommonAndTheLastOverTheFirst) {
  const auto document = parse({"m",
                               "common { net { timeout 40; max-buffers 100; fencing resource-only; } }\n"
                               "resource r { net { timeout 50; timeout 30; } disk { size 1G; }\n"
                               "volume 0 { disk { size 2G; resync-after x/0; } } startup { wfc-timeout 5; } }"},
                              nothing);
  ASSERT_TRUE(document.has_value()) << document.error().text();
  const auto resolved = resolve(*document, document->resources.at(0));
  ASSERT_TRUE(resolved.has_value()) << resolved.error().text();
  EXPECT_EQ(resolved->options.net.timeout_ds, 30u);
  EXPECT_EQ(resolved->options.net.max_buffers, 100u);
  EXPECT_EQ(resolved->options.disk.fencing, Fencing::resource_only);
  EXPECT_EQ(resolved->options.disk.size_sectors, 4194304u);
  EXPECT_EQ(resolved->resync_after, "x/0");
  ASSERT_EQ(resolved->left_over.size(), 1u);
  EXPECT_EQ(resolved->left_over[0].setting.name, "wfc-timeout");
}

TEST(Resolve, ACombinationThatDrbdRefusesNamesTheResource) {
  const auto document = parse({"m", "\nresource r { protocol B; net { allow-two-primaries; } }"}, nothing);
  ASSERT_TRUE(document.has_value());
  const auto resolved = resolve(*document, document->resources.at(0));
  ASSERT_FALSE(resolved.has_value());
  EXPECT_EQ(resolved.error().where, "m:2:1, net.allow-two-primaries");
}

}  // namespace
}  // namespace bascule::drbd_config
