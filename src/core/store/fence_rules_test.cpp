#include <gtest/gtest.h>

#include "core/store/store.h"

namespace bascule::store {
namespace {

class FenceRules : public testing::Test {
 protected:
  Applied apply(message::Command command) {
    return store.apply(++index, message::Proposal{index, "alice", std::move(command)});
  }
  const FencingState& fencing() const { return store.state().fencing; }

  Store store;
  std::uint64_t index = 0;
};

TEST_F(FenceRules, OneOrderAtATimeAndItsEndIsKept) {
  EXPECT_TRUE(apply(message::RequestFencing{"bob", "alice", 7, "bob is lost"}).accepted);
  EXPECT_EQ(apply(message::RequestFencing{"bob", "carol", 8, "again"}).why, "bob is being fenced by alice already");
  EXPECT_FALSE(apply(message::RecordFencing{"bob", "alice", 8, "pdu", true, "t", "r", 900, 1000}).accepted)
      << "of another order";
  EXPECT_EQ(fencing().orders.size(), 1u);
  const auto done = apply(message::RecordFencing{"bob", "alice", 7, "pdu", true, "bob is off", "lost", 900, 1000});
  ASSERT_TRUE(done.accepted);
  EXPECT_EQ(done.events.at(0).kind, "node-fenced");
  EXPECT_TRUE(fencing().orders.empty());
  ASSERT_EQ(fencing().history.size(), 1u);
  EXPECT_EQ(fencing().history.back().took_ms, 900u);
}

TEST_F(FenceRules, TheHistoryIsBounded) {
  for (std::uint64_t at = 1; at <= FencingState::kept + 10; ++at)
    EXPECT_TRUE(apply(message::RecordFencing{"bob", "alice", 0, "pdu", false, "t", "r", 1, at}).accepted);
  EXPECT_EQ(fencing().history.size(), FencingState::kept);
  EXPECT_EQ(fencing().history.front().at_ms, 11u);
}

TEST_F(FenceRules, AFailedTestDoesNotForgetWhenTheDeviceLastWorked) {
  EXPECT_TRUE(apply(message::RecordFenceTest{"pdu", "bob", "alice", true, "ok", 1000}).accepted);
  EXPECT_TRUE(apply(message::RecordFenceTest{"pdu", "bob", "alice", false, "no route", 2000}).accepted);
  const auto& test = fencing().tests.at("pdu");
  EXPECT_EQ(test.passed_at_ms, 1000u);
  EXPECT_EQ(test.tried_at_ms, 2000u);
  EXPECT_FALSE(test.passed);
}

TEST_F(FenceRules, AProvenFencingForgetsTheFailuresThatAskedForItAndNoOthers) {
  const auto fail_there = [&](const std::string& service, const std::string& reaction) {
    const auto granted = apply(message::GrantOwnership{service, "", "bob", "", 0, 0, ""});
    ASSERT_TRUE(granted.accepted) << granted.why;
    message::RecordFailure failure{service, "bob", 1, false, "broken"};
    failure.reaction = reaction;
    ASSERT_TRUE(apply(failure).accepted);
  };
  fail_there("shop", "fence");
  fail_there("mail", "stop");
  EXPECT_TRUE(apply(message::RecordFencing{"bob", "alice", 0, "pdu", false, "t", "r", 1, 5}).accepted);
  EXPECT_EQ(store.state().services.at("shop").failures.size(), 1u) << "it was not fenced";
  EXPECT_TRUE(apply(message::RecordFencing{"bob", "alice", 0, "pdu", true, "t", "r", 1, 5}).accepted);
  EXPECT_TRUE(store.state().services.at("shop").failures.empty());
  EXPECT_EQ(store.state().services.at("mail").failures.size(), 1u);
}

TEST_F(FenceRules, ASnapshotHasAllOfIt) {
  (void)apply(message::RequestFencing{"bob", "alice", 7, "bob is lost"});
  (void)apply(message::RecordFencing{"carol", "alice", 0, "pdu", true, "t", "r", 1, 5});
  (void)apply(message::RecordFenceTest{"pdu", "bob", "alice", true, "ok", 1000, 4711});
  const auto restored = Store::restore(store.snapshot());
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(restored->state(), store.state());
}

}  // namespace
}  // namespace bascule::store
