// Copies that hear of each other's starts, stops, promotions and demotions, carried out by three managers in virtual
// time with pretended agents that record what they were told.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/manager/manager_world.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::manager::test {
namespace {

const std::string told_web = std::string(config::test::three_nodes) +
                             "[service.web]\ncopies = \"all\"\nnotify = true\n"
                             "run = { agent = \"ocf:heartbeat:apache\", notify_timeout = \"3s\" }\n";
const std::string told_db = std::string(config::test::three_nodes) +
                            "[service.db]\npromotable = true\nnotify = true\n"
                            "run = { agent = \"ocf:pacemaker:Stateful\", notify_timeout = \"3s\" }\n";
const std::string silent_db =
    std::string(config::test::three_nodes) + "[service.db]\npromotable = true\nrun = \"ocf:pacemaker:Stateful\"\n";

class Notifications : public testing::Test {
 protected:
  void TearDown() override {
    if (!world) return;
    EXPECT_TRUE(world->breaches().empty()) << world->breaches().front();
    if (!HasFailure()) return;
    for (const auto& run : world->agent_runs())
      std::printf("%8lld-%lld ms %-6s %-10s %s: %d\n", static_cast<long long>(ms_of(run.began)),
                  static_cast<long long>(ms_of(run.ended)), run.host.c_str(), run.runner.c_str(), run.text().c_str(),
                  run.code);
    for (const auto& event : world->story())
      std::printf("%8lld ms %-6s %-18s %s: %s\n", static_cast<long long>(event.at_ns / 1'000'000), event.node.c_str(),
                  event.kind.c_str(), event.subject.c_str(), event.text.c_str());
  }
  static std::int64_t ms_of(Instant at) { return at == never ? -1 : to_ms(at.time_since_epoch()); }

  void begin(const std::string& cluster) { world.emplace(cluster); }
  void begin_with_roles(const std::string& cluster = told_db) {
    begin(cluster);
    ASSERT_TRUE(started("db@alice") && started("db@bob"));
    world->attribute("alice", {"", "master-db_Stateful", "10", {}});
    ASSERT_TRUE(wait([&] { return state("db") == "Started"; }));
    world->attribute("bob", {"", "master-db_Stateful", "5", {}});
    world->run(seconds(1));
    forget();
  }
  bool wait(const std::function<bool()>& done, Duration patience = seconds(20)) {
    return world->run_until(done, patience);
  }
  std::string state(const std::string& service) {
    const auto status = nlohmann::json::parse(world->status("carol"));
    for (const auto& one : status["services"])
      if (one["name"] == service) return one["state"];
    return "";
  }
  bool started(const std::string& service) {
    return wait([&] { return state(service) == "Started"; });
  }
  void forget() { first_ = world->agent_runs().size(); }
  /// What was run since forget().
  std::vector<AgentRun> runs() {
    const auto& all = world->agent_runs();
    return {all.begin() + static_cast<std::ptrdiff_t>(first_), all.end()};
  }
  /// What the agent on that host was told since forget().
  std::vector<std::string> heard(const std::string& host) {
    std::vector<std::string> texts;
    for (const auto& run : runs())
      if (run.host == host && run.operation == "notify") texts.push_back(run.text());
    return texts;
  }
  AgentRun run_of(const std::string& host, const std::string& text) {
    for (const auto& run : runs())
      if (run.host == host && run.text() == text) return run;
    ADD_FAILURE() << host << " never ran " << text;
    return {};
  }
  std::int64_t told_at(const std::string& kind, const std::string& subject) {
    std::int64_t at = -1;
    for (const auto& event : world->story())
      if (event.kind == kind && event.subject == subject) at = event.at_ns / 1'000'000;
    return at;
  }
  using Texts = std::vector<std::string>;

  std::optional<World> world;
  std::size_t first_ = 0;
};

TEST_F(Notifications, WhoRunsHearsBeforeAndAfterAnotherStartsAndStops) {
  begin(told_web);
  ASSERT_TRUE(started("web@alice") && started("web@bob"));
  forget();
  EXPECT_EQ(world->change("carol", message::SetTarget{"web@bob", false}), "");
  ASSERT_TRUE(wait([&] { return state("web@bob") == "Stopped"; }));
  EXPECT_EQ(heard("alice"), (Texts{"pre stop bob", "post stop bob"}));
  EXPECT_EQ(heard("bob"), (Texts{"pre stop bob"}));
  EXPECT_LE(run_of("alice", "pre stop bob").ended, run_of("bob", "stop").began);
  EXPECT_LE(run_of("bob", "pre stop bob").ended, run_of("bob", "stop").began);
  EXPECT_GE(run_of("alice", "post stop bob").began, run_of("bob", "stop").ended);
  forget();
  EXPECT_EQ(world->change("carol", message::SetTarget{"web@bob", true}), "");
  ASSERT_TRUE(started("web@bob"));
  EXPECT_EQ(heard("alice"), (Texts{"pre start bob", "post start bob"}));
  EXPECT_EQ(heard("bob"), (Texts{"post start bob"}));
  EXPECT_LE(run_of("alice", "pre start bob").ended, run_of("bob", "start").began);
  EXPECT_GE(run_of("alice", "post start bob").began, run_of("bob", "start").ended);
  EXPECT_GE(told_at("service-started", "web@bob"), ms_of(run_of("alice", "post start bob").ended))
      << "what comes after it waits until all have heard";
  EXPECT_EQ(run_of("bob", "start").environment.at("OCF_RESKEY_CRM_meta_notify_active_uname"), "alice");
}

TEST_F(Notifications, OfARoleThatMovesAllHearOfTheDemotionAndThenOfThePromotion) {
  begin_with_roles();
  EXPECT_EQ(world->change("carol", message::MoveService{"db", "bob"}), "");
  ASSERT_TRUE(wait([&] { return world->host("bob").agents["Stateful"].promoted && state("db") == "Started"; }));
  for (const char* host : {"alice", "bob"})
    EXPECT_EQ(heard(host), (Texts{"pre demote alice", "post demote alice", "pre promote bob", "post promote bob"}))
        << host;
  const auto before = run_of("bob", "pre promote bob").environment;
  EXPECT_EQ(before.at("OCF_RESKEY_CRM_meta_notify_unpromoted_uname"), "alice bob");
  EXPECT_EQ(before.at("OCF_RESKEY_CRM_meta_notify_master_uname"), " ");
  EXPECT_EQ(run_of("bob", "pre demote alice").environment.at("OCF_RESKEY_CRM_meta_notify_master_uname"), "alice");
  for (const char* host : {"alice", "bob"}) {
    EXPECT_LE(run_of(host, "pre demote alice").ended, run_of("alice", "demote").began) << host;
    EXPECT_LE(run_of(host, "post demote alice").ended, run_of("bob", "promote").began) << host;
    EXPECT_LE(run_of(host, "pre promote bob").ended, run_of("bob", "promote").began) << host;
    EXPECT_GE(run_of(host, "post promote bob").began, run_of("bob", "promote").ended) << host;
  }
}

TEST_F(Notifications, ATakeoverFromADeadNodeTakesOneRoundLonger) {
  const auto took = [&](const std::string& cluster) {
    begin_with_roles(cluster);
    const auto died = world->now();
    world->power_off("alice");
    EXPECT_TRUE(wait([&] { return world->host("bob").agents["Stateful"].promoted; }));
    return to_ms(world->now() - died);
  };
  const auto without = took(silent_db);
  EXPECT_EQ(world->notices(), 0U) << "nothing is said about services without notifications";
  const auto with = took(told_db);
  EXPECT_LE(with, without + 4 * to_ms(agent_delay)) << "without " << without << " ms";
  world->run(seconds(1));
  EXPECT_EQ(heard("bob"), (Texts{"post demote alice", "post stop alice", "pre promote bob", "post promote bob"}));
  EXPECT_EQ(run_of("bob", "pre promote bob").environment.at("OCF_RESKEY_CRM_meta_notify_active_uname"), "bob");
  EXPECT_EQ(run_of("bob", "pre promote bob").environment.at("OCF_RESKEY_CRM_meta_notify_available_uname"), "bob");
}

TEST_F(Notifications, OneThatFailsOrHangsIsToldAndChangesNothing) {
  begin_with_roles();
  world->host("bob").agents["Stateful"].notify_code = 1;
  EXPECT_EQ(world->change("carol", message::SetTarget{"db", false}), "");
  ASSERT_TRUE(wait([&] { return state("db@alice") == "Stopped" && state("db@bob") == "Stopped"; }));
  EXPECT_TRUE(world->told("notification-failed", "db@bob"));
  EXPECT_EQ(world->change("carol", message::SetTarget{"db", true}), "");
  ASSERT_TRUE(started("db") && started("db@bob"));
  forget();
  world->host("bob").agents["Stateful"].notify_takes = seconds(1000);
  EXPECT_EQ(world->change("carol", message::MoveService{"db", "bob"}), "");
  ASSERT_TRUE(wait([&] { return world->host("bob").agents["Stateful"].promoted; }, seconds(30)));
  EXPECT_GE(run_of("alice", "demote").began - run_of("bob", "pre demote alice").began, seconds(3));
  EXPECT_LE(run_of("alice", "demote").began - run_of("bob", "pre demote alice").began, seconds(5));
  const auto status = nlohmann::json::parse(world->status("carol"));
  for (const auto& service : status["services"]) EXPECT_FALSE(service.contains("failures")) << service;
}

TEST_F(Notifications, NobodyWaitsForALostNode) {
  begin_with_roles();
  world->host("bob").agents["Stateful"].notify_takes = seconds(1000);
  const auto asked = world->send_change("carol", message::RestartService{"db@alice", ""});
  ASSERT_TRUE(wait([&] { return world->answer_to(asked).has_value(); }));
  world->run(milliseconds(100));
  ASSERT_FALSE(heard("bob").empty());
  const auto died = world->now();
  world->power_off("bob");
  ASSERT_TRUE(wait([&] {
    const auto all = runs();
    return std::any_of(all.begin(), all.end(), [](const AgentRun& run) { return run.text() == "demote"; });
  }));
  EXPECT_LT(world->now() - died, seconds(2)) << "less than the time that its agent had";
  ASSERT_TRUE(started("db"));
}

TEST_F(Notifications, WhatGetsLostIsSaidAgain) {
  begin(told_web);
  ASSERT_TRUE(started("web@alice") && started("web@bob"));
  forget();
  EXPECT_EQ(world->change("carol", message::SetTarget{"web@bob", false}), "");
  world->cut("alice", "bob");
  world->run(milliseconds(300));
  EXPECT_TRUE(world->host("bob").agents["apache"].running) << "alice has not answered, and is not lost";
  world->heal();
  ASSERT_TRUE(wait([&] { return state("web@bob") == "Stopped"; }));
  EXPECT_EQ(heard("alice"), (Texts{"pre stop bob", "post stop bob"}));
}

TEST_F(Notifications, WhoseLeaseEndedIsDemotedWithoutAWord) {
  begin_with_roles();
  for (const char* host : {"alice", "bob"}) world->host(host).agents["Stateful"].notify_takes = seconds(1000);
  EXPECT_EQ(world->change("carol", message::MoveService{"db", "bob"}), "");
  world->run(milliseconds(100));
  ASSERT_TRUE(world->host("alice").agents["Stateful"].promoted) << "it waits for the notification";
  const auto cut = world->now();
  world->cut("alice", "bob");
  world->cut("alice", "carol");
  ASSERT_TRUE(wait([&] { return !world->host("alice").agents["Stateful"].promoted; }));
  EXPECT_LT(world->now() - cut, milliseconds(700));
  ASSERT_TRUE(wait([&] { return world->host("bob").agents["Stateful"].promoted; }));
}

TEST_F(Notifications, AnAgentThatDoesNotOfferThemIsNotCalled) {
  begin(told_web);
  for (const char* host : {"alice", "bob"}) world->agent_says(host, "ocf:heartbeat:apache", false);
  ASSERT_TRUE(started("web@alice") && started("web@bob"));
  EXPECT_EQ(world->change("carol", message::SetTarget{"web@bob", false}), "");
  ASSERT_TRUE(wait([&] { return state("web@bob") == "Stopped"; }));
  EXPECT_EQ(heard("alice"), Texts{});
  world->agent_says("alice", "ocf:heartbeat:apache", true);
  EXPECT_EQ(world->change("carol", message::SetTarget{"web@bob", true}), "");
  ASSERT_TRUE(started("web@bob"));
  EXPECT_EQ(heard("alice"), (Texts{"pre start bob", "post start bob"}));
}

TEST_F(Notifications, OfAStartThatFailsNobodyHearsThatItWasDone) {
  begin(told_web);
  ASSERT_TRUE(started("web@alice") && started("web@bob"));
  EXPECT_EQ(world->change("carol", message::SetTarget{"web@bob", false}), "");
  ASSERT_TRUE(wait([&] { return state("web@bob") == "Stopped"; }));
  forget();
  world->host("bob").agents["apache"].start_code = 1;
  EXPECT_EQ(world->change("carol", message::SetTarget{"web@bob", true}), "");
  ASSERT_TRUE(wait([&] { return world->told("service-stopped", "web@bob") && heard("alice").size() > 2; }));
  world->run(milliseconds(100));
  EXPECT_EQ(heard("alice"), (Texts{"pre start bob", "pre stop bob", "post stop bob"}));
}

TEST_F(Notifications, AreTurnedOnWhileTheServiceRuns) {
  begin(silent_db);
  ASSERT_TRUE(started("db@alice") && started("db@bob"));
  EXPECT_EQ(world->change("carol", message::SetConfig{0, false, told_db, "", "", 1, 0}), "");
  world->run(seconds(1));
  EXPECT_EQ(told_at("service-stopped", "db@bob"), -1) << "nothing is restarted for it";
  EXPECT_EQ(world->change("carol", message::SetTarget{"db@bob", false}), "");
  ASSERT_TRUE(wait([&] { return state("db@bob") == "Stopped"; }));
  EXPECT_EQ(heard("alice"), (Texts{"pre stop bob", "post stop bob"}));
}

}  // namespace
}  // namespace bascule::manager::test
