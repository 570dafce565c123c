#include "core/sources/observed.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/explain/why.h"
#include "core/sources/services.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::sources {
namespace {

const std::string configuration = std::string(config::test::three_nodes) + config::test::shop_on_data;

/// alice and bob are there, bob runs the shop.
struct Seen : testing::Test {
  config::ClusterConfig config = *config::parse(configuration, "test");
  store::ClusterState state;
  message::NodeReport alice, bob;
  std::map<std::string, const message::NodeReport*> online{{"alice", &alice}, {"bob", &bob}, {"carol", nullptr}};

  Seen() {
    for (auto* report : {&alice, &bob}) {
      report->volumes.emplace_back();
      report->volumes[0].name = "data", report->volumes[0].attached = true, report->volumes[0].disk = "UpToDate";
      report->volumes[0].role = report == &bob ? "Primary" : "Secondary";
    }
    bob.services.push_back({"shop", 1, "Started", "", {}});
    for (const auto& step : config.service("shop")->steps)
      bob.services[0].steps.push_back({step.name, "Started", 40, 25, ""});
  }

  cib::Cib compiled() {
    auto made = compile(config);
    as_observed(made, {config, state, online, 1'795'000'000});
    return made;
  }
  std::string sentence(const std::string& resource) {
    const policy::Snapshot snapshot{std::make_shared<const cib::Cib>(compiled()), 1'795'000'000, false};
    const auto answer = explain::why(snapshot, {resource, "", "", false});
    return answer ? answer->sentence : answer.error().text();
  }
};

TEST_F(Seen, WhatRunsStaysWhereItRuns) {
  EXPECT_EQ(sentence("shop").rfind("shop runs on bob", 0), 0U) << sentence("shop");
}

TEST_F(Seen, ANodeThatIsAwayRunsNothing) {
  online.erase("bob");
  EXPECT_EQ(sentence("shop").rfind("shop starts on alice", 0), 0U) << sentence("shop");
}

TEST_F(Seen, AFailedStartBans) {
  auto& failure = state.services["shop"].failures["bob"];
  failure.start_failed = true, failure.count = 1, failure.step = config.service("shop")->steps[0].name;
  bob.services[0].steps[0].state = "Failed";
  EXPECT_EQ(sentence("shop").rfind("shop starts on alice", 0), 0U) << sentence("shop");
}

TEST_F(Seen, AStandbyMovesAndATargetStops) {
  state.nodes["bob"].standby = true;
  EXPECT_EQ(sentence("shop").rfind("shop moves from bob to alice", 0), 0U) << sentence("shop");
  state.services["shop"].target = store::Target::Stopped;
  EXPECT_EQ(sentence("shop").find(" on alice"), std::string::npos) << sentence("shop");
}

TEST_F(Seen, AnOldReplicaIsNotPromoted) {
  online.erase("bob");
  alice.volumes[0].disk = "Inconsistent";
  EXPECT_EQ(sentence("shop").rfind("shop is stopped and stays so: no node can run it", 0), 0U) << sentence("shop");
}

}  // namespace
}  // namespace bascule::sources
