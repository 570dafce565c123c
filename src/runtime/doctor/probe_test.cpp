#include "runtime/doctor/probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/digest.h"
#include "base/test_directory.h"
#include "runtime/doctor/detail/probes.h"
#include "runtime/keys/key_file.h"

namespace bascule::doctor {
namespace {

struct Probe : testing::Test {
  Probe() { options = {directory + "/cluster.toml", "alice", directory, directory}; }
  void configure(const std::string& more) const {
    std::ofstream(options.config_file) << "[cluster]\nname = \"c\"\nport = 17788\nkey_file = \"" + directory +
                                              "/key\"\n[node.alice]\naddress = \"127.0.0.1\"\n[node.bob]\naddress = "
                                              "\"127.0.0.2\"\n[node.carol]\naddress = \"127.0.0.3\"\nrole = "
                                              "\"witness\"\n" +
                                              more;
  }
  TestDirectory made;
  std::string directory = made.path();
  Options options;
};

TEST_F(Probe, AMissingConfigurationIsSaid) {
  const Facts facts = probe(options);
  EXPECT_FALSE(facts.config);
  EXPECT_FALSE(facts.config_error.empty());
  EXPECT_FALSE(facts.manager_runs);
  EXPECT_TRUE(facts.state.sync_median) << "it is looked at all the same";
  EXPECT_GT(facts.state.free_bytes, 0u);
}

TEST_F(Probe, KeysAreShownByFingerprintsOnly) {
  configure("");
  const auto key = keys::fresh_key(1).value();
  ASSERT_TRUE(keys::write(directory + "/key", sealed::Keyring(key), keys::Existing::Refuse));
  const Facts facts = probe(options);
  ASSERT_TRUE(facts.config) << facts.config_error;
  ASSERT_EQ(facts.key->fingerprints.size(), 1u);
  EXPECT_EQ(facts.key->fingerprints[0].second.size(), 12u);
  std::filesystem::permissions(directory + "/key",
                               std::filesystem::perms::owner_read | std::filesystem::perms::others_read);
  EXPECT_NE(probe(options).key->unusable.find("others than its owner"), std::string::npos);
}

TEST_F(Probe, TheFingerprintOfAConfigurationIsTheSameOnEveryNode) {
  configure("");
  std::ifstream file(options.config_file);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto digest = digest_of(Digest::sha256, view_of(text));
  std::string beginning;
  for (int i = 0; i < 6; ++i) beginning += fmt::format("{:02x}", digest[static_cast<std::size_t>(i)]);
  EXPECT_EQ(probe(options).config_fingerprint, beginning);
}

TEST_F(Probe, LinksPeersAndPorts) {
  configure("[volume.data]\ndisk = \"" + directory + "/disk\"\nport = 17789\n");
  const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(17789);
  ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  ASSERT_EQ(::bind(taken, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(taken, 1), 0);
  const Facts facts = probe(options);
  ::close(taken);
  ASSERT_EQ(facts.links.size(), 1u);
  EXPECT_EQ(facts.links[0].interface, "lo");
  EXPECT_TRUE(facts.links[0].up);
  ASSERT_EQ(facts.peers.size(), 2u);
  EXPECT_EQ(facts.peers[0].manager_port, PeerLink::Port::Refused) << "nobody is at 127.0.0.2";
  ASSERT_EQ(facts.ports.size(), 2u);
  EXPECT_EQ(facts.ports[0].taken, "");
  EXPECT_EQ(facts.ports[1].taken, "another program has it");
}

TEST_F(Probe, AMemberWithoutAVoteIsAPeerToo) {
  configure("[node.dave]\naddress = \"127.0.0.4\"\nvotes = false\n");
  const Facts facts = probe(options);
  ASSERT_EQ(facts.peers.size(), 3u);
  EXPECT_EQ(facts.peers[2].node, "dave");
}

TEST_F(Probe, Disks) {
  configure("[volume.data]\ndisk = \"" + directory + "/disk\"\n[volume.other]\ndisk = \"" + directory + "/missing\"\n");
  std::ofstream(directory + "/disk").flush();
  std::filesystem::resize_file(directory + "/disk", 1 << 20);
  const Facts facts = probe(options);
  ASSERT_EQ(facts.disks.size(), 2u);
  EXPECT_EQ(facts.disks[0].bytes, 1u << 20);
  EXPECT_FALSE(facts.disks[0].in_use);
  EXPECT_EQ(facts.disks[1].missing, "No such file or directory");
}

TEST_F(Probe, WhatIsOnADiskThatIsNoVolumeYet) {
  configure("[volume.data]\nsize = \"1M\"\ndisk = \"" + directory + "/disk\"\n");
  std::ofstream(directory + "/disk").put(0);
  std::filesystem::resize_file(directory + "/disk", 2 << 20);
  EXPECT_EQ(probe(options).disks.at(0).has_metadata, false);
  EXPECT_EQ(probe(options).disks.at(0).foreign, "");
  {
    std::fstream disk(directory + "/disk", std::ios::in | std::ios::out | std::ios::binary);
    disk.write("XFSB", 4);
  }
  EXPECT_EQ(probe(options).disks.at(0).foreign, "XFS filesystem");
}

TEST_F(Probe, AgentsOfTheServices) {
  configure("[service.s]\nrun = [\"ocf:heartbeat:no-such-agent\"]\n");
  const Facts facts = probe(options);
  ASSERT_EQ(facts.agents.size(), 1u);
  EXPECT_EQ(facts.agents[0].path, "/usr/lib/ocf/resource.d/heartbeat/no-such-agent");
  EXPECT_FALSE(facts.agents[0].executable);
}

TEST(ReadRuleset, PoliciesAndPorts) {
  const Firewall firewall = read_ruleset(R"({"nftables":[{"metainfo":{}},
    {"chain":{"family":"inet","table":"filter","name":"in","hook":"input","policy":"drop"}},
    {"chain":{"family":"inet","table":"filter","name":"out","hook":"output","policy":"drop"}},
    {"rule":{"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":7788}},{"accept":null}]}},
    {"rule":{"expr":[{"match":{"left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[22,{"range":[7789,7791]}]}}},{"accept":null}]}},
    {"rule":{"expr":[{"match":{"left":{"payload":{"protocol":"tcp","field":"dport"}},"right":80}},{"reject":{}}]}},
    {"rule":{"expr":[{"match":{"left":{"payload":{"protocol":"tcp","field":"sport"}},"right":81}},{"drop":null}]}}]})");
  EXPECT_EQ(firewall.dropping_chains, (std::vector<std::string>{"inet filter in"}));
  EXPECT_EQ(firewall.accepted, (std::vector<std::string>{"udp 7788", "tcp 22", "tcp 7789", "tcp 7790", "tcp 7791"}));
  EXPECT_EQ(firewall.dropped, (std::vector<std::string>{"tcp 80"}));
}

TEST(ReadRuleset, AWideRangeHasAllItsPorts) {
  const Firewall firewall = read_ruleset(R"({"nftables":[{"rule":{"expr":[
    {"match":{"left":{"payload":{"protocol":"udp","field":"dport"}},"right":{"range":[1024,99999999]}}},{"accept":null}]}}]})");
  ASSERT_EQ(firewall.accepted.size(), 65536u - 1024u);
  EXPECT_EQ(firewall.accepted.back(), "udp 65535");
}

TEST(OutputOf, AProgramIsItsWholeOutputOrNothing) {
  const auto shell = [](const char* line, std::size_t bytes_max) {
    return detail::output_of("/bin/sh", {"sh", "-c", line}, bytes_max);
  };
  EXPECT_EQ(shell("printf all", 1000), "all");
  EXPECT_EQ(shell("printf all; exit 1", 1000), "");
  EXPECT_EQ(shell("yes", 1000), "") << "it would have more to say for ever";
  EXPECT_EQ(detail::output_of("/nonexistent", {"nonexistent"}, 1000), "");
}

TEST(ReadRuleset, WhatIsNoRulesetIsSaid) {
  for (const char* wrong : {"", "{}", "[]", R"({"nftables":3})"}) EXPECT_FALSE(read_ruleset(wrong).unreadable.empty());
  EXPECT_TRUE(read_ruleset(R"({"nftables":[3,{"rule":[]},{"rule":{"expr":[{"match":7}]}}]})").unreadable.empty());
}

TEST(UnitsOfAgent, NamesOfDebian) {
  EXPECT_EQ(units_of_agent("mysql"), (std::vector<std::string>{"mariadb", "mysql"}));
  EXPECT_TRUE(units_of_agent("Filesystem").empty());
}

}  // namespace
}  // namespace bascule::doctor
