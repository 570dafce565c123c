#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/cluster_config/config.h"
#include "wire/cluster_config/mistake.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::config {
namespace {

using drbd_config::Protocol;
using testing::HasSubstr;

const std::string voters = test::three_nodes;  // lines 1-9
const std::string data_and_peer =
    "[cluster]\nname = \"c\"\n"                               // lines 1-2
    "[node.alice]\naddress = \"10.0.0.1\"\n"                  // lines 3-4
    "[node.old]\naddress = \"10.0.0.9\"\nrole = \"peer\"\n";  // lines 5-7

Volume first_volume(const std::string& text) {
  const auto config = parse(text, "cluster.toml");
  if (!config) {
    ADD_FAILURE() << config.error().text();
    return {};
  }
  return config->volumes.at(0);
}

TEST(VolumeKeys, HaveTheirDefaults) {
  const Volume found = first_volume(voters + volume);
  EXPECT_FALSE(found.operator_decides);
  EXPECT_EQ(found.options, drbd_config::Options{});
  EXPECT_EQ(found.metadata, (std::map<std::string, std::string>{{"alice", "internal"}, {"bob", "internal"}}));
  EXPECT_EQ(found.minor, 0u);
  EXPECT_FALSE(found.accept_loss);
  EXPECT_TRUE(found.flush_waits_for_peer);
}

std::string why_not(const std::string& text) {
  const auto config = parse(text, "cluster.toml");
  return config ? "" : config.error().text();
}

std::string without_keys(const std::string& text) {
  return test::replaced(text, "name = \"test\"\n", "name = \"test\"\nkey_file = \"none\"\n");
}

TEST(VolumeEncryption, IsOnWhereThereAreKeysAndBothReplicasAreOurs) {
  EXPECT_TRUE(first_volume(voters + volume).encrypted);
  EXPECT_FALSE(first_volume(voters + volume + "encryption = \"none\"\n").encrypted);
  EXPECT_FALSE(first_volume(without_keys(voters) + volume).encrypted);
  EXPECT_FALSE(first_volume(voters + volume + "authority = \"operator\"\n").encrypted);
  EXPECT_TRUE(first_volume(voters + volume + "authority = \"operator\"\nencryption = \"tls\"\n").encrypted);
}

TEST(VolumeEncryption, IsNotAskedForWhereItCannotBe) {
  EXPECT_THAT(why_not(without_keys(voters) + volume + "encryption = \"tls\"\n"), HasSubstr("no keys to encrypt with"));
  EXPECT_THAT(why_not(voters + volume + "encryption = \"tsl\"\n"), HasSubstr("'tsl' is not an encryption"));
  EXPECT_THAT(why_not(data_and_peer + volume + "authority = \"operator\"\nencryption = \"tls\"\n"),
              HasSubstr("'old' is a peer, and DRBD 8.4 speaks no TLS"));
}

TEST(VolumeKeys, AreTakenAsWritten) {
  const Volume found = first_volume(voters + volume + R"toml(
authority = "operator"
metadata = { alice = "/dev/sdc1[2]" }
minor = 7
protocol = "A"
accept_loss = true
peer_flush = false
[volume.data.net]
max-buffers = 8000
verify-alg = "crc32c"
use-rle = false
tcp-cork = "no"
ping-timeout = "30"
congestion-fill = "1M"
[volume.data.disk_options]
al-extents = 3389
size = "10G"
[volume.data.options]
on-no-data-accessible = "suspend-io"
[volume.data.handlers]
split-brain = "/usr/lib/drbd/notify-split-brain.sh root"
)toml");
  EXPECT_TRUE(found.operator_decides);
  EXPECT_EQ(found.metadata, (std::map<std::string, std::string>{{"alice", "/dev/sdc1[2]"}, {"bob", "internal"}}));
  EXPECT_EQ(found.minor, 7u);
  EXPECT_EQ(found.options.net.protocol, Protocol::A);
  EXPECT_TRUE(found.accept_loss);
  EXPECT_FALSE(found.flush_waits_for_peer);
  EXPECT_EQ(found.options.net.max_buffers, 8000u);
  EXPECT_FALSE(found.options.net.use_rle);
  EXPECT_FALSE(found.options.net.tcp_cork);
  EXPECT_EQ(found.options.net.congestion_fill_sectors, 2048u);
  EXPECT_EQ(found.al_extents, 3389u);
  EXPECT_EQ(found.options.disk.al_extents, 3389u);
  EXPECT_EQ(found.size_bytes, std::uint64_t{10} << 30);
  EXPECT_EQ(found.options.resource.on_no_data_accessible, drbd_config::OnNoDataAccessible::suspend_io);
  EXPECT_EQ(found.options.handlers.at("split-brain"), "/usr/lib/drbd/notify-split-brain.sh root");
}

TEST(VolumeKeys, OurNamesAndThoseOfDrbdAgree) {
  const Volume found = first_volume(voters + volume + "al_extents = 100\nsize = \"1G\"\nprotocol = \"B\"\n");
  EXPECT_EQ(found.options.disk.al_extents, 100u);
  EXPECT_EQ(found.options.disk.size_sectors, 2097152u);
  EXPECT_EQ(found.options.net.protocol, Protocol::B);
}

TEST(Peers, HaveReplicasAndNoVote) {
  const auto config = parse(data_and_peer + volume + "authority = \"operator\"\n", "cluster.toml");
  ASSERT_TRUE(config.has_value()) << config.error().text();
  EXPECT_EQ(config->node("old")->role, NodeRole::peer);
  EXPECT_FALSE(config->node("old")->votes());
  EXPECT_TRUE(config->node("alice")->votes());
  EXPECT_EQ(config->volumes.at(0).disk.size(), 2u);
}

TEST(Peers, OneOfTwoNodesMayBeDiskless) {
  const Volume found =
      first_volume(data_and_peer + "[volume.data]\nauthority = \"operator\"\ndisk = { old = \"/d\" }\n");
  EXPECT_EQ(found.disk, (std::map<std::string, std::string>{{"old", "/d"}}));
}

TEST(Peers, AreNotGivenVolumesOfTheCluster) {
  const Volume found = first_volume(voters + "[node.old]\naddress = \"10.0.0.9\"\nrole = \"peer\"\n" + volume);
  EXPECT_EQ(found.disk.count("old"), 0u);
}

TEST(Peers, AreNothingToTheManagers) {
  const auto config = parse(voters + "[node.old]\naddress = \"10.0.0.9\"\nrole = \"peer\"\n" + volume +
                                "[volume.mine]\nauthority = \"operator\"\ndisk = { alice = \"/m\", old = \"/m\" }\n",
                            "cluster.toml");
  ASSERT_TRUE(config.has_value()) << config.error().text();
  const ClusterConfig part = config->of_managers();
  EXPECT_EQ(part.nodes.size(), 3u);
  EXPECT_EQ(part.node("old"), nullptr);
  EXPECT_EQ(part.node("carol")->id, 3u);
  ASSERT_EQ(part.volumes.size(), 1u);
  EXPECT_EQ(part.volumes[0].name, "data");
}

const std::string net = voters + volume + "[volume.data.net]\n";            // lines 10-12
const std::string disk = voters + volume + "[volume.data.disk_options]\n";  // lines 10-12

const std::vector<Mistake> volume_mistakes{
    {"Authority", voters + volume + "authority = \"oprator\"\n", "line 12, volume.data.authority", "'oprator'",
     "'operator'"},
    {"Metadata", voters + volume + "metadata = \"extern\"\n", "line 12, volume.data.metadata", "'extern'", "internal"},
    {"MetadataIndex", voters + volume + "metadata = \"/dev/sdc[x]\"\n", "line 12", "'/dev/sdc[x]'", ""},
    {"MetadataOfNoDisk", voters + volume + "metadata = { carol = \"internal\" }\n", "line 12, volume.data.metadata",
     "no disk", ""},
    {"MetadataOnTheDisk", voters + volume + "metadata = \"/dev/sdb\"\n", "line 10, volume.data", "already", ""},
    {"OneMinorTwice", voters + volume + "minor = 1\n[volume.more]\ndisk = \"/b\"\n", "line 13, volume.more",
     "minor 1 is already", ""},
    {"ProtocolTwice", voters + volume + "protocol = \"C\"\n[volume.data.net]\nprotocol = \"C\"\n", "line 12",
     "net.protocol says the same", "one of the two"},
    {"SizeTwice", voters + volume + "size = \"1G\"\n[volume.data.disk_options]\nsize = \"1G\"\n", "line 12", "the same",
     ""},
    {"UnknownOption", net + "max-bufers = 1\n", "line 13, volume.data.net.max-bufers", "no such option",
     "'max-buffers'"},
    {"OptionOutOfRange", net + "timeout = 601\n", "line 13, volume.data.net.timeout", "601 is out of range",
     "1 to 600 tenths"},
    {"OptionWithoutSense", net + "on-congestion = \"panic\"\n", "line 13", "'panic'", "pull-ahead"},
    {"OptionOfWrongType", net + "timeout = [1]\n", "line 13", "a list stands here, a number", ""},
    {"FlagForANumber", net + "timeout = true\n", "line 13", "true or false stands here, a number", ""},
    {"NumberForAFlag", net + "use-rle = 1\n", "line 13", "'1'", "no, yes"},
    {"NetIsNoTable", voters + volume + "net = 3\n", "line 12, volume.data.net", "a table is wanted",
     "[volume.data.net]"},
    {"UnknownHandler", voters + volume + "[volume.data.handlers]\nfence-pear = \"x\"\n", "line 13", "no such option",
     "'fence-peer'"},
    {"TimeoutTooLong", net + "timeout = 100\n", "line 13, volume.data.net.timeout", "ping-int", "lower timeout"},
    {"PullAhead", net + "on-congestion = \"pull-ahead\"\n", "line 13, volume.data.net.on-congestion", "protocol A", ""},
    {"TwoPrimaries", net + "allow-two-primaries = true\n", "line 13", "one node at a time", "operator"},
    {"UnknownDigest", net + "csums-alg = \"md4\"\n", "line 13, volume.data.net.csums-alg", "'md4'", "sha1"},
    {"ProtocolAWithStonith", disk + "fencing = \"resource-and-stonith\"\n[volume.data.net]\nprotocol = \"A\"\n",
     "line 13", "protocol A", ""},
    {"ProtocolAOfTheCluster", net + "protocol = \"A\"\n", "line 13, volume.data.net.protocol", "lose", "accept_loss"},
    {"PeerInTheCluster", data_and_peer + "[volume.data]\ndisk = { alice = \"/a\", old = \"/b\" }\n", "line 8",
     "obeys no lease", "operator"},
    {"OnlyPeers",
     data_and_peer + "[node.older]\naddress = \"10.0.0.8\"\nrole = \"peer\"\n[volume.data]\nauthority = "
                     "\"operator\"\ndisk = { old = \"/a\", older = \"/b\" }\n",
     "line 11", "both of its nodes are peers", "data"},
    {"NoVote", "[cluster]\nname = \"c\"\n[node.old]\naddress = \"10.0.0.9\"\nrole = \"peer\"\n", "line 3, node.old",
     "every node is a peer", ""},
    {"ServiceOfTheOperator",
     voters + volume + "authority = \"operator\"\n[service.s]\nvolume = \"data\"\nrun = \"ocf:Dummy\"\n",
     "line 13, service.s.volume", "is the operator's", "cluster"},
    {"PreferredPeer", data_and_peer + "[service.s]\nprefer = \"old\"\nrun = \"ocf:Dummy\"\n", "line 8", "is a peer",
     ""},
};

class VolumeMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(VolumeMistakes, AreOneErrorThatSaysWhereAndWhy) {
  const auto& mistake = GetParam();
  const auto config = parse(mistake.file, "cluster.toml");
  ASSERT_FALSE(config.has_value());
  EXPECT_NE(config.error().where.find(mistake.where), std::string::npos) << config.error().text();
  EXPECT_NE(config.error().why.find(mistake.why), std::string::npos) << config.error().text();
  EXPECT_NE(config.error().hint.find(mistake.hint), std::string::npos) << config.error().text();
}

INSTANTIATE_TEST_SUITE_P(All, VolumeMistakes, testing::ValuesIn(volume_mistakes),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace bascule::config
