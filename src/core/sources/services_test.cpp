#include "core/sources/services.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "core/policy/board.h"
#include "core/policy/plan.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::sources {
namespace {

const std::string shop = std::string(config::test::three_nodes) + R"([volume.data]
size = "1G"
disk = "/srv/data.img"
[service.shop]
volume = "data"
prefer = "bob"
mount = "/srv/shop"
address = "10.77.0.10/24"
run = [ { agent = "ocf:heartbeat:mysql", start_timeout = "90s" }, "ocf:heartbeat:apache" ]
)";

cib::Cib compiled(const std::string& toml) {
  cib::Cib cib = compile(config::parse(toml, "cluster.toml").value());
  all_up(cib);
  return cib;
}

/// Keys of all that the plan does, with the node: "shop-apache_start_0 bob".
std::vector<std::string> actions(const cib::Cib& cib) {
  const policy::Plan plan = policy::plan({std::make_shared<const cib::Cib>(cib), 1'700'000'000, false});
  std::vector<std::string> keys;
  for (const auto& action : plan.board().actions)
    if (action.in_graph || (action.required() && action.runnable && !action.pseudo))
      keys.push_back(action.key +
                     (action.node < plan.board().nodes.size() ? " " + plan.board().nodes[action.node].name : ""));
  return keys;
}

bool contains(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

TEST(Services, AreGroupsOnThePromotedReplicaWhereTheyPreferToBe) {
  const std::vector<std::string> done = actions(compiled(shop));
  EXPECT_TRUE(contains(done, "data-replica:0_promote_0 bob") || contains(done, "data-replica:1_promote_0 bob"))
      << testing::PrintToString(done);
  for (const char* step : {"shop-mount", "shop-address", "shop-mysql", "shop-apache"})
    EXPECT_TRUE(contains(done, std::string(step) + "_start_0 bob")) << step << testing::PrintToString(done);
}

TEST(Services, GoWhereTheVolumeIs) {
  cib::Cib cib = compiled(shop);
  cib.node_states[1].in_ccm = "false";
  cib.node_states[1].crmd = "offline";
  cib.node_states[1].join = cib.node_states[1].expected = "down";
  EXPECT_TRUE(contains(actions(cib), "shop-apache_start_0 alice"));
}

TEST(Services, KeepTheirTimeoutsAndMonitors) {
  const cib::Cib cib = compiled(shop);
  const cib::Resource& group = cib.resources.back();
  ASSERT_EQ(group.children.size(), 4U);
  const cib::Resource& mysql = group.children[2];
  EXPECT_EQ(mysql.id, "shop-mysql");
  EXPECT_EQ(cib::value_of(mysql.operations[0].attributes, "timeout"), "90000ms");
  EXPECT_EQ(mysql.operations[2].interval, "2000ms");
}

TEST(Services, ThatAreNotToStartAreNotStarted) {
  const std::vector<std::string> done = actions(compiled(shop + "autostart = false\n"));
  EXPECT_FALSE(contains(done, "shop-apache_start_0 bob"));
}

TEST(Services, MayBeCalledAsTheirVolume) {
  std::string toml = shop;
  toml.replace(toml.find("[volume.data]"), 13, "[volume.shop]");
  toml.replace(toml.find("volume = \"data\""), 15, "volume = \"shop\"");
  const cib::Cib cib = compiled(toml);
  EXPECT_EQ(cib.resources.front().id, "shop-volume");
  EXPECT_TRUE(contains(actions(cib), "shop-apache_start_0 bob"));
}

TEST(Services, WithCopiesAreClonesAndRelationsAreConstraints) {
  const std::string copies = std::string(config::test::three_nodes) + R"([service.web]
copies = "all"
run = "ocf:heartbeat:apache"
[service.db]
promotable = true
prefer = "bob"
run = "ocf:pacemaker:Stateful"
[service.vip]
with = "db"
after = ["db", "web"]
address = "10.77.0.10/24"
)";
  const std::vector<std::string> done = actions(compiled(copies));
  EXPECT_TRUE(contains(done, "web-apache:0_start_0 bob") || contains(done, "web-apache:0_start_0 alice"))
      << testing::PrintToString(done);
  EXPECT_TRUE(contains(done, "web-apache:1_start_0 bob") || contains(done, "web-apache:1_start_0 alice"));
  EXPECT_TRUE(contains(done, "db-Stateful:0_promote_0 bob") || contains(done, "db-Stateful:1_promote_0 bob"))
      << testing::PrintToString(done);
  EXPECT_TRUE(contains(done, "vip-address_start_0 bob")) << testing::PrintToString(done);
}

TEST(Services, ThatWantNotificationsAreClonesThatNotify) {
  const std::string copies = std::string(config::test::three_nodes) + R"([service.db]
promotable = true
notify = true
run = { agent = "ocf:pacemaker:Stateful", notify_timeout = "7s" }
)";
  const cib::Cib cib = compiled(copies);
  EXPECT_EQ(cib::value_of(cib.resources.front().children.front().operations.back().attributes, "timeout"), "7000ms");
  const std::vector<std::string> done = actions(cib);
  const auto told = [](const std::string& key) { return key.find("_post_notify_start_0 ") != std::string::npos; };
  EXPECT_EQ(std::count_if(done.begin(), done.end(), told), 2) << testing::PrintToString(done);
}

}  // namespace
}  // namespace bascule::sources
