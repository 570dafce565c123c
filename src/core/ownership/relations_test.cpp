#include <gtest/gtest.h>

#include "base/prng.h"
#include "core/ownership/relations_world.h"

namespace bascule::ownership {
namespace {

using relations_world::RelationsWorld;
using namespace message;
using Story = std::vector<std::string>;

const std::string dummy_run = "run = \"ocf:heartbeat:Dummy\"\n";
const std::string web = "[service.web]\ncopies = \"all\"\n" + dummy_run;
const std::string vip = "[service.vip]\nwith = \"web\"\nafter = [\"web\"]\naddress = \"10.0.0.9/24\"\n";
const std::string db_and_app = "[service.db]\nprefer = \"bob\"\n" + dummy_run +
                               "[service.app]\nafter = [\"db\"]\nprefer = \"carol\"\n" + dummy_run;
const std::string stateful = "[service.db]\npromotable = true\nrun = \"ocf:pacemaker:Stateful\"\n";

TEST(Copies, RunOnAllNodesAtOnce) {
  RelationsWorld world(web);
  world.settle();
  EXPECT_EQ(world.story, (Story{"start web@alice alice", "start web@bob bob", "start web@carol carol"}));
  EXPECT_TRUE(world.plan().healthy) << world.plan().problems.front();
}

TEST(Copies, ANodeThatDiedTakesItsOwnAlongAndNothingElse) {
  RelationsWorld world(web);
  world.settle();
  world.story.clear();
  world.dies("bob");
  world.settle();
  EXPECT_EQ(world.story, Story{});
  EXPECT_EQ(world.why("web@bob"), "bob is not online");
  EXPECT_EQ(world.plan().problems, std::vector<std::string>{"bob is not online"});
  world.comes("bob");
  world.settle();
  EXPECT_EQ(world.story, Story{"start web@bob bob"});
  EXPECT_EQ(world.state("web@bob").epoch, 1U) << "it comes back in its epoch";
}

TEST(Copies, StandbyAndStopAreOfOneOrOfAll) {
  RelationsWorld world(web);
  world.settle();
  world.story.clear();
  world.apply(SetStandby{"bob", true});
  world.apply(SetTarget{"web@carol", false});
  world.settle();
  EXPECT_EQ(world.story, (Story{"stop web@bob bob", "stop web@carol carol"}));
  world.apply(SetTarget{"web", false});
  world.settle();
  EXPECT_EQ(world.owner("web@alice"), "");
  world.story.clear();
  world.apply(SetTarget{"web", true});
  world.settle();
  EXPECT_EQ(world.story, (Story{"start web@alice alice", "start web@carol carol"})) << "bob is in standby";
}

TEST(Copies, FailuresBanOnlyTheCopyOfThatNode) {
  RelationsWorld world(web);
  world.settle();
  for (int i = 0; i < 3; ++i) world.apply(RecordFailure{"web@bob", "bob", 1, false, "rc 1"});
  world.story.clear();
  world.settle();
  EXPECT_EQ(world.story, Story{"stop web@bob bob"});
  EXPECT_EQ(world.why("web@bob"), "web@bob failed 3 times on bob, last: rc 1");
  world.apply(ClearFailures{"web", ""});
  world.settle();
  EXPECT_TRUE(world.runs_on("web@bob", "bob"));
}

TEST(Copies, ANumberOfThemGoesWhereThereIsRoom) {
  RelationsWorld world("[service.web]\ncopies = 2\n" + dummy_run);
  world.settle();
  EXPECT_EQ(world.story, (Story{"start web@1 alice", "start web@2 bob"}));
  world.dies("alice");
  world.settle();
  EXPECT_EQ(world.owner("web@1"), "carol");
  world.apply(RecordFailure{"web@2", "bob", 1, true, "rc 5"});
  world.settle();
  EXPECT_EQ(world.owner("web@2"), "bob") << "there is no room elsewhere";
}

TEST(Copies, NoneDrivesAnotherAway) {
  RelationsWorld world("[service.web]\ncopies = 2\n" + dummy_run);
  world.settle();
  world.apply(SetStandby{"carol", true});
  world.story.clear();
  world.dies("alice");
  world.settle();
  EXPECT_EQ(world.story, Story{});
  EXPECT_EQ(world.owner("web@2"), "bob");
  EXPECT_NE(world.why("web@1").find("web@2 is on bob"), std::string::npos) << world.why("web@1");
}

TEST(Copies, OfANodeThatIsToGoAreTakenFromIt) {
  RelationsWorld world(web);
  world.settle();
  world.dies("bob");
  world.apply(SetStandby{"bob", true});
  world.settle();
  EXPECT_EQ(world.owner("web@bob"), "");
}

TEST(Relations, AServiceStartsAfterAnotherWhereverItRunsAndStopsBefore) {
  RelationsWorld world(db_and_app);
  world.settle();
  EXPECT_EQ(world.story, (Story{"start db bob", "start app carol"}));
  world.story.clear();
  world.apply(MoveService{"db", "alice"});
  world.settle();
  EXPECT_EQ(world.story, (Story{"stop app carol", "stop db bob", "start db alice", "start app carol"}));
}

TEST(Relations, WhatWaitsSaysForWhat) {
  RelationsWorld world(db_and_app);
  world.apply(SetTarget{"db", false});
  world.settle();
  EXPECT_EQ(world.why("app"), "it comes after db, which is not to run now: stopped by hand");
  world.apply(SetTarget{"db", true});
  world.settle();
  world.apply(SetTarget{"db", false});
  EXPECT_EQ(world.why("db"), "it stops as soon as app, which comes after it, has stopped: stopped by hand");
}

TEST(Relations, ARecoveryInPlacePausesWhatComesAfter) {
  RelationsWorld world(db_and_app);
  world.settle();
  world.story.clear();
  world.running["db"].clear();  // its node says Stopped: it is being started again
  const auto gate = ownership::gate(world.snapshot(), *world.config.service("app"), "carol");
  EXPECT_TRUE(gate.pause);
  EXPECT_EQ(gate.waits_for, "waiting for db, which it comes after, to run");
  world.settle();
  EXPECT_EQ(world.owner("app"), "carol") << "it waits where it is";
  EXPECT_TRUE(world.runs_on("app", "carol"));
}

TEST(Relations, ARestartInPlaceWaitsForWhatComesAfter) {
  RelationsWorld world(db_and_app);
  world.settle();
  world.apply(RestartService{"db", ""});
  const auto& db = *world.config.service("db");
  EXPECT_FALSE(ownership::others_are_down(world.snapshot(), db));
  EXPECT_TRUE(ownership::gate(world.snapshot(), *world.config.service("app"), "carol").pause);
  world.running["app"].clear();
  EXPECT_TRUE(ownership::others_are_down(world.snapshot(), db));
}

TEST(Relations, AnAddressGoesWhereACopyRuns) {
  RelationsWorld world(web + vip);
  world.settle();
  EXPECT_EQ(world.owner("vip"), "alice");
  world.dies("alice");
  const auto plan = world.plan();
  ASSERT_EQ(plan.decisions.size(), 1U) << "in one round";
  EXPECT_EQ(std::get<GrantOwnership>(plan.decisions[0].command).node, "bob");
  world.settle();
  world.story.clear();
  for (int i = 0; i < 3; ++i) world.apply(RecordFailure{"web@bob", "bob", 1, false, "rc 1"});
  world.settle();
  EXPECT_EQ(world.story, (Story{"stop vip bob", "stop web@bob bob", "start vip carol"}));
}

TEST(Relations, WithAndAfterAreTakenOverTogether) {
  RelationsWorld world("[service.db]\n" + dummy_run + "[service.app]\nafter = [\"db\"]\nwith = \"db\"\n" + dummy_run);
  world.settle();
  EXPECT_NE(world.plan().summary.find("If alice fails now, bob takes over."), std::string::npos)
      << world.plan().summary;
  world.story.clear();
  world.dies("alice");
  EXPECT_EQ(world.plan().decisions.size(), 2U) << "both in one round";
  world.settle();
  EXPECT_EQ(world.story, (Story{"start db bob", "start app bob"}));
}

TEST(Relations, WhatBelongsToItTakesItAlongWhenItFailsTooOften) {
  RelationsWorld world("[service.db]\n" + dummy_run + "[service.app]\nwith = \"db\"\n" + dummy_run);
  world.settle();
  world.apply(RecordFailure{"app", "alice", 1, true, "rc 5"});
  world.settle();
  EXPECT_EQ(world.owner("db"), "bob");
  EXPECT_EQ(world.owner("app"), "bob");
}

TEST(Relations, ApartFromItAndOutOfItsWay) {
  RelationsWorld world("[service.db]\n" + dummy_run + "[service.test]\napart = \"db\"\n" + dummy_run);
  world.settle();
  EXPECT_EQ(world.owner("db"), "alice");
  EXPECT_EQ(world.owner("test"), "bob");
  world.dies("carol");
  world.dies("alice");
  world.settle();
  EXPECT_EQ(world.owner("db"), "bob");
  EXPECT_EQ(world.owner("test"), "");
  EXPECT_NE(world.why("test").find("db is on bob, and it is to be apart"), std::string::npos);
}

TEST(Relations, AMoveThatARelationForbidsIsRefused) {
  RelationsWorld world("[service.db]\n" + dummy_run + "[service.app]\nwith = \"db\"\n" + dummy_run);
  world.settle();
  const auto moved = admissible(world.snapshot(), MoveService{"app", "bob"});
  ASSERT_FALSE(moved.has_value());
  EXPECT_EQ(moved.error().why, "it belongs to db, which is on alice");
  EXPECT_TRUE(admissible(world.snapshot(), SetStandby{"alice", true, false}).has_value());
}

TEST(Role, GoesToTheCopyWithTheBestScoreAndIsDemotedBeforeItsCopyStops) {
  RelationsWorld world(stateful);
  world.scores = {{"alice", 5}, {"bob", 10}, {"carol", 5}};
  for (const char* node : {"alice", "bob", "carol"})
    world.give_score(*world.config.service(std::string("db@") + node), node);
  world.settle();
  EXPECT_EQ(world.owner("db"), "bob");
  world.story.clear();
  world.apply(SetStandby{"bob", true});
  world.settle();
  EXPECT_EQ(world.story, (Story{"stop db bob", "stop db@bob bob", "start db alice"}));
  world.apply(MoveService{"db", "carol"});
  world.settle();
  EXPECT_EQ(world.owner("db"), "carol");
  world.scores["carol"] = -1;
  world.give_score(*world.config.service("db@carol"), "carol");
  world.settle();
  EXPECT_EQ(world.owner("db"), "alice");
}

TEST(Role, NobodyIsPromotedWhoDidNotOfferIt) {
  RelationsWorld world(stateful);
  world.scores = {{"alice", -1}, {"bob", -1}, {"carol", -1}};
  world.settle();
  EXPECT_EQ(world.owner("db"), "");
  EXPECT_NE(world.why("db").find("its promotion score on bob is -1"), std::string::npos) << world.why("db");
  world.apply(SetTarget{"db", false});
  world.settle();
  EXPECT_EQ(world.owner("db@alice"), "") << "its name means the copies as well";
}

// ---- whatever happens ----------------------------------------------------------------------------------------------

const std::string everything = web + vip + "[service.db]\nprefer = \"bob\"\n" + dummy_run +
                               "[service.app]\nafter = [\"db\", \"web\"]\nwith = \"db\"\n" + dummy_run +
                               "[service.two]\ncopies = 2\n" + dummy_run +
                               "[service.test]\napart = [\"db\", \"two\"]\n" + dummy_run +
                               "[service.kv]\npromotable = true\nafter = [\"web\"]\nrun = "
                               "\"ocf:pacemaker:Stateful\"\n[service.kvip]\nwith = \"kv\"\n"
                               "after = [\"kv\"]\naddress = \"10.0.0.8/24\"\n";

void disturb(RelationsWorld& world, Prng& prng) {
  static const char* const names[] = {"alice", "bob", "carol"};
  const std::string node = names[prng.below(3)];
  const auto& services = world.config.services;
  const auto& service = services[prng.below(services.size())];
  const auto agreed = world.state(service.name);
  switch (prng.below(9)) {
    case 0:
      return world.dies(node);
    case 1:
    case 2:
      return world.comes(node);
    case 3:
      return void(world.apply(SetStandby{node, prng.chance(1, 3)}));
    case 4:
      return void(world.apply(SetTarget{config::written_name(service.name), prng.chance(3, 4)}));
    case 5:
      return void(world.apply(SetTarget{service.name, prng.chance(3, 4)}));
    case 6:
      return void(world.apply(ClearFailures{config::written_name(service.name), ""}));
    case 7:
      if (agreed.last_owner)
        world.apply(RecordFailure{service.name, *agreed.last_owner, agreed.epoch, prng.chance(1, 3), "rc 1"});
      return;
    default:
      if (!service.copy) world.apply(MoveService{service.name, prng.chance(1, 2) ? node : ""});
  }
}

bool any_on(RelationsWorld& world, const std::string& related, const std::string& node) {
  const auto others = world.config.related(related);
  return std::any_of(others.begin(), others.end(), [&](const auto* one) { return world.runs_on(one->name, node); });
}
bool any_runs(RelationsWorld& world, const std::string& related) {
  const auto others = world.config.related(related);
  return std::any_of(others.begin(), others.end(), [&](const auto* one) { return !world.running[one->name].empty(); });
}

void expect_relations_at_rest(RelationsWorld& world) {
  for (const auto& service : world.config.services) {
    EXPECT_LE(world.running[service.name].size(), 1U) << service.name << " runs twice";
    for (const auto& node : world.running[service.name]) {
      for (const auto& other : service.with) EXPECT_TRUE(any_on(world, other, node)) << service.name << " " << other;
      for (const auto& other : service.apart) EXPECT_FALSE(any_on(world, other, node)) << service.name << " " << other;
      for (const auto& other : service.after) EXPECT_TRUE(any_runs(world, other)) << service.name << " " << other;
    }
  }
}

void expect_safe(RelationsWorld& world, const Decision& decision) {
  const auto* grant = std::get_if<GrantOwnership>(&decision.command);
  if (grant == nullptr) return;
  const auto owner = world.owner(grant->service);
  EXPECT_EQ(owner, grant->lost) << text(decision.command);
  EXPECT_EQ(decision.takes_over_from.value_or(""), grant->lost);
  EXPECT_TRUE(owner.empty() || world.nodes.at(owner).lease_certainly_over);
  const auto* service = world.config.service(grant->service);
  EXPECT_TRUE(!service->copy || service->copy->node.empty() || service->copy->node == grant->node);
}

TEST(RelationsProperty, HoldAtRestWhateverHappened) {
  std::size_t decisions = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Prng prng(seed);
    RelationsWorld world(everything);
    world.scores = {{"alice", 5}, {"bob", 10}, {"carol", static_cast<int>(prng.below(20)) - 1}};
    for (int step = 0; step < 40; ++step) {
      disturb(world, prng);
      decisions += world.settle([&](const Decision& one) { expect_safe(world, one); });
      expect_relations_at_rest(world);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed << " step " << step;
    }
  }
  EXPECT_GT(decisions, 1000U) << "the world must have been lively";
}

}  // namespace
}  // namespace bascule::ownership
