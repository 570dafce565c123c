#include "edge/cli/import_drbd.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/test_directory.h"
#include "edge/cli/command_line.h"
#include "wire/cluster_config/config.h"

namespace bascule::cli {
namespace {

const std::string hosts =
    "on alice { device /dev/drbd0; disk /dev/sdb1; address 10.0.0.1:7789; meta-disk internal; }\n"
    "on bob { device /dev/drbd0; disk /dev/sdb2; address 10.0.0.2:7789; meta-disk /dev/sdc[3]; }\n";

std::string resource(const std::string& body) { return "resource data {\n" + body + hosts + "}\n"; }

Result<Imported> imported(const std::string& text, const std::string& node = "alice") {
  const auto document = drbd_config::parse({"drbd.conf", text}, [](const auto&, const auto&) {
    return Result<std::vector<drbd_config::Source>>(fail("no files here"));
  });
  if (!document) return tl::unexpected(document.error());
  return import_drbd(*document, node);
}

config::ClusterConfig config_of(const std::string& text, const std::string& node = "alice") {
  const auto result = imported(text, node);
  if (!result) {
    ADD_FAILURE() << result.error().text();
    return {};
  }
  auto config = config::parse(result->toml, "cluster.toml");
  if (!config) ADD_FAILURE() << config.error().text() << "\n" << result->toml;
  return config.value_or(config::ClusterConfig{});
}

TEST(ImportDrbd, AResourceBecomesAVolumeOfTheOperator) {
  const auto config = config_of(resource(""));
  ASSERT_EQ(config.volumes.size(), 1u);
  const config::Volume& volume = config.volumes[0];
  EXPECT_EQ(volume.name, "data");
  EXPECT_TRUE(volume.operator_decides);
  EXPECT_EQ(volume.disk, (std::map<std::string, std::string>{{"alice", "/dev/sdb1"}, {"bob", "/dev/sdb2"}}));
  EXPECT_EQ(volume.metadata, (std::map<std::string, std::string>{{"alice", "internal"}, {"bob", "/dev/sdc[3]"}}));
  EXPECT_EQ(volume.port, 7789);
  EXPECT_EQ(volume.options, drbd_config::Options{});
  EXPECT_EQ(config.node("alice")->role, config::NodeRole::data);
  EXPECT_EQ(config.node("bob")->role, config::NodeRole::peer);
  EXPECT_EQ(config.node("bob")->address, "10.0.0.2");
}

TEST(ImportDrbd, MetadataApartAreTakenAsTheyAre) {
  const auto config = config_of(
      "resource one { on alice { device /dev/drbd0; disk /dev/sdb1; address 10.0.0.1:1; flexible-meta-disk /dev/sdd; "
      "}\n"
      "on bob { device /dev/drbd0; disk /dev/sdb1; address 10.0.0.2:1; meta-disk /dev/sdc[0]; } }\n"
      "resource two { on alice { device /dev/drbd1; disk /dev/sdb2; address 10.0.0.1:2; meta-disk /dev/sde; }\n"
      "on bob { device /dev/drbd1; disk /dev/sdb2; address 10.0.0.2:2; meta-disk /dev/sdc[1]; } }\n");
  ASSERT_EQ(config.volumes.size(), 2u);
  using Places = std::map<std::string, std::string>;
  EXPECT_EQ(config.volumes[0].metadata, (Places{{"alice", "/dev/sdd"}, {"bob", "/dev/sdc[0]"}}));
  EXPECT_EQ(config.volumes[1].metadata, (Places{{"alice", "/dev/sde"}, {"bob", "/dev/sdc[1]"}}));
}

TEST(ImportDrbd, OptionsOfCommonAndResourceAreMerged) {
  const auto config = config_of(
      "common { protocol A; net { max-buffers 100; shared-secret \"a\\\"b\\\\c\"; verify-alg md5; timeout 40; }\n"
      "handlers { split-brain \"/bin/x \\\"root\\\"\"; } disk { resync-rate 33M; } }\n" +
      resource("protocol B; net { max-buffers 8000; no-tcp-cork; } syncer { rate 10M; }\n"
               "options { on-no-data-accessible suspend-io; }\n"));
  ASSERT_EQ(config.volumes.size(), 1u);
  const auto& options = config.volumes[0].options;
  EXPECT_EQ(options.net.protocol, drbd_config::Protocol::B);
  EXPECT_EQ(options.net.max_buffers, 8000u);
  EXPECT_EQ(options.net.shared_secret, "a\"b\\c");
  EXPECT_EQ(options.net.verify_alg, "md5");
  EXPECT_EQ(options.net.timeout_ds, 40u);
  EXPECT_FALSE(options.net.tcp_cork);
  EXPECT_EQ(options.disk.resync_rate_kib_per_s, 10240u);
  EXPECT_EQ(options.handlers.at("split-brain"), "/bin/x \"root\"");
  EXPECT_EQ(options.resource.on_no_data_accessible, drbd_config::OnNoDataAccessible::suspend_io);
}

TEST(ImportDrbd, ResyncAfterBecomesAMinor) {
  const std::string second =
      "resource more { disk { resync-after data; }\n"
      "on alice { device /dev/drbd4; disk /dev/x; address 10.0.0.1:7790; meta-disk internal; }\n"
      "on bob { device /dev/drbd5; disk none; address 10.0.0.2:7790; meta-disk internal; } }\n";
  const auto config = config_of(resource("") + second);
  ASSERT_EQ(config.volumes.size(), 2u);
  EXPECT_EQ(config.volumes[1].options.disk.resync_after_minor, 0);
  EXPECT_EQ(config.volumes[1].minor, 4u);
  EXPECT_EQ(config.volumes[1].disk, (std::map<std::string, std::string>{{"alice", "/dev/x"}}));
}

TEST(ImportDrbd, WhatHasNoCounterpartIsSaid) {
  const auto result =
      imported(resource("startup { wfc-timeout 120; become-primary-on both; }\n"
                        "options { quorum majority; }\ndisk { resync-after gone; }\n") +
               "resource other { on x { device minor 9; disk /a; address 1.1.1.1:1; meta-disk internal; } "
               "on y { device minor 9; disk /a; address 1.1.1.2:1; meta-disk internal; } }");
  ASSERT_TRUE(result.has_value()) << result.error().text();
  EXPECT_EQ(result->remarks.size(), 5u);
  for (const char* said : {"wfc-timeout 120", "become-primary-on both", "quorum majority: only DRBD 9", "gone",
                           "alice has no part in it", "# drbd.conf:2:11: startup wfc-timeout"})
    EXPECT_NE(result->toml.find(said), std::string::npos) << said << "\n" << result->toml;
}

struct Refusal {
  const char* name;
  std::string text;
  const char* where;
  const char* why;
  const char* hint;
};

class Refusals : public testing::TestWithParam<Refusal> {};

TEST_P(Refusals, SayWhereWhyAndWhatToDo) {
  const auto result = imported(GetParam().text);
  ASSERT_FALSE(result.has_value()) << result->toml;
  const Error& error = result.error();
  EXPECT_NE(error.where.find(GetParam().where), std::string::npos) << error.text();
  EXPECT_NE(error.why.find(GetParam().why), std::string::npos) << error.text();
  EXPECT_NE(error.hint.find(GetParam().hint), std::string::npos) << error.text();
}

const std::string two_volumes =
    "resource data { volume 0 { device minor 0; disk /a; meta-disk internal; }\n"
    "volume 1 { device minor 1; disk /b; meta-disk internal; }\n"
    "on alice { address 10.0.0.1:1; }\non bob { address 10.0.0.2:1; } }\n";
const std::string stacked = resource("") +
                            "resource up { stacked-on-top-of data { device minor 9; address 10.0.0.9:1; }\n"
                            "on alice { device minor 9; disk /a; meta-disk internal; address 10.0.0.1:2; } }\n";
const std::string proxied =
    "resource data { on alice { device minor 0; disk /a; meta-disk internal; address 127.0.0.1:7;\n"
    "proxy on alice { inside 127.0.0.1:8; outside 1.2.3.4:7; } }\n"
    "on bob { device minor 0; disk /a; meta-disk internal; address 10.0.0.2:7; } }\n";
const std::string floating =
    "resource data { device minor 0; disk /a; meta-disk internal; floating 10.0.0.1:1; floating 10.0.0.2:1; }\n";
const std::string three_hosts =
    resource("on carol { device minor 0; disk /a; meta-disk internal; address 10.0.0.3:7789; }\n");
const std::string two_addresses =
    resource("") +
    "resource more { on alice { device minor 1; disk /a; meta-disk internal; address 10.1.0.1:2; }\n"
    "on bob { device minor 1; disk /a; meta-disk internal; address 10.0.0.2:2; } }\n";

const std::vector<Refusal> refusals{
    {"SeveralVolumes", two_volumes, "drbd.conf:3:1", "2 volumes over one connection", "a resource and a port"},
    {"Stacked", stacked, "drbd.conf:5:15", "stacked on data", "third copy"},
    {"Proxy", proxied, "drbd.conf:1:17", "through a proxy", "protocol A"},
    {"Floating", floating, "drbd.conf:1", "no name", "on NAME"},
    {"ThreeHosts", three_hosts, "drbd.conf:1:1", "3 hosts", "two"},
    {"TwoAddresses", two_addresses, "drbd.conf:5:17", "10.1.0.1", "one address"},
    {"NoPart", "resource x { }", "drbd.conf", "alice has no part", "--node"},
    {"UnknownDigest", resource("net { verify-alg crc33; }\n"), "drbd.conf:1:1, net.verify-alg", "crc33", "sha1"},
    {"PullAhead", resource("net { on-congestion pull-ahead; }\n"), "net.on-congestion", "protocol A", "block"},
};

INSTANTIATE_TEST_SUITE_P(All, Refusals, testing::ValuesIn(refusals), [](const auto& one) { return one.param.name; });

struct ImportCommand : testing::Test {
  ImportCommand() {
    std::filesystem::create_directory(directory + "/drbd.d");
    write("drbd.conf", "include \"drbd.d/global_common.conf\";\ninclude \"drbd.d/*.res\";\n");
    write("drbd.d/global_common.conf", "global { usage-count no; }\n");
    write("drbd.d/data.res", resource("startup { wfc-timeout 3; }\n"));
  }
  void write(const std::string& name, const std::string& text) const { std::ofstream(directory + "/" + name) << text; }
  int import_with(std::vector<std::string> more) {
    out.str(""), err.str("");
    std::vector<std::string> arguments{"import", "drbd", "--config", directory + "/drbd.conf"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments, {out, err, {}, "alice", {}});
  }
  TestDirectory made;
  std::string directory = made.path();
  std::ostringstream out, err;
};

TEST_F(ImportCommand, PrintsACheckedConfiguration) {
  ASSERT_EQ(import_with({}), ok) << err.str();
  EXPECT_TRUE(config::parse(out.str(), "printed").has_value()) << out.str();
  EXPECT_NE(out.str().find("data.res:2:11: startup wfc-timeout 3"), std::string::npos) << out.str();
}

TEST_F(ImportCommand, WritesANewFileOnly) {
  const std::string file = directory + "/cluster.toml";
  ASSERT_EQ(import_with({"--output", file}), ok) << err.str();
  EXPECT_NE(out.str().find("1 volumes on 2 nodes imported"), std::string::npos) << out.str();
  std::ifstream written(file);
  EXPECT_TRUE(config::parse(std::string{std::istreambuf_iterator<char>(written), {}}, file).has_value());
  EXPECT_EQ(import_with({"--output", file}), refused);
  EXPECT_NE(err.str().find("already there"), std::string::npos);
}

TEST_F(ImportCommand, CheckWritesNothing) {
  const std::string file = directory + "/cluster.toml";
  ASSERT_EQ(import_with({"--check", "--output", file}), ok) << err.str();
  EXPECT_NE(out.str().find("can be imported; 1 remarks"), std::string::npos) << out.str();
  EXPECT_TRUE(out.str().starts_with("No automatic takeover: 2 nodes with neither witness nor fencing")) << out.str();
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(ImportCommand, JsonHasEverything) {
  ASSERT_EQ(import_with({"--json"}), ok);
  const auto answer = json::parse(out.str());
  EXPECT_EQ(answer.at("volumes"), json::array({"data"}));
  EXPECT_EQ(answer.at("nodes"), json::array({"alice", "bob"}));
  EXPECT_EQ(answer.at("remarks").size(), 1u);
  EXPECT_TRUE(config::parse(answer.at("toml").get<std::string>(), "json").has_value());
  EXPECT_EQ(import_with({"--json", "--node", "zoe"}), refused);
  EXPECT_FALSE(json::parse(out.str()).at("ok").get<bool>());
}

TEST_F(ImportCommand, AMistakeHasItsFileLineAndColumn) {
  write("drbd.d/wrong.res", "resource w {\n  nett { }\n}\n");
  EXPECT_EQ(import_with({}), refused);
  EXPECT_NE(err.str().find("drbd.d/wrong.res:2:3"), std::string::npos) << err.str();
  EXPECT_EQ(run({"import", "drbd", "--config", directory + "/none"}, {out, err, {}, "alice", {}}), refused);
}

}  // namespace
}  // namespace bascule::cli
