// Services with copies, relations and a Promoted role, carried out by three managers in virtual time.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/manager/manager_world.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::manager::test {
namespace {

const std::string copies_cluster = config::test::three_nodes;
const std::string web_copies = "[service.web]\ncopies = \"all\"\nrun = \"ocf:heartbeat:apache\"\n";
const std::string kept_web =
    "[service.web]\ncopies = \"all\"\nwithout_quorum = \"keep\"\nrun = \"ocf:heartbeat:apache\"\n";
const std::string vip_with_web =
    "[service.vip]\nwith = \"web\"\nafter = [\"web\"]\nprefer = \"alice\"\naddress = \"10.0.0.10/24\"\n";
const std::string promotable_db = "[service.db]\npromotable = true\nrun = \"ocf:pacemaker:Stateful\"\n";

class ServiceCopies : public testing::Test {
 protected:
  void begin(const std::string& services) { world.emplace(copies_cluster + services); }
  void TearDown() override {
    if (!world) return;
    EXPECT_TRUE(world->breaches().empty()) << world->breaches().front();
    if (!HasFailure()) return;
    for (const auto& event : world->story())
      std::printf("%8lld ms %-6s %-18s %s: %s\n", static_cast<long long>(event.at_ns / 1'000'000), event.node.c_str(),
                  event.kind.c_str(), event.subject.c_str(), event.text.c_str());
  }
  nlohmann::json service(const std::string& name, const std::string& host = "carol") {
    const auto status = nlohmann::json::parse(world->status(host));
    for (const auto& one : status["services"])
      if (one["name"] == name) return one;
    return nlohmann::json::object();
  }
  bool wait(const std::function<bool()>& done, Duration patience = seconds(20)) {
    return world->run_until(done, patience);
  }
  bool runs(const std::string& host, const std::string& step) { return world->host(host).agents[step].running; }
  bool started(const std::string& name, const std::string& owner) {
    const auto one = service(name);
    return one["state"] == "Started" && one["owner"] == owner;
  }
  bool waits_started(const std::string& name, const std::string& owner) {
    return wait([&] { return started(name, owner); });
  }
  /// When this was told last, in milliseconds; -1: never.
  std::int64_t told_at(const std::string& kind, const std::string& subject) {
    std::int64_t at = -1;
    for (const auto& event : world->story())
      if (event.kind == kind && event.subject == subject) at = event.at_ns / 1'000'000;
    return at;
  }

  std::optional<World> world;
};

TEST_F(ServiceCopies, RunOnBothNodesEachWithItsOwnLife) {
  begin(web_copies);
  ASSERT_TRUE(waits_started("web@alice", "alice"));
  ASSERT_TRUE(waits_started("web@bob", "bob"));
  EXPECT_EQ(service("web@bob")["copy_of"], "web");
  world->host("bob").agents["apache"].running = false;
  ASSERT_TRUE(wait([&] { return world->told("step-failed", "web@bob"); }));
  ASSERT_TRUE(wait([&] { return started("web@bob", "bob") && runs("bob", "apache"); }));
  EXPECT_FALSE(world->told("step-failed", "web@alice"));
  EXPECT_EQ(world->change("carol", message::SetTarget{"web", false}), "");
  ASSERT_TRUE(wait([&] { return !runs("alice", "apache") && !runs("bob", "apache"); }));
  EXPECT_EQ(service("web@bob")["target"], "Stopped");
  EXPECT_EQ(world->change("carol", message::SetTarget{"web", true}), "");
  ASSERT_TRUE(waits_started("web@bob", "bob"));
  EXPECT_NE(world->change("carol", message::MoveService{"web", "bob"}).find("cannot be moved"), std::string::npos);
}

TEST_F(ServiceCopies, ComeBackWithTheirNode) {
  begin(web_copies);
  ASSERT_TRUE(waits_started("web@alice", "alice") && waits_started("web@bob", "bob"));
  world->power_off("bob");
  world->run(seconds(5));
  EXPECT_TRUE(started("web@alice", "alice"));
  world->power_on("bob");
  ASSERT_TRUE(wait([&] { return started("web@bob", "bob") && runs("bob", "apache"); }));
}

TEST_F(ServiceCopies, WithoutAQuorumTheyStopAfterTheHoldTime) {
  begin(web_copies);
  ASSERT_TRUE(waits_started("web@alice", "alice") && waits_started("web@bob", "bob"));
  world->cut("alice", "bob");
  world->cut("alice", "carol");
  world->run(seconds(1));
  EXPECT_TRUE(runs("alice", "apache")) << "held at first";
  world->run(seconds(5));
  EXPECT_FALSE(runs("alice", "apache"));
  EXPECT_TRUE(runs("bob", "apache"));
  world->heal();
  ASSERT_TRUE(wait([&] { return runs("alice", "apache") && started("web@alice", "alice"); }));
}

TEST_F(ServiceCopies, OrGoOnIfThatIsWanted) {
  begin(kept_web);
  ASSERT_TRUE(waits_started("web@alice", "alice"));
  world->cut("alice", "bob");
  world->cut("alice", "carol");
  world->run(seconds(30));
  EXPECT_TRUE(runs("alice", "apache"));
  EXPECT_TRUE(world->host("alice").leases.empty()) << "no watchdog is armed for it";
  world->heal();
  world->run(seconds(5));
  EXPECT_TRUE(started("web@alice", "alice"));
  EXPECT_EQ(told_at("service-stopped", "web@alice"), -1);
}

TEST_F(ServiceCopies, AnAddressIsTakenOverWhereACopyRunsAlready) {
  begin(web_copies + vip_with_web);
  ASSERT_TRUE(waits_started("vip", "alice") && waits_started("web@bob", "bob"));
  EXPECT_LE(told_at("step-started", "web@alice"), told_at("step-started", "vip"));
  world->run(seconds(3));
  const auto apache_started = told_at("step-started", "web@bob");
  const auto died = to_ms(world->now().time_since_epoch());
  world->power_off("alice");
  ASSERT_TRUE(waits_started("vip", "bob"));
  EXPECT_EQ(told_at("step-started", "web@bob"), apache_started) << "it ran there already";
  EXPECT_LT(told_at("step-started", "vip") - died, 1000);
}

TEST_F(ServiceCopies, WhatComesAfterItStopsBeforeAndPausesWhileItIsRestarted) {
  begin(web_copies + vip_with_web);
  ASSERT_TRUE(waits_started("vip", "alice") && waits_started("web@bob", "bob"));
  EXPECT_EQ(world->change("bob", message::RestartService{"web@alice", ""}), "");
  ASSERT_TRUE(wait([&] { return service("web@alice")["restarts"]["done"] == 1; }));
  ASSERT_TRUE(waits_started("vip", "alice"));
  EXPECT_LE(told_at("step-stopped", "vip"), told_at("step-stopped", "web@alice"));
  EXPECT_LE(told_at("step-started", "web@alice"), told_at("step-started", "vip"));
  EXPECT_EQ(service("vip")["epoch"], 1) << "it waited where it was";
  EXPECT_EQ(world->change("bob", message::SetStandby{"alice", true, false}), "");
  ASSERT_TRUE(waits_started("vip", "bob"));
  ASSERT_TRUE(wait([&] { return !runs("alice", "apache"); }));
  EXPECT_LE(told_at("service-stopped", "vip"), told_at("step-stopped", "web@alice"));
}

TEST_F(ServiceCopies, AFailureOfTheCopyTakesTheAddressAwayUntilItIsBack) {
  begin(web_copies + vip_with_web);
  ASSERT_TRUE(waits_started("vip", "alice") && waits_started("web@bob", "bob"));
  world->host("alice").agents["apache"].running = false;
  ASSERT_TRUE(wait([&] { return world->told("service-stopped", "vip"); }));
  ASSERT_TRUE(waits_started("vip", "alice"));
  EXPECT_TRUE(runs("alice", "apache"));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(wait([&] { return started("web@alice", "alice"); }));
    world->host("alice").agents["apache"].running = false;
    ASSERT_TRUE(wait([&] { return !started("web@alice", "alice"); }));
  }
  ASSERT_TRUE(waits_started("vip", "bob"));
  const auto banned = [&] {
    return service("web@alice")["why"].get<std::string>().find("failed 3 times") != std::string::npos;
  };
  EXPECT_TRUE(wait(banned)) << service("web@alice")["why"];
}

TEST_F(ServiceCopies, TheRoleIsTakenOverByACopyThatOfferedIt) {
  begin(promotable_db);
  for (const char* node : {"alice", "bob"}) ASSERT_TRUE(waits_started(std::string("db@") + node, node));
  world->run(seconds(2));
  EXPECT_EQ(service("db")["owner"], nullptr) << "no score, nobody is promoted";
  world->attribute("alice", {"", "master-db_Stateful", "10", {}});
  ASSERT_TRUE(waits_started("db", "alice"));
  world->attribute("bob", {"", "master-db_Stateful", "5", {}});
  world->run(seconds(1));
  EXPECT_TRUE(world->host("alice").agents["Stateful"].promoted);
  world->power_off("alice");
  ASSERT_TRUE(waits_started("db", "bob"));
  EXPECT_TRUE(world->host("bob").agents["Stateful"].promoted);
  EXPECT_EQ(service("db")["role"], "Promoted");
}

TEST_F(ServiceCopies, TheRoleIsDemotedBeforeItsCopyStops) {
  begin(promotable_db);
  ASSERT_TRUE(waits_started("db@alice", "alice") && waits_started("db@bob", "bob"));
  world->attribute("alice", {"", "master-db_Stateful", "10", {}});
  ASSERT_TRUE(waits_started("db", "alice"));
  world->attribute("bob", {"", "master-db_Stateful", "5", {}});
  world->run(seconds(1));
  // Its agent says that the promoted one failed: demoted, then the copy is stopped and started, then promoted again.
  world->host("alice").agents["Stateful"].running = false;
  ASSERT_TRUE(wait([&] { return world->told("step-failed", "db@alice"); }));
  ASSERT_TRUE(wait([&] { return world->host("alice").agents["Stateful"].promoted; }));
  EXPECT_EQ(world->change("bob", message::SetTarget{"db", false}), "");
  ASSERT_TRUE(wait([&] { return !runs("alice", "Stateful") && !runs("bob", "Stateful"); }));
  EXPECT_LE(told_at("step-stopped", "db"), told_at("step-stopped", "db@alice"));
}

TEST_F(ServiceCopies, ACutOffPromotedNodeIsDemotedAndAnotherPromotedOnlyAfterItsLease) {
  begin(promotable_db);
  ASSERT_TRUE(waits_started("db@alice", "alice") && waits_started("db@bob", "bob"));
  world->attribute("alice", {"", "master-db_Stateful", "10", {}});
  ASSERT_TRUE(waits_started("db", "alice"));
  world->attribute("bob", {"", "master-db_Stateful", "5", {}});
  world->run(seconds(1));
  world->cut("alice", "bob");
  world->cut("alice", "carol");
  ASSERT_TRUE(waits_started("db", "bob"));
  ASSERT_TRUE(wait([&] { return !world->host("alice").agents["Stateful"].promoted; }));
  ASSERT_TRUE(wait([&] { return !runs("alice", "Stateful"); }));
  world->heal();
  ASSERT_TRUE(waits_started("db@alice", "alice"));
  EXPECT_EQ(service("db")["owner"], "bob");
}

}  // namespace
}  // namespace bascule::manager::test
