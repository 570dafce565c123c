// Maintenance, restarts and stops of everything, in virtual time.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/manager/manager_world.h"

namespace bascule::manager::test {
namespace {

class Operations : public testing::Test {
 protected:
  Operations() : world(shop_config(true)) {}

  void TearDown() override {
    EXPECT_TRUE(world.breaches().empty()) << world.breaches().front();
    if (!HasFailure()) return;
    for (const auto& event : world.story())
      std::printf("%8lld ms %-6s %-18s %s: %s\n", static_cast<long long>(event.at_ns / 1'000'000), event.node.c_str(),
                  event.kind.c_str(), event.subject.c_str(), event.text.c_str());
  }
  void settle() {
    ASSERT_TRUE(world.run_until([&] { return world.serves("alice", "shop"); }, seconds(30)));
    ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(30)));
    world.run(seconds(3));  // the witness takes the lead
  }
  nlohmann::json status(const std::string& host = "carol") { return nlohmann::json::parse(world.status(host)); }
  nlohmann::json service() { return status()["services"][0]; }
  std::set<std::string> in_sync() { return status()["volumes"][0]["in_sync"].get<std::set<std::string>>(); }
  void maintenance(const std::string& scope, bool on, Duration length = {}) {
    const auto ms = static_cast<std::uint64_t>(to_ms(length));
    ASSERT_EQ(world.change("bob", message::SetMaintenance{scope, on, "erik", "new switch", 7, ms}), "");
  }
  std::size_t times_told(const std::string& kind) {
    const auto& story = world.story();
    return static_cast<std::size_t>(
        std::count_if(story.begin(), story.end(), [&](const auto& event) { return event.kind == kind; }));
  }
  bool serves_within(const std::string& host, Duration patience) {
    return world.run_until([&] { return world.serves(host, "shop"); }, patience);
  }

  World world;
};

TEST_F(Operations, InMaintenanceNothingIsRecoveredAndItIsTold) {
  settle();
  maintenance("service:shop", true);
  world.host("alice").agents["apache"].running = false;
  ASSERT_TRUE(world.run_until([&] { return world.told("step-failed", "shop"); }, seconds(10)));
  world.run(seconds(20));
  EXPECT_FALSE(world.host("alice").agents["apache"].running);
  EXPECT_EQ(times_told("step-failed"), 1u);
  EXPECT_TRUE(service()["maintenance"].get<bool>());
  EXPECT_FALSE(status()["healthy"].get<bool>());
  EXPECT_EQ(status()["maintenance"][0]["by"], "erik");
  EXPECT_NE(world.change("alice", message::MoveService{"shop", "bob"}).find("maintenance off --service shop"),
            std::string::npos);
  maintenance("service:shop", false);
  ASSERT_TRUE(serves_within("alice", seconds(10)));
  EXPECT_EQ(times_told("step-stopped"), 0u) << "what runs is not restarted";
}

/// Its lease ended meanwhile under nothing that ran, and was given back: it was never taken again in that epoch.
TEST_F(Operations, WhatWaitedThroughALossOfItsLeaseStartsAfterMaintenance) {
  settle();
  maintenance("service:shop", true);
  world.power_off("alice");
  world.power_on("alice");
  world.run(seconds(3));
  ASSERT_FALSE(world.host("alice").agents["apache"].running);
  world.cut("alice", "bob"), world.cut("alice", "carol");
  world.run(seconds(2));
  world.heal();
  world.run(seconds(2));
  maintenance("service:shop", false);
  ASSERT_TRUE(
      world.run_until([&] { return world.serves("alice", "shop") || world.serves("bob", "shop"); }, seconds(10)))
      << service().dump(1);
}

TEST_F(Operations, WhatRunsAfterMaintenanceStaysAsItIs) {
  settle();
  const auto started = times_told("step-started");
  maintenance("cluster", true);
  world.run(seconds(5));
  maintenance("cluster", false);
  world.run(seconds(10));
  EXPECT_TRUE(world.serves("alice", "shop"));
  EXPECT_EQ(times_told("step-started"), started);
  EXPECT_EQ(service()["epoch"], 1);
  EXPECT_TRUE(status()["healthy"].get<bool>()) << status().dump(1);
}

TEST_F(Operations, ALostNodeInMaintenanceIsNotTakenOverFromUntilItIsOver) {
  settle();
  maintenance("node:alice", true);
  world.power_off("alice");
  world.run(seconds(30));
  EXPECT_FALSE(world.serves("bob", "shop"));
  maintenance("node:alice", false);
  EXPECT_TRUE(serves_within("bob", seconds(5)));
}

TEST_F(Operations, LeasesGoOnInMaintenanceAndAnIsolatedNodeIsStillStopped) {
  settle();
  maintenance("cluster", true);
  world.run(seconds(10));
  EXPECT_TRUE(world.serves("alice", "shop"));
  world.cut("alice", "bob");
  world.cut("alice", "carol");
  world.run(seconds(30));
  EXPECT_FALSE(world.serves("alice", "shop"));
  EXPECT_FALSE(world.host("alice").blockd().promoted_epoch.has_value());
  EXPECT_FALSE(world.serves("bob", "shop"));
}

TEST_F(Operations, AMaintenanceEndsByItselfWhoeverLeads) {
  settle();
  maintenance("cluster", true, seconds(200));
  const Instant began = world.now();
  world.run(seconds(50));
  EXPECT_NEAR(status("alice")["maintenance"][0]["left_ms"].get<double>(), 150'000, 1000);
  world.power_off("carol");  // it leads
  world.run(seconds(20));
  world.manager_down("bob");
  world.manager_up("bob");
  ASSERT_TRUE(world.run_until([&] { return world.told("maintenance-ended", "cluster"); }, seconds(300)));
  EXPECT_GE(to_ms(world.now() - began), 199'900);
  EXPECT_LE(to_ms(world.now() - began), 262'000) << "a new start knows it only as of the last round, a minute before";
}

TEST_F(Operations, ARestartInPlaceStopsAndStartsWhatWasNamed) {
  settle();
  EXPECT_EQ(world.change("carol", message::RestartService{"shop", "IPaddr2"}), "");
  ASSERT_TRUE(world.run_until([&] { return service()["restarts"]["done"] == 1; }, seconds(10)));
  EXPECT_EQ(times_told("step-stopped"), 2u);
  EXPECT_TRUE(world.serves("alice", "shop"));
  EXPECT_EQ(service()["epoch"], 1);
  EXPECT_EQ(world.change("carol", message::RestartService{"shop", ""}), "");
  ASSERT_TRUE(world.run_until([&] { return service()["restarts"]["done"] == 2; }, seconds(10)));
  EXPECT_EQ(times_told("step-stopped"), 5u);
}

TEST_F(Operations, EverythingStopsAndStaysStoppedOverABlackout) {
  settle();
  EXPECT_EQ(world.change("carol", message::SetHalt{true, "erik"}), "");
  ASSERT_TRUE(world.run_until([&] { return status()["volumes"][0]["owner"].is_null(); }, seconds(10)));
  EXPECT_FALSE(world.host("alice").agents["Filesystem"].running);
  for (const char* name : {"alice", "bob", "carol"}) world.power_off(name);
  world.run(seconds(5));
  for (const char* name : {"alice", "bob", "carol"}) world.power_on(name);
  world.run(seconds(20));
  EXPECT_FALSE(world.serves("alice", "shop") || world.serves("bob", "shop"));
  EXPECT_TRUE(status()["halted"].get<bool>());
  EXPECT_EQ(service()["target"], "Started");
  EXPECT_NE(world.change("carol", message::SetTarget{"shop", true}).find("start --all"), std::string::npos);
  EXPECT_EQ(world.change("carol", message::SetHalt{false, "erik"}), "");
  EXPECT_TRUE(
      world.run_until([&] { return world.serves("alice", "shop") || world.serves("bob", "shop"); }, seconds(10)));
}

TEST_F(Operations, ADrainWaitsForThePlaceThatAStandbyRefuses) {
  settle();
  world.power_off("bob");
  ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 1; }, seconds(5)));
  EXPECT_NE(world.change("carol", message::SetStandby{"alice", true}), "");
  EXPECT_EQ(world.change("carol", message::SetStandby{"alice", true, true}), "");
  world.run(seconds(3));
  EXPECT_TRUE(world.serves("alice", "shop"));
  world.power_on("bob");
  EXPECT_TRUE(serves_within("bob", seconds(10)));
}

/// Six agents of 20 ms take 120 ms of it; promotion and demotion take 5 ms each.
TEST_F(Operations, AMoveCostsTheAgentsTimeAndLittleMore) {
  settle();
  Duration worst{};
  for (const char* to : {"bob", "alice", "bob", "alice"}) {
    world.run(milliseconds(1013));  // another moment between two heartbeats
    const Instant asked = world.now();
    EXPECT_EQ(world.change("alice", message::MoveService{"shop", to}), "");
    ASSERT_TRUE(serves_within(to, seconds(10)));
    worst = std::max(worst, world.now() - asked - milliseconds(120));
    ASSERT_TRUE(world.run_until([&] { return in_sync().size() == 2; }, seconds(10)));
  }
  EXPECT_LT(to_ms(worst), 60);
}

}  // namespace
}  // namespace bascule::manager::test
