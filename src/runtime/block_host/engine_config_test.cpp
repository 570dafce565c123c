#include "runtime/block_host/engine_config.h"

#include <gtest/gtest.h>

namespace bascule::block_host {
namespace {

Options two_nodes() {
  Options options;
  options.node = "alice";
  options.volume = "data";
  options.cluster.nodes = {{"alice", config::NodeRole::data, "10.0.0.1", 1},
                           {"bob", config::NodeRole::peer, "10.0.0.2", 2},
                           {"carol", config::NodeRole::witness, "10.0.0.3", 3}};
  config::Volume volume;
  volume.name = "data";
  volume.disk = {{"alice", "/a"}, {"bob", "/b"}};
  volume.operator_decides = true;
  options.cluster.volumes = {volume};
  return options;
}

replication::Config config_of(const Options& options) { return engine_config(plan_of(options).value(), options.node); }

TEST(PlanOf, ThePeerIsTheOtherDiskOrTheOtherNode) {
  Options options = two_nodes();
  EXPECT_EQ(plan_of(options).value().peer, "bob");
  EXPECT_EQ(plan_of(options).value().peer_address, "10.0.0.2");
  options.cluster.volumes[0].disk = {{"alice", "/a"}};  // the peer is diskless
  EXPECT_EQ(plan_of(options).value().peer, "bob");
  options.cluster.volumes[0].operator_decides = false;
  EXPECT_FALSE(plan_of(options));
}

TEST(PlanOf, OnlyAnOperatorsVolumeMayBeDiskless) {
  Options options = two_nodes();
  options.cluster.volumes[0].disk = {{"bob", "/b"}};
  EXPECT_EQ(plan_of(options).value().disk, "");
  options.cluster.volumes[0].operator_decides = false;
  EXPECT_FALSE(plan_of(options));
}

TEST(EngineConfig, TheMetadataAreWhereTheConfigurationHasThem) {
  Options options = two_nodes();
  EXPECT_EQ(config_of(options).placement, drbd_metadata::Placement::internal());
  options.cluster.volumes[0].metadata = {{"alice", "/dev/m"}, {"bob", "/dev/m[7]"}};
  EXPECT_EQ(config_of(options).placement, drbd_metadata::Placement::flexible());
  EXPECT_EQ(plan_of(options)->metadata.path, "/dev/m");
  options.node = "bob";
  EXPECT_EQ(config_of(options).placement, drbd_metadata::Placement::indexed(7));
  EXPECT_EQ(plan_of(options)->metadata.text(), "/dev/m[7]");
  options.cluster.volumes[0].metadata["bob"] = "/dev/m[700]";
  EXPECT_FALSE(plan_of(options));
}

TEST(EngineConfig, OnlyAnOperatorsVolumeTakesDrbdsPatienceUnasked) {
  Options options = two_nodes();
  EXPECT_EQ(config_of(options).request_timeout, seconds(42));  // 6 s, seven times
  EXPECT_EQ(config_of(options).authority, replication::Authority::Operator);
  options.cluster.volumes[0].operator_decides = false;
  EXPECT_EQ(config_of(options).request_timeout, replication::Config{}.request_timeout);
  EXPECT_EQ(config_of(options).authority, replication::Authority::Cluster);
  options.cluster.volumes[0].options.net.timeout_ds = 30;
  EXPECT_EQ(config_of(options).request_timeout, seconds(21));
  options.cluster.volumes[0].options.net.ko_count = 0;
  EXPECT_GT(config_of(options).request_timeout, seconds(86400));
}

TEST(EngineConfig, ADurationThatIsNotDrbdsDefaultIsTaken) {
  Options options = two_nodes();
  EXPECT_EQ(config_of(options).ping_interval, replication::Config{}.ping_interval);
  auto& net = options.cluster.volumes[0].options.net;
  net.ping_int_s = 3;
  net.ping_timeout_ds = 9;
  net.connect_int_s = 4;
  EXPECT_EQ(config_of(options).ping_interval, seconds(3));
  EXPECT_EQ(config_of(options).ping_timeout, milliseconds(900));
  EXPECT_EQ(config_of(options).connect_interval, seconds(4));
}

TEST(EngineConfig, BothPlacesOfAnOptionCount) {
  Options options = two_nodes();
  auto& volume = options.cluster.volumes[0];
  volume.al_extents = 61;
  volume.options.net.protocol = drbd_config::Protocol::A;
  volume.size_bytes = 1 << 20;
  EXPECT_EQ(config_of(options).al_extents, 61U);
  EXPECT_EQ(config_of(options).options.net.protocol, drbd_config::Protocol::A);
  EXPECT_EQ(config_of(options).size_limit_bytes, std::uint64_t{1} << 20);
  volume.options.disk.al_extents = 127;
  volume.options.disk.size_sectors = 1024;
  EXPECT_EQ(config_of(options).al_extents, 127U);
  EXPECT_EQ(config_of(options).size_limit_bytes, std::uint64_t{512} << 10);
}

}  // namespace
}  // namespace bascule::block_host
