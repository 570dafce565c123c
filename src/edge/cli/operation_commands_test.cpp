#include <gtest/gtest.h>

#include "edge/cli/follow_through.h"
#include "edge/cli/operation_progress.h"

namespace bascule::cli {
namespace {

json cluster() {
  return json::parse(R"({"at_ns":1000000000,"nodes":[{"name":"alice","online":true},{"name":"bob","online":true},
    {"name":"carol","online":true}],
    "services":[{"name":"shop","owner":"alice","state":"Stopping","target":"Started","why":"",
                 "steps":[{"name":"mount","state":"Started"},{"name":"apache","state":"Stopping"}]}],
    "volumes":[{"name":"data","owner":"alice","in_sync":["alice","bob"],"replicas":[]}]})");
}

TEST(OperationProgress, SaysWhatANodeIsWaitedFor) {
  auto status = cluster();
  EXPECT_EQ(still_on(status, {}, "alice"), std::vector<std::string>{"shop is on alice yet, stopping apache"});
  EXPECT_TRUE(still_on(status, {}, "bob").empty());
  EXPECT_EQ(still_running(status).size(), 2u);
  EXPECT_EQ(not_started(status).size(), 1u);
}

TEST(OperationProgress, WhatHasLeftANodeIsWaitedForUntilItRunsElsewhere) {
  auto status = cluster();
  const auto left = owned_by(status, "alice");
  EXPECT_EQ(left, std::set<std::string>{"shop"});
  status["services"][0]["owner"] = nullptr;
  EXPECT_TRUE(still_on(status, {}, "alice").size() == 0u);
  EXPECT_EQ(not_started(status, left).size(), 1u) << "nobody has it";
  EXPECT_TRUE(not_started(status, std::set<std::string>{"web"}).empty());
  status["services"][0]["owner"] = "bob", status["services"][0]["state"] = "Started";
  EXPECT_TRUE(not_started(status, left).empty());
}

TEST(OperationProgress, AResyncThatIsWaitedForHasItsRateAndTheTimeLeft) {
  auto before = cluster();
  before["volumes"][0]["replicas"] = {
      {{"node", "bob"}, {"resync_total_bytes", 400 << 20}, {"resync_done_bytes", 100 << 20}}};
  auto now = before;
  now["at_ns"] = 2'000'000'000;
  now["volumes"][0]["replicas"][0]["resync_done_bytes"] = 200 << 20;
  EXPECT_EQ(still_on(now, before, "alice").at(1), "resync of data at 49 %, 200.0 MiB left, 100.0 MiB/s, done in 2.0 s");
}

TEST(OperationProgress, ANodeIsSafeToPowerOffWhenTheOthersHaveAMajorityAndTheData) {
  auto status = cluster();
  EXPECT_EQ(reasons_not_to_power_off(status, "alice").size(), 1u) << "the service is there yet";
  status["services"][0]["owner"] = status["volumes"][0]["owner"] = "bob";
  EXPECT_TRUE(reasons_not_to_power_off(status, "alice").empty());
  status["volumes"][0]["in_sync"] = {"alice"};
  EXPECT_EQ(reasons_not_to_power_off(status, "alice").at(0), "nobody else who is online has all of data");
  status["volumes"][0]["in_sync"] = {"alice", "bob"};
  status["nodes"][2]["online"] = false;
  EXPECT_EQ(reasons_not_to_power_off(status, "alice").at(0), "without alice there are 1 of 3 votes: no majority");
}

TEST(OperationProgress, WhatIsSaidOfCopiesIsReachedWhenAllOfThemAreThere) {
  auto status = cluster();
  status["services"] = json::parse(R"([
    {"name":"web@alice","copy_of":"web","owner":"alice","state":"Started","target":"Started"},
    {"name":"web@bob","copy_of":"web","owner":"bob","state":"Starting","target":"Started"}])");
  const Goal started{Goal::Kind::started, "web", "", ""}, stopped{Goal::Kind::stopped, "web", "", ""};
  EXPECT_EQ(progress(started, status), Progress::on_the_way);
  EXPECT_EQ(not_started(status).size(), 1u);
  status["nodes"][1]["online"] = false;
  EXPECT_TRUE(not_started(status).empty()) << "bob is away";
  status["services"][1]["owner"] = nullptr;
  EXPECT_EQ(progress(started, status), Progress::reached);
  EXPECT_EQ(progress(stopped, status), Progress::on_the_way);
  status["services"][0]["owner"] = nullptr;
  EXPECT_EQ(progress(stopped, status), Progress::reached);
  status["services"][1]["state"] = "Failed";
  EXPECT_EQ(progress(started, status), Progress::failed);
}

TEST(OperationCommands, TimesAreReadAsTheyAreSaid) {
  EXPECT_EQ(parse_length("90s").value(), seconds(90));
  EXPECT_EQ(parse_length("30min").value(), seconds(1800));
  EXPECT_EQ(parse_length("2h").value(), seconds(7200));
  EXPECT_EQ(parse_length("1d").value(), seconds(86400));
  for (const char* wrong : {"", "h", "0s", "-1h", "2 h", "1w", "99999999999999999999h", "9999999d"})
    EXPECT_FALSE(parse_length(wrong)) << wrong;
}

}  // namespace
}  // namespace bascule::cli
