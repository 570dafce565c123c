#include "core/membership/liveness.h"

#include <gtest/gtest.h>

#include "core/membership/at_ms.h"

namespace bascule::membership {
namespace {

using Kind = LivenessEvent::Kind;

config::ClusterConfig three_nodes() {
  config::ClusterConfig config;
  config.timing.heartbeat = milliseconds(50);
  config.timing.lease = milliseconds(500);
  for (const char* name : {"alice", "bob", "carol"}) config.nodes.push_back({name, config::NodeRole::data, "", 0});
  return config;
}

message::NodeReport report_of(const std::string& node, std::uint64_t incarnation, std::int64_t sent_at_ms,
                              std::uint64_t applied = 0) {
  return {node, incarnation, sent_at_ms * 1'000'000, applied, {}, {}};
}

class LivenessTest : public testing::Test {
 protected:
  std::vector<Kind> kinds() {
    std::vector<Kind> kinds;
    for (const auto& event : events_) kinds.push_back(event.kind);
    events_.clear();
    return kinds;
  }
  std::vector<LivenessEvent> events_;
  Liveness liveness_{three_nodes(), "carol", at(1000)};
};

TEST_F(LivenessTest, OnlineSuspectLostAndBack) {
  liveness_.heard("bob", at(1010), events_);
  EXPECT_EQ(kinds(), std::vector{Kind::back});
  EXPECT_EQ(liveness_.presence("bob", at(1259)), Presence::online);
  EXPECT_EQ(liveness_.presence("bob", at(1260)), Presence::suspect);
  EXPECT_EQ(liveness_.presence("bob", at(1459)), Presence::suspect);
  EXPECT_EQ(liveness_.presence("bob", at(1460)), Presence::lost);
  liveness_.heard("alice", at(1459), events_);
  (void)kinds();
  liveness_.tick(at(1460), events_);
  EXPECT_EQ(events_, (std::vector<LivenessEvent>{{Kind::lost, "bob", "nothing was heard from bob for 450 ms"}}));
  events_.clear();
  liveness_.tick(at(1470), events_);
  EXPECT_TRUE(events_.empty()) << "told once";
  liveness_.heard("bob", at(1500), events_);
  EXPECT_EQ(kinds(), std::vector{Kind::back});
  EXPECT_EQ(liveness_.age("bob", at(1512)), milliseconds(12));
}

TEST_F(LivenessTest, SelfIsAlwaysOnline) {
  liveness_.tick(at(99999), events_);
  EXPECT_EQ(liveness_.presence("carol", at(99999)), Presence::online);
  for (const auto& event : events_) EXPECT_NE(event.node, "carol");
}

TEST_F(LivenessTest, WhoWasNeverHeardIsSuspectFirstAndThenLost) {
  EXPECT_EQ(liveness_.presence("alice", at(1001)), Presence::suspect);
  EXPECT_EQ(liveness_.presence("alice", at(1450)), Presence::lost);
  EXPECT_EQ(liveness_.presence("stranger", at(1001)), Presence::lost);
}

TEST_F(LivenessTest, KeepsTheNewestReport) {
  EXPECT_EQ(liveness_.report(report_of("bob", 5, 100, 1), at(1000), events_), News::changed);
  EXPECT_EQ(liveness_.report(report_of("bob", 5, 200, 2), at(1050), events_), News::nothing) << "it only applied more";
  EXPECT_EQ(liveness_.report(report_of("bob", 5, 150, 1), at(1060), events_), News::old);
  EXPECT_EQ(liveness_.report(report_of("bob", 5, 200, 1), at(1060), events_), News::old);
  EXPECT_EQ(liveness_.newest_report("bob")->applied_index, 2u);
  EXPECT_EQ(liveness_.age("bob", at(1060)), milliseconds(10)) << "an old report is no sign of life";
  EXPECT_EQ(liveness_.report_age("bob", at(1060)), milliseconds(10));
  EXPECT_EQ(liveness_.report_age("alice", at(1060)), Duration::max());
}

TEST_F(LivenessTest, TellsAReportThatSaysNothingNew) {
  auto first = report_of("bob", 5, 100, 1);
  first.services.push_back({"shop", 3, "Started", "", {{"apache", "Started", 80, -1}}});
  EXPECT_EQ(liveness_.report(first, at(1000), events_), News::changed);
  auto later = first;
  later.sent_at_ns = 200'000'000;
  EXPECT_EQ(liveness_.report(later, at(1050), events_), News::nothing);
  EXPECT_EQ(liveness_.age("bob", at(1060)), milliseconds(10));
  later.sent_at_ns = 300'000'000, later.services[0].steps[0].state = "Failed";
  EXPECT_EQ(liveness_.report(later, at(1100), events_), News::changed);
}

TEST_F(LivenessTest, ARestartIsAnEventAndTheOldIncarnationCountsNoMore) {
  EXPECT_EQ(liveness_.report(report_of("bob", 5, 900), at(1000), events_), News::changed);
  EXPECT_EQ(liveness_.report(report_of("bob", 6, 3), at(1050), events_), News::changed);
  EXPECT_EQ(kinds(), (std::vector{Kind::back, Kind::restarted}));
  EXPECT_EQ(liveness_.report(report_of("bob", 5, 950), at(1060), events_), News::old) << "late word of a dead process";
  EXPECT_EQ(liveness_.newest_report("bob")->incarnation, 6u);
  EXPECT_TRUE(events_.empty());
}

TEST_F(LivenessTest, StrangersAreIgnored) {
  EXPECT_EQ(liveness_.report(report_of("eve", 1, 1), at(1000), events_), News::old);
  liveness_.heard("eve", at(1000), events_);
  EXPECT_TRUE(events_.empty());
}

TEST_F(LivenessTest, TheDeadlineIsNotAfterTheNextLoss) {
  liveness_.heard("alice", at(1000), events_), liveness_.heard("bob", at(1020), events_);
  liveness_.tick(at(1030), events_);
  EXPECT_EQ(liveness_.next_deadline(), at(1450));
  liveness_.heard("alice", at(1100), events_), liveness_.heard("bob", at(1110), events_);
  liveness_.tick(at(1300), events_);
  EXPECT_EQ(liveness_.next_deadline(), at(1550)) << "looked at again before it had to be";
  liveness_.tick(at(1555), events_);
  EXPECT_EQ(liveness_.next_deadline(), at(1560));
  liveness_.tick(at(1560), events_);
  EXPECT_EQ(liveness_.next_deadline(), never);
  liveness_.heard("bob", at(1700), events_);
  EXPECT_EQ(liveness_.next_deadline(), at(2150));
}

TEST(LivenessPatience, ANodeThatIsOftenSilentForLongIsGivenMoreTime) {
  Liveness liveness(three_nodes(), "alice", at(0));
  std::vector<LivenessEvent> events;
  Instant now = at(0);
  for (int i = 0; i < 20; ++i) liveness.heard("bob", now += milliseconds(300), events);
  EXPECT_EQ(liveness.presence("bob", now + milliseconds(899)), Presence::suspect);
  EXPECT_EQ(liveness.presence("bob", now + milliseconds(900)), Presence::lost);
  for (int i = 0; i < 250; ++i) liveness.heard("bob", now += milliseconds(50), events);
  EXPECT_EQ(liveness.presence("bob", now + milliseconds(450)), Presence::lost) << "that was long ago";
}

/// bob and alice hear each other with every third heartbeat while carol leads. When alice leads, bob's usual pauses of
/// before are no reason to wait for him longer.
TEST(LivenessPatience, AUsualPauseIsNoSilence) {
  config::ClusterConfig config = three_nodes();
  config.timing = {.heartbeat = milliseconds(50), .lease = milliseconds(500)};
  Liveness liveness(config, "alice", at(0));
  std::vector<LivenessEvent> events;
  Instant now = at(0);
  liveness.follow("carol", now);
  for (int i = 0; i < 20; ++i) liveness.heard("bob", now += milliseconds(150), events);
  EXPECT_EQ(liveness.presence("bob", now + milliseconds(349)), Presence::online);
  EXPECT_EQ(liveness.presence("bob", now + milliseconds(350)), Presence::suspect);
  EXPECT_EQ(liveness.presence("bob", now + milliseconds(550)), Presence::lost);
  EXPECT_EQ(liveness.presence("carol", now + milliseconds(450)), Presence::lost) << "she leads";
  liveness.follow("alice", now + milliseconds(100));
  liveness.heard("bob", now += milliseconds(150), events);
  EXPECT_EQ(liveness.presence("bob", now + milliseconds(450)), Presence::lost);
}

TEST(LivenessPatience, TheSilenceOfTheDeadTeachesNothing) {
  Liveness liveness(three_nodes(), "alice", at(0));
  std::vector<LivenessEvent> events;
  liveness.heard("bob", at(50), events);
  liveness.tick(at(1000), events);
  liveness.heard("bob", at(1000), events);
  EXPECT_EQ(liveness.presence("bob", at(1450)), Presence::lost);
}

}  // namespace
}  // namespace bascule::membership
