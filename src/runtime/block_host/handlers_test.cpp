#include "runtime/block_host/handlers.h"

#include <gtest/gtest.h>

#include <optional>

namespace bascule::block_host {
namespace {

struct HandlersTest : testing::Test {
  std::unique_ptr<uring::Ring> ring = uring::Ring::create().value();

  int outcome(const std::string& command, Duration timeout = seconds(20)) {
    VolumePlan plan;
    plan.volume.name = "data";
    plan.peer = "bob";
    plan.peer_address = "10.0.0.2";
    Handlers handlers(*ring, {{"fence-peer", command}}, handler_environment(plan), timeout);
    std::optional<int> code;
    EXPECT_TRUE(handlers.run("fence-peer", [&](int exit_code) { code = exit_code; }));
    EXPECT_FALSE(code.has_value()) << "the answer comes later";
    while (!code) ring->turn();
    EXPECT_EQ(handlers.running(), 0U);
    return *code;
  }
};

TEST_F(HandlersTest, TheExitCodeIsTheAnswer) {
  EXPECT_EQ(outcome("exit 7"), 7);
  EXPECT_EQ(outcome("true"), 0);
  EXPECT_EQ(outcome("kill -TERM $$"), 128 + 15);
}

TEST_F(HandlersTest, DrbdsVariablesAreThereAndNothingElseOfOurs) {
  setenv("BASCULE_SECRET", "1", 1);
  EXPECT_EQ(outcome("test \"$DRBD_RESOURCE/$DRBD_PEER/$DRBD_PEER_AF/$DRBD_PEER_ADDRESS\" = data/bob/ipv4/10.0.0.2"), 0);
  EXPECT_EQ(outcome("test -z \"$BASCULE_SECRET\""), 0);
}

TEST_F(HandlersTest, OneThatDoesNotEndIsKilledWithItsChildren) {
  EXPECT_EQ(outcome("sleep 600", milliseconds(50)), -1);
}

TEST_F(HandlersTest, NothingRunsThatIsNotConfigured) {
  Handlers handlers(*ring, {{"split-brain", ""}}, {});
  EXPECT_FALSE(handlers.run("split-brain", [](int) { FAIL(); }));
  EXPECT_FALSE(handlers.run("fence-peer", [](int) { FAIL(); }));
}

}  // namespace
}  // namespace bascule::block_host
