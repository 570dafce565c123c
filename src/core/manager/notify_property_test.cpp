// Whatever happens: nobody hears before an operation once it has begun, nobody hears that it was done before it was,
// no notification runs beside another action of its agent; and where nothing is lost, everybody hears both.

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <sstream>

#include "base/prng.h"
#include "core/manager/manager_world.h"
#include "wire/cluster_config/test_cluster.h"

namespace bascule::manager::test {
namespace {

const std::string three_copies =
    std::string(config::test::replaced(config::test::three_nodes, "role = \"witness\"\n", "")) +
    R"([service.db]
promotable = true
notify = true
run = { agent = "ocf:pacemaker:Stateful", monitor_interval = "500ms", notify_timeout = "2s" }
)";
constexpr Duration settled = milliseconds(500);  // so long before and after an operation a copy has to run to count

/// What was done and heard in one world, looked at afterwards.
class Transcript {
 public:
  explicit Transcript(const std::vector<AgentRun>& runs) : runs_(runs) {}

  void check_always() const {
    for (const auto& run : runs_) {
      if (run.operation != "notify" || run.ended == never) continue;
      nothing_beside(run);
      const auto words = words_of(run);
      const bool comes = words[1] == "start" || words[1] == "promote";
      if (comes && words[0] == "pre") not_begun_meanwhile(run, words);
      if (comes && words[0] == "post") done_before(run, words);
    }
  }

  /// Where no node and no message was lost.
  void check_that_all_heard() const {
    for (const auto& done : runs_) {
      if (done.operation == "notify" || done.ended == never || (done.code != 0 && done.code != 7)) continue;
      for (const char* host : {"alice", "bob", "carol"}) {
        if (host == done.host || !ran_all_the_time(host, done.began - settled, done.ended + settled)) continue;
        EXPECT_TRUE(heard(host, "pre " + done.operation + " " + done.host, done.began - settled, done.began))
            << of(done, host);
        EXPECT_TRUE(heard(host, "post " + done.operation + " " + done.host, done.ended, done.ended + settled))
            << of(done, host);
        ++looked_at;
      }
    }
  }
  mutable int looked_at = 0;

 private:
  static std::vector<std::string> words_of(const AgentRun& run) {
    std::istringstream text(run.text());
    return {std::istream_iterator<std::string>(text), {}};
  }
  static std::string of(const AgentRun& run, const std::string& host) {
    return run.text() + " on " + run.host + " at " + std::to_string(to_ms(run.began.time_since_epoch())) +
           " ms, as heard on " + host;
  }
  void nothing_beside(const AgentRun& run) const {
    for (const auto& other : runs_) {
      // What has lost its lease is stopped and demoted at once.
      if (&other == &run || other.host != run.host || other.operation == "stop" || other.operation == "demote")
        continue;
      const bool apart = other.ended <= run.began || run.ended <= other.began;
      EXPECT_TRUE(apart || other.ended == never) << of(run, run.host) << " beside " << of(other, other.host);
    }
  }
  void not_begun_meanwhile(const AgentRun& run, const std::vector<std::string>& words) const {
    for (const auto& other : runs_)
      EXPECT_FALSE(other.host == words[2] && other.operation == words[1] && other.began > run.began &&
                   other.began < run.ended)
          << of(run, run.host) << ": it had begun";
  }
  void done_before(const AgentRun& run, const std::vector<std::string>& words) const {
    EXPECT_TRUE(std::any_of(runs_.begin(), runs_.end(),
                            [&](const AgentRun& other) {
                              return other.host == words[2] && other.operation == words[1] &&
                                     other.ended <= run.began && other.code == 0;
                            }))
        << of(run, run.host) << ": it was not done";
  }
  /// Started before, and neither stopped nor started meanwhile.
  bool ran_all_the_time(const std::string& host, Instant from, Instant until) const {
    bool running = false;
    for (const auto& run : runs_) {
      if (run.host != host || (run.operation != "start" && run.operation != "stop")) continue;
      if (run.ended <= from) running = run.operation == "start" && run.code == 0;
      if (run.ended > from && run.began < until) return false;
    }
    return running;
  }
  bool heard(const std::string& host, const std::string& text, Instant from, Instant until) const {
    return std::any_of(runs_.begin(), runs_.end(), [&](const AgentRun& run) {
      return run.host == host && run.operation == "notify" && run.text() == text && run.began >= from &&
             run.ended <= until;
    });
  }

  const std::vector<AgentRun>& runs_;
};

const char* any_host(Prng& prng) {
  static const char* const hosts[] = {"alice", "bob", "carol"};
  return hosts[prng.below(3)];
}

void change_something(World& world, Prng& prng) {
  const char* at = nullptr;
  for (const char* host : {"alice", "bob", "carol"})
    if (world.is_up(host)) at = host;
  if (at == nullptr) return;
  const std::string copy = std::string("db@") + any_host(prng);
  switch (prng.below(5)) {
    case 0:
      return void(world.send_change(at, message::SetTarget{copy, false}));
    case 1:
      return void(world.send_change(at, message::SetTarget{"db", true}));
    case 2:
      return void(world.send_change(at, message::MoveService{"db", any_host(prng)}));
    case 3:
      return void(world.send_change(at, message::RestartService{copy, ""}));
    default:
      return void(world.send_change(at, message::SetStandby{any_host(prng), prng.chance(1, 3), false}));
  }
}

void break_something(World& world, Prng& prng) {
  const char* host = any_host(prng);
  switch (prng.below(5)) {
    case 0:
      return world.is_up(host) ? world.power_off(host) : world.power_on(host);
    case 1:
      return world.cut(host, any_host(prng));
    case 2:
      return world.heal();
    case 3:
      world.host(host).agents["Stateful"].notify_code = prng.chance(1, 4) ? 1 : 0;
      return;
    default:
      world.host(host).agents["Stateful"].running = false;
  }
}

void begin(World& world) {
  const auto all_run = [&] {
    return std::all_of(world.hosts().begin(), world.hosts().end(),
                       [](const auto& host) { return World::runs(host.second, "db@" + host.first); });
  };
  ASSERT_TRUE(world.run_until(all_run, seconds(20)));
  for (const char* host : {"alice", "bob", "carol"}) world.attribute(host, {"", "master-db_Stateful", "10", {}});
  world.run(seconds(2));
}

TEST(NotificationsProperty, WhereNothingIsLostAllHearBeforeAndAfter) {
  int looked_at = 0;
  for (std::uint64_t seed = 1; seed <= 8 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    World world(three_copies);
    begin(world);
    for (int i = 0; i < 25; ++i) {
      change_something(world, prng);
      world.run(milliseconds(static_cast<std::int64_t>(prng.below(3000))));
    }
    world.run(seconds(3));
    EXPECT_TRUE(world.breaches().empty()) << world.breaches().front();
    EXPECT_FALSE(world.told("notification-failed", "db"));
    const Transcript transcript(world.agent_runs());
    transcript.check_always();
    transcript.check_that_all_heard();
    looked_at += transcript.looked_at;
  }
  EXPECT_GT(looked_at, 60) << "the operations that count are few";
}

TEST(NotificationsProperty, WhateverIsLostNobodyHearsTooLateOrTooEarlyAndAllComesBack) {
  for (std::uint64_t seed = 1; seed <= 12 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Prng prng(seed);
    World world(three_copies);
    begin(world);
    for (int i = 0; i < 30; ++i) {
      if (prng.chance(1, 2))
        change_something(world, prng);
      else
        break_something(world, prng);
      world.run(milliseconds(static_cast<std::int64_t>(prng.below(2000))));
    }
    Transcript(world.agent_runs()).check_always();
    world.heal();
    for (const char* host : {"alice", "bob", "carol"}) {
      if (!world.is_up(host)) world.power_on(host);
      world.host(host).agents["Stateful"].notify_code = 0;
    }
    world.run(seconds(5));
    for (const char* host : {"alice", "bob", "carol"})
      (void)world.change("alice", message::SetStandby{host, false, false});
    (void)world.change("alice", message::ClearFailures{"db", "", 0});
    (void)world.change("alice", message::SetTarget{"db", true});
    EXPECT_TRUE(world.run_until(
        [&] {
          return std::all_of(world.hosts().begin(), world.hosts().end(),
                             [](const auto& host) { return World::runs(host.second, "db@" + host.first); });
        },
        seconds(60)));
    EXPECT_TRUE(world.breaches().empty()) << world.breaches().front();
  }
}

}  // namespace
}  // namespace bascule::manager::test
