#include "wire/cluster_config/config.h"

#include <gtest/gtest.h>

namespace bascule::config {
namespace {

const char* const boutique = R"toml(
[cluster]
name = "boutique"
lease_ms = 500

[node.carol]
address = "10.77.0.3"
role = "witness"
[node.alice]
address = "10.77.0.1"
[node.bob]
address = "FD00:0::2"

[volume.zebra]
size = "1G"
disk = "/srv/bascule/zebra.img"
[volume.data]
disk = { alice = "/dev/sdb", bob = "/dev/sdc" }
resync_rate_max = "100M"

[service.shop]
volume = "data"
prefer = "alice"
mount = "/srv/shop"
address = "10.77.0.10/24"
run = [ "ocf:apache",
  { agent = "ocf:heartbeat:mysql", name = "database", datadir = "/srv/shop/mysql", port = 3306, check = true, monitor_interval = "500ms", start_timeout = "2m", parameters = { name = "mine" } } ]
)toml";

ClusterConfig parsed(std::string_view text) {
  auto config = parse(text, "cluster.toml");
  if (!config) ADD_FAILURE() << config.error().text();
  return config.value_or(ClusterConfig{});
}

TEST(Config, NodesKeepTheOrderOfTheFile) {
  const auto config = parsed(boutique);
  ASSERT_EQ(config.nodes.size(), 3u);
  EXPECT_EQ(config.nodes[0].name, "carol");
  EXPECT_EQ(config.nodes[0].role, NodeRole::witness);
  EXPECT_EQ(config.nodes[2].name, "bob");
  EXPECT_EQ(config.nodes[2].id, 3u);
  EXPECT_EQ(config.nodes[2].address, "fd00::2");
  EXPECT_EQ(config.node("alice")->id, 2u);
  EXPECT_EQ(config.node(2)->name, "alice");
  EXPECT_EQ(config.node("dave"), nullptr);
  EXPECT_EQ(config.node(4), nullptr);
}

TEST(Config, ClusterKeysReplaceDefaults) {
  const auto config = parsed(boutique);
  EXPECT_EQ(config.name, "boutique");
  EXPECT_EQ(config.timing.lease, milliseconds(500));
  EXPECT_EQ(config.timing.heartbeat, Timing{}.heartbeat);
  EXPECT_EQ(config.port, 7788);
}

TEST(Config, VolumesHaveTheirDisksAndPorts) {
  const auto config = parsed(boutique);
  ASSERT_EQ(config.volumes.size(), 2u);
  EXPECT_EQ(config.volumes[0].name, "zebra");
  EXPECT_EQ(config.volumes[0].size_bytes, 1024u * 1024 * 1024);
  EXPECT_EQ(config.volumes[0].port, 7789);
  EXPECT_EQ(config.volumes[0].disk.at("bob"), "/srv/bascule/zebra.img");
  EXPECT_EQ(config.volumes[0].disk.count("carol"), 0u);
  EXPECT_EQ(config.volume("data")->port, 7790);
  EXPECT_EQ(config.volume("data")->disk.at("bob"), "/dev/sdc");
  EXPECT_EQ(config.volume("data")->size_bytes, 0u);
  EXPECT_EQ(config.volume("data")->resync_rate_max, 100u * 1024 * 1024);
}

TEST(Config, StepsComeInTheirOrder) {
  const auto config = parsed(boutique);
  const Service* shop = config.service("shop");
  ASSERT_NE(shop, nullptr);
  EXPECT_EQ(config.service_of_volume("data"), shop);
  EXPECT_EQ(config.service_of_volume("zebra"), nullptr);
  ASSERT_EQ(shop->steps.size(), 4u);
  EXPECT_EQ(shop->steps[0].name, "mount");
  EXPECT_EQ(shop->steps[0].standard, built_in);
  EXPECT_EQ(shop->steps[0].parameters,
            (std::map<std::string, std::string>{{"directory", "/srv/shop"}, {"fstype", "ext4"}}));
  EXPECT_EQ(shop->steps[1].name, "address");
  EXPECT_EQ(shop->steps[1].parameters,
            (std::map<std::string, std::string>{{"ip", "10.77.0.10"}, {"cidr_netmask", "24"}}));
  EXPECT_EQ(shop->addresses, std::vector<std::string>{"10.77.0.10"});
  EXPECT_EQ(shop->steps[2].provider, "heartbeat");
  EXPECT_EQ(shop->steps[2].type, "apache");
}

TEST(Config, StepTablesSplitTimingFromParameters) {
  const auto config = parsed(boutique);
  const Step& database = config.service("shop")->steps.at(3);
  EXPECT_EQ(database.name, "database");
  EXPECT_EQ(database.type, "mysql");
  EXPECT_EQ(database.monitor_interval, milliseconds(500));
  EXPECT_EQ(database.start_timeout, seconds(120));
  EXPECT_EQ(database.stop_timeout, Step{}.stop_timeout);
  EXPECT_EQ(database.parameters,
            (std::map<std::string, std::string>{
                {"datadir", "/srv/shop/mysql"}, {"port", "3306"}, {"check", "true"}, {"name", "mine"}}));
}

const char* const frame = R"toml(
[cluster]
name = "c"
[node.a]
address = "10.0.0.1"
[node.b]
address = "10.0.0.2"
[node.w]
address = "10.0.0.3"
role = "witness"
)toml";

TEST(Config, AFileSystemIsMadeOnlyWhenSaid) {
  const auto config =
      parsed(std::string(frame) +
             "[volume.v]\ndisk = \"/d\"\n[service.s]\nvolume = \"v\"\nmount = { directory = \"/m\", make = "
             "true }\n");
  EXPECT_EQ(config.service("s")->steps[0].parameters,
            (std::map<std::string, std::string>{{"directory", "/m"}, {"fstype", "ext4"}, {"make", "true"}}));
}

TEST(Config, LongFormsOfMountAndAddress) {
  const auto config = parsed(std::string(frame) + R"toml(
[volume.v]
disk = "/d"
[service.s]
volume = "v"
mount = { directory = "/m", fstype = "xfs", options = "noatime", stop_timeout = "5s" }
address = [ "10.0.0.10/24", { ip = "fd00::10/64", nic = "eth1" } ]
autostart = false
stickiness = 0
migration_threshold = 1
)toml");
  const Service* service = config.service("s");
  ASSERT_NE(service, nullptr);
  ASSERT_EQ(service->steps.size(), 3u);
  EXPECT_EQ(service->steps[0].parameters.at("fstype"), "xfs");
  EXPECT_FALSE(service->steps[0].parameters.contains("make"));
  EXPECT_EQ(service->steps[0].parameters.at("options"), "noatime");
  EXPECT_EQ(service->steps[0].stop_timeout, seconds(5));
  EXPECT_EQ(service->steps[2].name, "address-2");
  EXPECT_EQ(service->steps[2].parameters.at("nic"), "eth1");
  EXPECT_EQ(service->addresses, (std::vector<std::string>{"10.0.0.10", "fd00::10"}));
  EXPECT_FALSE(service->autostart);
  EXPECT_EQ(service->stickiness, 0u);
  EXPECT_EQ(service->migration_threshold, 1u);
}

TEST(Config, AnAddressGivenToTheAgentIsGuardedToo) {
  const auto config = parsed(std::string(frame) + R"toml(
[service.s]
run = { agent = "ocf:heartbeat:IPaddr2", ip = "10.0.0.10", cidr_netmask = 24 }
)toml");
  EXPECT_EQ(config.services.at(0).addresses, std::vector<std::string>{"10.0.0.10"});
}

TEST(Config, AClusterWithoutServicesIsAllowed) { EXPECT_TRUE(parsed(frame).services.empty()); }

TEST(Config, ReadsReactionsMonitorsUnitsAndScripts) {
  const auto config = parse(R"([cluster]
name = "c"
[node.alice]
address = "10.0.0.1"
[service.web]
start_failure_is_fatal = false
failure_timeout = "1h"
run = [
  { agent = "systemd:nginx.service", on_fail = "block" },
  { agent = "lsb:old-daemon", monitor_interval = "10s", more_monitors = [{ interval = "1m", timeout = "40s", check_level = 20, on_fail = "ignore" }] },
])",
                            "f");
  ASSERT_TRUE(config) << config.error().text();
  const Service& web = config->services[0];
  EXPECT_FALSE(web.start_failure_is_fatal);
  EXPECT_EQ(web.failure_timeout, seconds(3600));
  EXPECT_EQ(web.steps[0].standard, "systemd");
  EXPECT_EQ(web.steps[0].type, "nginx.service");
  EXPECT_EQ(web.steps[0].name, "nginx");
  EXPECT_EQ(web.steps[0].on_fail, OnFail::block);
  EXPECT_EQ(web.steps[1].standard, "lsb");
  EXPECT_EQ(web.steps[1].type, "old-daemon");
  ASSERT_EQ(web.steps[1].more_monitors.size(), 1u);
  EXPECT_EQ(web.steps[1].more_monitors[0].check_level, 20u);
  EXPECT_EQ(web.steps[1].more_monitors[0].timeout, seconds(40));
  EXPECT_EQ(web.steps[1].more_monitors[0].on_fail, OnFail::ignore);
}

}  // namespace
}  // namespace bascule::config
