#include <gtest/gtest.h>

#include <array>

#include "base/prng.h"
#include "core/ownership/test_world.h"

namespace bascule::ownership {
namespace {

using namespace testing_world;

std::string any_node(Prng& prng) { return prng.chance(1, 2) ? "alice" : "bob"; }

void something_happens_to_a_node(World& world, Prng& prng) {
  const auto node = prng.chance(1, 4) ? "carol" : any_node(prng);
  if (prng.chance(1, 2)) return world.comes(node);
  world.dies(node);
  world.nodes[node].lease_certainly_over = prng.chance(1, 2);
}

RecordFailure random_failure(Prng& prng, const std::string& node, std::uint64_t epoch) {
  static const std::array reactions{"restart", "restart", "stop", "block", "standby", "fence"};
  RecordFailure failure{"shop", node, epoch, prng.chance(1, 3), "rc 1"};
  failure.reaction = reactions[prng.below(reactions.size())];
  return failure;
}

void something_is_reported(World& world, Prng& prng) {
  const auto node = any_node(prng);
  static const char* const disks[] = {"UpToDate", "UpToDate", "Consistent", "Inconsistent", "Outdated"};
  static const char* const states[] = {"Started", "Started", "Starting", "Failed", "Held"};
  world.copy(node).attached = prng.chance(5, 6);
  world.copy(node).disk = disks[prng.below(5)];
  world.copy(node).just_created = prng.chance(3, 4);
  world.told(node).epoch = prng.below(4) + (prng.chance(1, 2) ? 0 : world.told(node).epoch);
  if (world.store.state().services.contains("shop") && prng.chance(2, 3))
    world.told(node).epoch = world.service().epoch;
  world.told(node).state = states[prng.below(5)];
}

/// The owner acts by its own right; people ask for anything.
void somebody_commands(World& world, Prng& prng) {
  store::VolumeState volume;
  store::ServiceState service;
  const auto& state = world.store.state();
  if (state.volumes.contains("data")) volume = state.volumes.at("data");
  if (state.services.contains("shop")) service = state.services.at("shop");
  const auto node = any_node(prng);
  switch (prng.below(10)) {
    case 0:
      world.apply(SetStandby{node, prng.chance(1, 3)});
      break;
    case 1:
      world.apply(SetTarget{"shop", prng.chance(3, 4)});
      break;
    case 2:
      world.apply(MoveService{"shop", prng.chance(1, 2) ? node : ""});
      break;
    case 3:
      world.apply(HoldVolume{"data", prng.chance(1, 4) ? node : ""});
      break;
    case 4:
      world.apply(ClearFailures{"shop", ""});
      break;
    case 5:
      world.apply(ShrinkInSync{"data", volume.epoch, volume.in_sync_version, node});
      break;
    case 6:
    case 7:
      world.apply(GrowInSync{"data", volume.epoch, volume.in_sync_version, node});
      break;
    case 8:
      world.apply(random_failure(prng, node, service.epoch));
      break;
    default:
      if (service.owner) world.apply(ReleaseOwnership{"shop", "data", service.epoch, volume.epoch});
      if (volume.held_by_hand) world.apply(ReleaseOwnership{"", "data", 0, volume.epoch});
  }
}

/// What no plan may ever contain, whatever was observed.
void check(const World& world, const GrantOwnership& grant, const std::optional<std::string>& takes_over_from) {
  const auto& state = world.store.state();
  const auto& volume = state.volumes.at("data");
  ASSERT_TRUE(volume.in_sync.contains(grant.node)) << "a stale copy";
  ASSERT_TRUE(world.nodes.at(grant.node).online);
  ASSERT_EQ(takes_over_from.value_or(""), grant.lost);
  std::set<std::string> owners;
  if (volume.owner) owners.insert(*volume.owner);
  if (state.services.contains("shop") && state.services.at("shop").owner && !grant.service.empty())
    owners.insert(*state.services.at("shop").owner);
  for (const auto& owner : owners) {
    ASSERT_EQ(grant.lost, owner) << "taken without saying so";
    ASSERT_TRUE(world.nodes.at(owner).lease_certainly_over) << "the lease may still run";
    ASSERT_TRUE(world.nodes.at(owner).lost);
  }
}

std::size_t plan_until_quiet(World& world) {
  std::size_t grants = 0;
  for (int round = 0; round < 4; ++round) {
    const Plan plan = world.plan();
    if (plan.decisions.empty()) return grants;
    for (const auto& decision : plan.decisions) {
      const auto* grant = std::get_if<GrantOwnership>(&decision.command);
      if (grant != nullptr) check(world, *grant, decision.takes_over_from), ++grants;
      const auto applied = world.apply(decision.command);
      EXPECT_TRUE(applied.accepted) << text(decision.command) << ": " << applied.why;
      EXPECT_TRUE(applied.changed) << text(decision.command) << ": decided twice";
      EXPECT_FALSE(decision.reason.empty());
    }
  }
  ADD_FAILURE() << "the same observations lead to ever new decisions";
  return grants;
}

void check_words(World& world) {
  const Plan plan = world.plan();
  EXPECT_FALSE(plan.summary.empty());
  EXPECT_EQ(plan.healthy, plan.problems.empty());
  EXPECT_EQ(plan.summary, world.plan().summary);
  const bool down = plan.summary.starts_with("0 of 1");
  EXPECT_TRUE(!down || !plan.services.at("shop").why.empty()) << plan.summary;
}

TEST(PlanProperty, WhateverHappensNoGrantIsUnsafeAndPlanningComesToRest) {
  std::size_t grants = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Prng prng(seed);
    World world;
    world.copy("alice").just_created = world.copy("bob").just_created = true;
    world.shop().stickiness = prng.chance(1, 3) ? 0 : 100;
    for (int step = 0; step < 150; ++step) {
      const auto what = prng.below(4);
      if (what == 0) something_happens_to_a_node(world, prng);
      if (what == 1) something_is_reported(world, prng);
      if (what >= 2) somebody_commands(world, prng);
      grants += plan_until_quiet(world);
      check_words(world);
      ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed << " step " << step;
    }
  }
  EXPECT_GT(grants, 1000u) << "the world must have been lively";
}

}  // namespace
}  // namespace bascule::ownership
