#include <gtest/gtest.h>

#include "core/store/operations.h"
#include "core/store/store.h"

namespace bascule::store {
namespace {

using namespace message;

class OperationRules : public testing::Test {
 protected:
  Applied apply(Command command) { return store_.apply(++index_, {index_, "alice", std::move(command)}); }
  void alice_runs_shop() {
    ASSERT_TRUE(apply(InitialiseVolume{"data", "alice"}).accepted);
    ASSERT_TRUE(apply(GrantOwnership{"shop", "data", "alice", "", 0, 0, "first start"}).accepted);
  }
  const ClusterState& state() { return store_.state(); }

  Store store_;
  std::uint64_t index_ = 0;
};

TEST_F(OperationRules, MaintenanceIsKnownByItsScope) {
  EXPECT_EQ(in_maintenance(state(), "shop", "alice"), nullptr);
  const auto began = apply(SetMaintenance{"service:shop", true, "erik", "new switch", 5, 7'200'000});
  ASSERT_EQ(began.events.size(), 1u);
  EXPECT_EQ(began.events[0].text, "shop is in maintenance for 120 min by erik: new switch");
  ASSERT_NE(in_maintenance(state(), "shop", "alice"), nullptr);
  EXPECT_EQ(in_maintenance(state(), "mail", "alice"), nullptr);
  apply(SetMaintenance{"node:alice", true, "", "", 0, 0});
  EXPECT_NE(in_maintenance(state(), "mail", "alice"), nullptr);
  EXPECT_EQ(in_maintenance(state(), "mail", "bob"), nullptr);
  apply(SetMaintenance{"cluster", true, "", "", 0, 0});
  EXPECT_NE(in_maintenance(state(), "mail", "bob"), nullptr);
  EXPECT_TRUE(apply(SetMaintenance{"cluster", false, "", "", 0, 0}).changed);
  EXPECT_FALSE(apply(SetMaintenance{"cluster", false, "", "", 0, 0}).changed);
  EXPECT_EQ(in_maintenance(state(), "mail", "bob"), nullptr);
}

TEST_F(OperationRules, AnOldMeasureOfAMaintenanceDoesNotEndANewOne) {
  apply(SetMaintenance{"cluster", true, "", "", 0, 1000});
  const auto version = state().maintenance.at("cluster").version;
  EXPECT_TRUE(apply(AgeMaintenance{"cluster", version, 400}).accepted);
  EXPECT_EQ(state().maintenance.at("cluster").left_ms, 400u);
  EXPECT_FALSE(apply(AgeMaintenance{"cluster", version, 0}).accepted);
  apply(SetMaintenance{"cluster", true, "", "", 0, 9000});
  EXPECT_FALSE(apply(AgeMaintenance{"cluster", version + 1, 0}).accepted);
  const auto over = apply(AgeMaintenance{"cluster", state().maintenance.at("cluster").version, 0});
  EXPECT_EQ(over.events.at(0).text, "the cluster is no longer in maintenance: its time is over");
  EXPECT_TRUE(state().maintenance.empty());
}

TEST_F(OperationRules, ARestartIsOfWhatRunsAndOneAtATime) {
  EXPECT_EQ(apply(RestartService{"shop", ""}).why, "shop runs nowhere");
  alice_runs_shop();
  EXPECT_TRUE(apply(RestartService{"shop", "apache"}).accepted);
  EXPECT_EQ(apply(RestartService{"shop", ""}).why, "shop is being restarted already");
  EXPECT_FALSE(apply(RestartDone{"shop", 1, 2}).accepted);
  EXPECT_FALSE(apply(RestartDone{"shop", 2, 1}).accepted);
  EXPECT_TRUE(apply(RestartDone{"shop", 1, 1}).accepted);
  EXPECT_FALSE(apply(RestartDone{"shop", 1, 1}).accepted);
  EXPECT_TRUE(apply(RestartService{"shop", ""}).accepted);
  EXPECT_EQ(state().services.at("shop").restart_step, "");
}

TEST_F(OperationRules, WhatStartsAnewNeedsNoRestartAnyMore) {
  alice_runs_shop();
  apply(RestartService{"shop", ""});
  apply(ReleaseOwnership{"shop", "data", 1, 1});
  apply(GrantOwnership{"shop", "data", "alice", "", 1, 1, "again"});
  EXPECT_EQ(state().services.at("shop").restarts_done, 1u);
  EXPECT_EQ(state().services.at("shop").reason, "again");
}

TEST_F(OperationRules, AStopOfEverythingKeepsTheTargetsAndLetsGoOfVolumes) {
  ASSERT_TRUE(apply(InitialiseVolume{"data", "alice"}).accepted);
  apply(HoldVolume{"data", "alice"});
  apply(GrantOwnership{"", "data", "alice", "", 0, 0, "by hand"});
  apply(SetTarget{"mail", false});
  EXPECT_TRUE(apply(SetHalt{true, "erik"}).changed);
  EXPECT_FALSE(apply(SetHalt{true, "anna"}).changed);
  EXPECT_TRUE(state().volumes.at("data").stop_requested);
  EXPECT_EQ(state().volumes.at("data").hold_on, "alice");
  EXPECT_EQ(state().services.at("mail").target, Target::Stopped);
  EXPECT_TRUE(apply(SetHalt{false, "erik"}).changed);
  EXPECT_EQ(state().halted_by, "");
}

TEST_F(OperationRules, TheSnapshotHasIt) {
  alice_runs_shop();
  apply(SetMaintenance{"node:bob", true, "erik", "new disk", 17, 1000});
  apply(RestartService{"shop", "apache"});
  apply(SetHalt{true, "erik"});
  const auto restored = Store::restore(store_.snapshot());
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(restored->state(), state());
}

TEST_F(OperationRules, WhatIsSaidOfTheWrittenNameHoldsForItsCopies) {
  for (const char* node : {"alice", "bob"})
    ASSERT_TRUE(apply(GrantOwnership{std::string("web@") + node, "", node, "", 0, 0, "first start"}).accepted);
  ASSERT_TRUE(apply(GrantOwnership{"website", "", "alice", "", 0, 0, "first start"}).accepted);
  apply(SetTarget{"web@bob", false});
  EXPECT_TRUE(apply(SetTarget{"web", true}).changed);
  EXPECT_FALSE(state().services.at("web@bob").target) << "the latest word counts";
  apply(RecordFailure{"web@bob", "bob", 1, true, "rc 5"});
  apply(RecordFailure{"website", "alice", 1, true, "rc 5"});
  EXPECT_TRUE(apply(ClearFailures{"web", ""}).changed);
  EXPECT_TRUE(state().services.at("web@bob").failures.empty());
  EXPECT_FALSE(state().services.at("website").failures.empty());
  EXPECT_TRUE(apply(RestartService{"web", ""}).accepted);
  EXPECT_EQ(state().services.at("web@alice").restarts_asked, 1u);
  EXPECT_EQ(state().services.at("web@bob").restarts_asked, 1u);
  EXPECT_EQ(state().services.at("website").restarts_asked, 0u);
  EXPECT_FALSE(apply(RestartService{"web", ""}).accepted) << "one at a time";
  apply(SetMaintenance{"service:web", true, "", "", 0, 0});
  EXPECT_NE(in_maintenance(state(), "web@bob", "bob"), nullptr);
  EXPECT_EQ(in_maintenance(state(), "website", "bob"), nullptr);
}

}  // namespace
}  // namespace bascule::store
