#include "edge/cli/doctor_command.h"

#include <gtest/gtest.h>

#include <chrono>

#include "edge/doctor/judge.h"

namespace bascule::cli {
namespace {

TEST(DoctorCommand, TheManagersStatusTellsWhoIsHeardAndWhatIsServed) {
  doctor::Facts facts;
  facts.peers = {{"bob", "10.0.0.2", {}, -1, {}, 0}, {"bob", "10.1.0.2", {}, -1, {}, 0}};
  facts.addresses = {{"shop", "10.0.0.10", {}, false, false}, {"mail", "10.0.0.11", {}, false, false}};
  add_status(json::parse(R"({"quorum":{"have":true},
    "nodes":[{"name":"bob","links":[{"address":"10.0.0.2","up":true,"age_ms":7},{"address":"10.1.0.2","up":false,"age_ms":-1}]}],
    "services":[{"name":"shop","owner":"bob"},{"name":"mail","owner":""}]})"),
             facts);
  EXPECT_TRUE(facts.manager_runs);
  EXPECT_EQ(facts.quorum, true);
  EXPECT_EQ(facts.peers[0].heard, true);
  EXPECT_EQ(facts.peers[0].age_ms, 7);
  EXPECT_EQ(facts.peers[1].heard, false);
  EXPECT_TRUE(facts.addresses[0].served);
  EXPECT_FALSE(facts.addresses[1].served);
}

TEST(DoctorCommand, OfEachNodeTheFenceDeviceCountsThatWasLeastLatelySeenToWork) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  const auto earlier = [&](std::int64_t seconds) { return now.count() - seconds * 1000; };
  doctor::Facts facts;
  add_status({{"fencing",
               {{"devices",
                 {{{"name", "a"}, {"nodes", {"alice", "bob"}}, {"passed_at_ms", earlier(1000)}},
                  {{"name", "b"}, {"nodes", {"bob"}}, {"passed_at_ms", 0}},
                  {{"name", "c"}, {"nodes", {"alice"}}, {"passed_at_ms", earlier(5000)}}}}}}},
             facts);
  EXPECT_EQ(facts.fencing_test_age_s["bob"], -1);
  EXPECT_NEAR(facts.fencing_test_age_s["alice"], 5000, 60);
}

TEST(DoctorCommand, TheHistoryTellsHowFarClocksDiffer) {
  doctor::Facts facts;
  facts.node = "alice";
  add_clocks(json::parse(R"({"ok":true,"nodes":[{"name":"alice","answered":true},
    {"name":"bob","answered":true,"clock_offset_ms":-7200000},{"name":"carol","answered":false,"clock_offset_ms":5}]})"),
             facts);
  EXPECT_EQ(facts.clock_ahead_ms, (std::map<std::string, std::int64_t>{{"bob", -7200000}}));
}

TEST(DoctorCommand, ADaemonTellsWhatBothDisksCouldHold) {
  doctor::DiskFacts disk;
  add_volume_state(json::parse(R"({"connection":"Connected","capacity_bytes":4096,"peer_capacity_bytes":8192})"), disk);
  EXPECT_EQ(disk.connection, "Connected");
  EXPECT_EQ(disk.usable_bytes, 4096u);
  EXPECT_EQ(disk.peer_bytes, 8192u);
}

TEST(DoctorCommand, WhatAnotherNodePrintedIsRead) {
  const auto other =
      other_node(R"({"node":"bob","fingerprints":{"config":"aa","keys":[{"id":2,"fingerprint":"bb"}]}})", "f");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->node, "bob");
  EXPECT_EQ(other->config_fingerprint, "aa");
  EXPECT_EQ(other->keys, (std::vector<std::pair<std::uint32_t, std::string>>{{2, "bb"}}));
  for (const char* wrong : {"", "[]", "{\"node\":3}", R"({"fingerprints":{"config":7}})"})
    EXPECT_FALSE(other_node(wrong, "f"));
}

}  // namespace
}  // namespace bascule::cli
