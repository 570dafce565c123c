#include "core/fencing/fencer.h"

#include <gtest/gtest.h>

namespace bascule::fencing {
namespace {

config::FenceDevice device(const std::string& name, std::uint32_t level = 1) {
  config::FenceDevice one;
  one.name = name;
  one.agent = "fence_" + name;
  one.plugs = {{"bob", "7"}};
  one.parameters = {{"ip", "10.0.1.9"}};
  one.level = level;
  one.retries = 1;
  return one;
}

/// Runs a fencing and keeps its story: "+0 pdu off", "-> proven", ...
class FencerStory : public testing::Test {
 protected:
  void begin(std::vector<config::FenceDevice> devices, Duration head_start = {}) {
    order.node = "bob";
    order.devices = std::move(devices);
    order.head_start = head_start;
    fencer.emplace(order, now);
    step(input::Tick{});
  }
  void step(const Input& input) {
    Effects effects;
    fencer->step(input, now, effects);
    for (const auto& effect : effects) tell(effect);
  }
  void tell(const Effect& effect) {
    if (const auto* run = std::get_if<effect::RunAgent>(&effect))
      last = *run, story += run->device + " " + run->action + "\n";
    if (const auto* proof = std::get_if<effect::ProvenOff>(&effect)) since = proof->since, story += "proven\n";
    if (const auto* end = std::get_if<effect::Ended>(&effect))
      story += std::string(text(end->state)) + ": " + end->text + "\n";
  }
  void answer(int code, const std::string& output = "") { step(input::AgentDone{last.run, code, output}); }
  void wait(Duration time) {
    now += time;
    step(input::Tick{});
  }

  Order order;
  std::optional<Fencer> fencer;
  effect::RunAgent last;
  Instant now = instant_from_ns(1'000'000'000);
  Instant since{};
  std::string story;
};

TEST_F(FencerStory, RebootIsOffThenSeenToBeOffThenOn) {
  begin({device("pdu")});
  EXPECT_EQ(last.input, "ip=10.0.1.9\nnodename=bob\nport=7\nplug=7\naction=off\n");
  now += seconds(2);
  answer(0);
  const Instant looked = now;
  now += seconds(1);
  answer(2), answer(0);
  EXPECT_EQ(story, "pdu off\npdu status\nproven\npdu on\nProven: bob is fenced (pdu off, pdu on)\n");
  EXPECT_EQ(since, looked) << "what is heard of the node after that is news";
}

TEST_F(FencerStory, AnAgentThatSaysOffAndIsNotIsTriedAgainThenTheNextLevel) {
  begin({device("ipmi"), device("pdu", 2)});
  answer(0), answer(0);
  wait(seconds(1));
  answer(0);
  EXPECT_EQ(story, "ipmi off\nipmi status\nipmi status\npdu off\n");
  answer(1, "no route"), wait(seconds(1)), answer(-1, "timed out");
  EXPECT_EQ(
      story,
      "ipmi off\nipmi status\nipmi status\npdu off\npdu off\nFailed: bob could not be fenced: pdu off: timed out\n");
}

TEST_F(FencerStory, AllDevicesOfALevelAreOffBeforeOneIsOnAgain) {
  begin({device("pdu-a"), device("pdu-b")});
  answer(0), answer(2), answer(0), answer(2), answer(1, "stuck"), answer(0);
  EXPECT_EQ(story,
            "pdu-a off\npdu-a status\npdu-b off\npdu-b status\nproven\npdu-a on\npdu-b on\n"
            "Proven: bob is fenced (pdu-a off, pdu-b off, pdu-a not on, pdu-b on); pdu-a did not switch it on again: "
            "stuck\n");
}

TEST_F(FencerStory, OneOfTwoDevicesIsNoProof) {
  begin({device("pdu-a"), device("pdu-b")});
  answer(0), answer(2), answer(1, "x"), wait(seconds(1)), answer(1, "no");
  EXPECT_EQ(story, "pdu-a off\npdu-a status\npdu-b off\npdu-b off\nFailed: bob could not be fenced: pdu-b off: no\n");
}

TEST_F(FencerStory, WithoutVerificationTheAgentsOwnRebootIsBelieved) {
  auto pdu = device("pdu");
  pdu.verify = false;
  begin({pdu});
  answer(0);
  EXPECT_EQ(story, "pdu reboot\nproven\nProven: bob is fenced (pdu reboot)\n");
}

TEST_F(FencerStory, OffStaysOff) {
  auto pdu = device("pdu");
  pdu.action = config::FenceAction::off;
  begin({pdu});
  answer(0), answer(2);
  EXPECT_EQ(story, "pdu off\npdu status\nproven\nProven: bob is fenced (pdu off)\n");
}

TEST_F(FencerStory, WhatTheMetadataDoesNotNameIsNotAsked) {
  order.abilities["fence_x"].actions = {"reboot", "monitor"};
  begin({device("x")});
  answer(0);
  EXPECT_EQ(story, "x reboot\nproven\nProven: bob is fenced (x reboot)\n");
}

TEST_F(FencerStory, TheHeadStartOfTheOtherSideIsWaitedAndCanBeCancelled) {
  begin({device("pdu")}, seconds(2));
  EXPECT_EQ(fencer->next_deadline(), now + seconds(2));
  wait(milliseconds(1999));
  EXPECT_EQ(story, "");
  step(input::Cancel{"bob is back"});
  wait(seconds(60));
  EXPECT_EQ(story, "Cancelled: not fenced: bob is back\n");
}

TEST_F(FencerStory, ItIsNeverCancelledHalfWay) {
  begin({device("pdu")});
  step(input::Cancel{"bob is back"});
  answer(0), step(input::Cancel{"bob is back"}), answer(2), step(input::Cancel{"bob is back"}), answer(0);
  EXPECT_EQ(fencer->state(), State::Proven);
}

TEST_F(FencerStory, DelaysAreDrawnFromTheSeed) {
  auto pdu = device("pdu");
  pdu.delay = seconds(1);
  pdu.delay_max = seconds(10);
  std::set<Instant> moments;
  for (order.seed = 0; order.seed < 50; ++order.seed) {
    begin({pdu});
    EXPECT_GE(fencer->next_deadline(), now + seconds(1));
    EXPECT_LE(fencer->next_deadline(), now + seconds(11));
    moments.insert(fencer->next_deadline());
  }
  EXPECT_GT(moments.size(), 40u);
}

}  // namespace
}  // namespace bascule::fencing
