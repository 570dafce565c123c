#include <gtest/gtest.h>

#include "wire/cluster_config/config.h"
#include "wire/cluster_config/mistake.h"

namespace bascule::config {
namespace {

const std::string cluster = "[cluster]\nname = \"c\"\n";  // lines 1-2
const std::string nodes =
    "[node.alice]\naddress = \"10.0.0.1\"\n[node.bob]\naddress = \"10.0.0.2\"\n"  // lines 3-6
    "[node.carol]\naddress = \"10.0.0.3\"\nrole = \"witness\"\n";                 // lines 7-9
const std::string frame_text = cluster + nodes;
const std::string dummy = "run = \"ocf:heartbeat:Dummy\"\n";

std::string many_volumes(int count) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += "[volume.v" + std::to_string(i) + "]\ndisk = \"/d" + std::to_string(i) + "\"\n";
  return text;
}

const std::vector<Mistake> config_mistakes{
    {"MakesNoSuchFileSystem",
     frame_text + "[volume.v]\ndisk = \"/d\"\n[service.s]\nvolume = \"v\"\nmount = { directory = \"/m\", fstype = "
                  "\"btrfs\", make = true }\n",
     "line 14, service.s.mount.make", "'btrfs' is not made by us", "ext4 or xfs"},
    {"NotToml", "[cluster\nname = 1\n", "line 1", "not TOML", ""},
    {"DuplicateTable", frame_text + volume + volume, "line 12", "not TOML", ""},
    {"Empty", "", "cluster", "[cluster] is missing", "begin with"},
    {"ClusterIsNoTable", "cluster = 3\n", "line 1, cluster", "[cluster] is missing", ""},
    {"UnknownTable", frame_text + "[servise.x]\n", "line 10, servise", "not known", "did you mean 'service'?"},
    {"NoName", "[cluster]\n" + nodes, "line 1, cluster", "'name' is missing", "name ="},
    {"BadName", "[cluster]\nname = \"a b\"\n" + nodes, "line 2, cluster.name", "not a name", "letters"},
    {"NameOfWrongType", "[cluster]\nname = 7\n" + nodes, "line 2, cluster.name", "an integer stands here, a string",
     ""},
    {"UnknownClusterKey", "[cluster]\nname = \"c\"\nlease = 450\n" + nodes, "line 3, cluster.lease", "not known",
     "'lease_ms'"},
    {"PortTooLarge", "[cluster]\nname = \"c\"\nport = 70000\n" + nodes, "line 3, cluster.port",
     "not between 1 and 65535", ""},
    {"LeaseAsText", "[cluster]\nname = \"c\"\nlease_ms = \"450\"\n" + nodes, "line 3, cluster.lease_ms",
     "a string stands here", ""},
    {"LeaseTooShort", "[cluster]\nname = \"c\"\nlease_ms = 100\n" + nodes, "line 1, cluster", "three heartbeats",
     "raise lease_ms"},
    {"ElectionTooShort", "[cluster]\nname = \"c\"\nelection_min_ms = 60\n" + nodes, "line 1, cluster", "two heartbeats",
     ""},
    {"ElectionBackwards", "[cluster]\nname = \"c\"\nelection_max_ms = 150\n" + nodes, "line 1, cluster",
     "election_max_ms", ""},
    {"WatchdogBeforeStop", "[cluster]\nname = \"c\"\nwatchdog_deadline_ms = 5000\n" + nodes, "line 1, cluster",
     "watchdog_deadline_ms is less", "reset"},
    {"NoNodes", cluster, "line 1, cluster", "no node", "[node.NAME]"},
    {"NodeIsNoTable", cluster + "[node]\nalice = \"10.0.0.1\"\n", "line 4, node.alice", "a string stands here",
     "[node.alice]"},
    {"NodesAreAList", cluster + "[[node]]\nname = \"alice\"\n", "line 3, node", "a list stands here", ""},
    {"NoAddress", cluster + "[node.alice]\n", "line 3, node.alice", "'address' is missing", ""},
    {"AddressIsAName", cluster + "[node.alice]\naddress = \"alice.example\"\n", "line 4, node.alice.address",
     "not an IPv4 or IPv6", "names are not looked up"},
    {"KeyFileIsRelative", "[cluster]\nname = \"x\"\nkey_file = \"cluster.key\"\n", "line 3, cluster.key_file",
     "is not a path from the root", "key_file = \"/etc"},
    {"TooManyAddresses",
     cluster + "[node.alice]\naddress = [\"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\", \"10.0.0.4\", "
               "\"10.0.0.5\"]\n",
     "line 4, node.alice.address", "5 addresses stand here", "at most 4"},
    {"NoAddresses", cluster + "[node.alice]\naddress = []\n", "line 4, node.alice.address", "0 addresses", ""},
    {"AddressOfAnotherKind", cluster + "[node.alice]\naddress = [7]\n", "line 4, node.alice.address",
     "'an integer' is not an IPv4 or IPv6 address", ""},
    {"AddressWithPort", cluster + "[node.alice]\naddress = \"10.0.0.1:80\"\n", "line 4", "not an IPv4 or IPv6", ""},
    {"MisspeltAddress", cluster + "[node.alice]\nadress = \"10.0.0.1\"\n", "line 4, node.alice.adress", "not known",
     "did you mean 'address'?"},
    {"BadRole", cluster + "[node.a]\naddress = \"10.0.0.1\"\nrole = \"witnes\"\n", "line 5, node.a.role", "not a role",
     "'witness'"},
    {"BadNodeName", cluster + "[node.\"a/b\"]\naddress = \"10.0.0.1\"\n", "line 3", "'a/b' is not a name", ""},
    {"TwoNodesOneAddress",
     cluster + "[node.alice]\naddress = \"10.0.0.1\"\n[node.bob]\naddress = "
               "\"10.0.0.1\"\n[node.carol]\naddress=\"10.0.0.3\"\n",
     "line 5, node.bob.address", "10.0.0.1 is already the address of alice", ""},
    {"OneOfTwoVotesIsAWitness",
     cluster + "[node.alice]\naddress = \"10.0.0.1\"\n[node.bob]\naddress = \"10.0.0.2\"\nrole = \"witness\"\n",
     "line 5, node.bob", "even number of votes", "add or remove one node"},
    {"FourVotes", frame_text + "[node.dora]\naddress = \"10.0.0.9\"\n", "line 10, node.dora", "even number of votes",
     ""},
    {"OnlyWitnesses", cluster + "[node.w]\naddress = \"10.0.0.1\"\nrole = \"witness\"\n", "line 3, node.w",
     "every node is a witness or a peer", ""},
    {"VolumeWithoutDisk", frame_text + "[volume.data]\nsize = \"1G\"\n", "line 10, volume.data", "no disk", "disk ="},
    {"RelativeDisk", frame_text + "[volume.data]\ndisk = \"data.img\"\n", "line 11, volume.data.disk",
     "not an absolute path", ""},
    {"DiskOfWrongType", frame_text + "[volume.data]\ndisk = [\"/a\"]\n", "line 11, volume.data.disk",
     "a list stands here", ""},
    {"DiskOnUnknownNode", frame_text + "[volume.data]\ndisk = { alice = \"/a\", bop = \"/b\" }\n",
     "line 10, volume.data", "'bop', which is not a node", "'bob'"},
    {"DiskOnWitness", frame_text + "[volume.data]\ndisk = { alice = \"/a\", carol = \"/b\" }\n", "line 10",
     "is a witness", ""},
    {"DiskMissingOnOneNode", frame_text + "[volume.data]\ndisk = { alice = \"/a\" }\n", "line 10, volume.data",
     "no disk on bob", "two"},
    {"OneDataNode", cluster + "[node.a]\naddress = \"10.0.0.1\"\n" + "[volume.data]\ndisk = \"/a\"\n", "line 5",
     "two nodes with role", ""},
    {"OneDiskTwice", frame_text + volume + "[volume.more]\ndisk = \"/dev/sdb\"\n", "line 12, volume.more",
     "/dev/sdb on alice is already the disk of data", ""},
    {"OnePortTwice", frame_text + volume + "[volume.more]\ndisk = \"/b\"\nport = 7789\n", "line 12, volume.more",
     "port 7789 is already", ""},
    {"BadSize", frame_text + volume + "size = \"1Q\"\n", "line 12, volume.data.size", "'1Q' is not a size", "20G"},
    {"NegativeSize", frame_text + volume + "size = -1\n", "line 12, volume.data.size", "an integer stands here", ""},
    {"OddSize", frame_text + volume + "size = 1048577\n", "line 12, volume.data.size", "multiple of 4096", ""},
    {"TinySize", frame_text + volume + "size = \"64K\"\n", "line 12, volume.data.size", "between 1M and 1P", ""},
    {"FloatSize", frame_text + volume + "size = 1.5\n", "line 12, volume.data.size", "a number with a point", ""},
    {"ProtocolA", frame_text + volume + "protocol = \"A\"\n", "line 12, volume.data.protocol",
     "can lose the last writes", "accept_loss"},
    {"ProtocolX", frame_text + volume + "protocol = \"X\"\n", "line 12, volume.data.protocol", "'X' is not a protocol",
     ""},
    {"TooFewExtents", frame_text + volume + "al_extents = 1\n", "line 12, volume.data.al_extents", "not between 67",
     ""},
    {"MisspeltVolumeKey", frame_text + volume + "protokol = \"C\"\n", "line 12, volume.data.protokol", "not known",
     "'protocol'"},
    {"TooManySlots", frame_text + many_volumes(33), "line 1, cluster", "33 volumes and services are more than 32", ""},
    {"LongName", frame_text + "[volume." + std::string(41, 'v') + "]\ndisk = \"/d\"\n", "line 10", "not a name",
     "at most 40"},
    {"UnknownVolume", frame_text + volume + "[service.s]\nvolume = \"date\"\n" + dummy, "line 12, service.s.volume",
     "'date' is not configured", "'data'"},
    {"UnknownPreference", frame_text + "[service.s]\nprefer = \"alise\"\n" + dummy, "line 10, service.s.prefer",
     "'alise', which is not a node", "'alice'"},
    {"PreferredWitness", frame_text + "[service.s]\nprefer = \"carol\"\n" + dummy, "line 10, service.s.prefer",
     "is a witness", ""},
    {"TwoServicesOneVolume",
     frame_text + volume + "[service.a]\nvolume = \"data\"\n" + dummy + "[service.b]\nvolume = \"data\"\n" + dummy,
     "line 15, service.b.volume", "already belongs to service 'a'", "one service"},
    {"NothingToRun", frame_text + "[service.s]\nprefer = \"alice\"\n", "line 10, service.s", "nothing to run", ""},
    {"MountWithoutVolume", frame_text + "[service.s]\nmount = \"/m\"\n", "line 11, service.s.mount", "no volume",
     "volume ="},
    {"RelativeMount", frame_text + volume + "[service.s]\nvolume = \"data\"\nmount = \"m\"\n",
     "line 14, service.s.mount", "not a directory", ""},
    {"MountOnRoot", frame_text + volume + "[service.s]\nvolume = \"data\"\nmount = \"/\"\n", "line 14, service.s.mount",
     "not a directory", ""},
    {"AddressWithoutPrefix", frame_text + "[service.s]\naddress = \"10.0.0.10\"\n", "line 11, service.s.address",
     "network's length", "/24"},
    {"PrefixTooLong", frame_text + "[service.s]\naddress = \"10.0.0.10/33\"\n", "line 11, service.s.address",
     "network's length", ""},
    {"AddressOfANode", frame_text + "[service.s]\naddress = \"10.0.0.2/24\"\n", "line 10, service.s",
     "10.0.0.2 is already the address of bob", ""},
    {"AddressOfAnotherService",
     frame_text + "[service.s]\naddress = \"10.0.0.9/24\"\n[service.t]\naddress = \"10.0.0.9/24\"\n",
     "line 12, service.t", "already the address of s", ""},
    {"AgentWithoutAddress", frame_text + "[service.s]\nrun = \"ocf:IPaddr2\"\n", "line 11, service.s.run", "needs ip",
     "address ="},
    {"NotAnOcfAgent", frame_text + "[service.s]\nrun = [\"upstart:apache2\"]\n", "line 11, service.s.run[0]",
     "neither an OCF agent", "ocf:heartbeat:apache"},
    {"UnitWithASlash", frame_text + "[service.s]\nrun = [\"systemd:../x\"]\n", "line 11, service.s.run[0]",
     "does not name a unit", "systemd:nginx"},
    {"ScriptWithASlash", frame_text + "[service.s]\nrun = [\"lsb:../x\"]\n", "line 11, service.s.run[0]",
     "does not name a script", "lsb:foo"},
    {"ParameterOfAScript", frame_text + "[service.s]\nrun = [{ agent = \"lsb:x\", port = 3 }]\n",
     "line 11, service.s.run[0].port", "takes no parameters", ""},
    {"UnknownReaction", frame_text + "[service.s]\nrun = [{ agent = \"ocf:Dummy\", on_fail = \"stopp\" }]\n",
     "line 11, service.s.run[0].on_fail", "'stopp' is no reaction", "'stop'"},
    {"MonitorWithoutInterval",
     frame_text + "[service.s]\nrun = [{ agent = \"ocf:Dummy\", more_monitors = [{ check_level = 10 }] }]\n",
     "line 11, service.s.run[0].more_monitors", "needs an interval", "interval ="},
    {"TwoMonitorsOneInterval",
     frame_text + "[service.s]\nrun = [{ agent = \"ocf:Dummy\", more_monitors = [{ interval = \"2s\" }] }]\n",
     "line 11, service.s.run[0].more_monitors", "the same interval", ""},
    {"AgentWithoutType", frame_text + "[service.s]\nrun = [\"ocf:\"]\n", "line 11, service.s.run[0]", "does not name",
     ""},
    {"AgentWithSlash", frame_text + "[service.s]\nrun = [\"ocf:..:/etc/x\"]\n", "line 11, service.s.run[0]",
     "does not name", ""},
    {"NoAgent", frame_text + "[service.s]\nrun = [{ name = \"x\" }]\n", "line 11, service.s.run[0]",
     "'agent' is missing", ""},
    {"RunOfWrongType", frame_text + "[service.s]\nrun = [7]\n", "line 11, service.s.run[0]", "an integer stands here",
     ""},
    {"TwoStepsOneName", frame_text + "[service.s]\nrun = [\n\"ocf:Dummy\",\n\"ocf:Dummy\"]\n",
     "line 13, service.s.run[1]", "called 'Dummy'", "name"},
    {"DurationWithoutUnit", frame_text + "[service.s]\nrun = { agent = \"ocf:Dummy\", start_timeout = 60 }\n",
     "line 11, service.s.run.start_timeout", "an integer stands here, a duration", "\"2s\""},
    {"BadDuration", frame_text + "[service.s]\nrun = { agent = \"ocf:Dummy\", start_timeout = \"2 weeks\" }\n",
     "line 11", "'2 weeks' is not a duration", ""},
    {"ZeroTimeout", frame_text + "[service.s]\nrun = { agent = \"ocf:Dummy\", stop_timeout = \"0s\" }\n", "line 11",
     "timeout of zero", ""},
    {"MisspeltTimeout", frame_text + "[service.s]\nrun = { agent = \"ocf:Dummy\", start_timout = \"2s\" }\n",
     "line 11, service.s.run.start_timout", "not known", "'start_timeout'"},
    {"ParameterIsAList", frame_text + "[service.s]\nrun = { agent = \"ocf:Dummy\", state = [1] }\n",
     "line 11, service.s.run.state", "a list stands here", ""},
    {"ParameterWithDash", frame_text + "[service.s]\nrun = { agent = \"ocf:Dummy\", \"a-b\" = \"1\" }\n", "line 11",
     "name of a parameter", ""},
    {"AutostartAsText", frame_text + "[service.s]\nautostart = \"no\"\n" + dummy, "line 11, service.s.autostart",
     "true or false", ""},
    {"TooLarge", std::string(1024 * 1024 + 1, '#'), "", "larger than 1 MiB", ""},
};

class ConfigMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistakes, IsOneErrorThatSaysWhereAndWhy) {
  const auto& mistake = GetParam();
  const auto config = parse(mistake.file, "cluster.toml");
  ASSERT_FALSE(config.has_value());
  const Error& error = config.error();
  EXPECT_EQ(error.what, "cluster.toml cannot be used");
  EXPECT_NE(error.where.find(mistake.where), std::string::npos) << error.text();
  EXPECT_NE(error.why.find(mistake.why), std::string::npos) << error.text();
  EXPECT_NE(error.hint.find(mistake.hint), std::string::npos) << error.text();
}

INSTANTIATE_TEST_SUITE_P(All, ConfigMistakes, testing::ValuesIn(config_mistakes),
                         [](const auto& one) { return one.param.name; });

TEST(ConfigMistakes, TheFrameItselfIsFine) {
  EXPECT_TRUE(parse(frame_text + volume + "[service.s]\nvolume = \"data\"\n" + dummy, "cluster.toml").has_value());
  EXPECT_TRUE(parse(frame_text + many_volumes(32), "cluster.toml").has_value());
}

}  // namespace
}  // namespace bascule::config
