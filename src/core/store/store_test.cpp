#include "core/store/store.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace bascule::store {
namespace {

using namespace message;

/// A store that is fed one command after another, each with a new id.
class StoreTest : public testing::Test {
 protected:
  Applied apply(Command command) {
    ++index_;
    return store_.apply(index_, {1000 + index_, proposer_, std::move(command)});
  }
  void accepted(Command command) {
    const Applied applied = apply(std::move(command));
    ASSERT_TRUE(applied.accepted) << applied.why;
    ASSERT_TRUE(applied.changed);
  }
  /// Refused with these words, and without a trace.
  void refused(Command command, const std::string& why) {
    ClusterState before = store_.state();
    const Applied applied = apply(std::move(command));
    EXPECT_FALSE(applied.accepted);
    EXPECT_FALSE(applied.changed);
    EXPECT_EQ(applied.why, why);
    EXPECT_TRUE(applied.events.empty());
    before.applied_index = store_.state().applied_index;
    EXPECT_EQ(store_.state(), before);
  }
  void unchanged(Command command) {
    const Applied applied = apply(std::move(command));
    EXPECT_TRUE(applied.accepted) << applied.why;
    EXPECT_FALSE(applied.changed);
  }
  /// alice owns shop (epoch 1) and data (epoch 1); both copies are in sync.
  void alice_runs_shop() {
    accepted(InitialiseVolume{"data", "alice"});
    accepted(GrantOwnership{"shop", "data", "alice", "", 0, 0, "first start"});
    accepted(GrowInSync{"data", 1, volume().in_sync_version, "bob"});
  }
  const VolumeState& volume() { return store_.state().volumes.at("data"); }
  const ServiceState& service() { return store_.state().services.at("shop"); }

  Store store_;
  std::uint64_t index_ = 0;
  std::string proposer_ = "alice";
};

using Names = std::set<std::string>;

TEST_F(StoreTest, StandbyIsSetAndTakenBack) {
  accepted(SetStandby{"bob", true});
  EXPECT_TRUE(store_.state().nodes.at("bob").standby);
  unchanged(SetStandby{"bob", true});
  accepted(SetStandby{"bob", false});
  EXPECT_FALSE(store_.state().nodes.at("bob").standby);
}

TEST_F(StoreTest, AGoodbyeNeedsAnEmptyNodeAndEndsWithItsStandby) {
  alice_runs_shop();
  refused(SayGoodbye{"bob"}, "bob is not in standby: it still takes part");
  accepted(SetStandby{"alice", true});
  refused(SayGoodbye{"alice"}, "alice still has something that runs");
  accepted(SetStandby{"bob", true});
  unchanged(SayGoodbye{"bob", true});
  accepted(SayGoodbye{"bob"});
  EXPECT_TRUE(store_.state().nodes.at("bob").away);
  unchanged(SayGoodbye{"bob"});
  accepted(SayGoodbye{"bob", true});
  EXPECT_FALSE(store_.state().nodes.at("bob").away);
  EXPECT_TRUE(store_.state().nodes.at("bob").standby) << "a person's standby stays";
  accepted(SayGoodbye{"bob"});
  accepted(SetStandby{"bob", false});
  EXPECT_FALSE(store_.state().nodes.at("bob").away);
}

TEST_F(StoreTest, TargetIsSetAndStoppingForgetsAMove) {
  alice_runs_shop();
  accepted(MoveService{"shop", "bob"});
  accepted(SetTarget{"shop", false});
  EXPECT_EQ(service().target, Target::Stopped);
  EXPECT_FALSE(service().move_to);
  unchanged(SetTarget{"shop", false});
}

TEST_F(StoreTest, MoveIsRefusedInWords) {
  refused(MoveService{"shop", ""}, "shop runs nowhere, so there is nothing to move it away from");
  alice_runs_shop();
  refused(MoveService{"shop", "alice"}, "shop is on alice already");
  accepted(SetStandby{"bob", true});
  refused(MoveService{"shop", "bob"}, "bob is in standby");
  accepted(SetTarget{"shop", false});
  refused(MoveService{"shop", "bob"}, "shop is stopped");
}

TEST_F(StoreTest, MoveToANodeWhereTheStartFailedIsRefused) {
  alice_runs_shop();
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  accepted(GrantOwnership{"shop", "data", "bob", "", 1, 1, ""});
  accepted(RecordFailure{"shop", "bob", 2, true, "apache start: rc 1"});
  accepted(ReleaseOwnership{"shop", "data", 2, 2});
  refused(MoveService{"shop", "bob"}, "shop failed to start on bob: apache start: rc 1");
  accepted(ClearFailures{"shop", ""});
  accepted(MoveService{"shop", "bob"});
}

TEST_F(StoreTest, MoveIsForgottenWhenItArrivedAndPinsTheService) {
  alice_runs_shop();
  EXPECT_FALSE(service().pinned);
  accepted(MoveService{"shop", "bob"});
  EXPECT_EQ(service().move_to, "bob");
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  accepted(GrantOwnership{"shop", "data", "bob", "", 1, 1, ""});
  EXPECT_FALSE(service().move_to);
  EXPECT_TRUE(service().pinned);
}

TEST_F(StoreTest, MoveAwayRemembersWhereFromAndIsForgottenWhenItCouldNotLeave) {
  alice_runs_shop();
  accepted(MoveService{"shop", ""});
  EXPECT_EQ(service().move_from, "alice");
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  accepted(GrantOwnership{"shop", "data", "alice", "", 1, 1, ""});
  EXPECT_FALSE(service().move_from);
  EXPECT_FALSE(service().pinned);
}

TEST_F(StoreTest, VolumeIsInitialisedOnce) {
  accepted(InitialiseVolume{"data", "alice"});
  EXPECT_EQ(volume().in_sync, Names{"alice"});
  EXPECT_EQ(volume().in_sync_version, 1u);
  refused(InitialiseVolume{"data", "bob"}, "data has data already");
}

TEST_F(StoreTest, GrantNeedsAnInitialisedVolume) {
  refused(GrantOwnership{"shop", "data", "alice", "", 0, 0, ""}, "data has no data yet: no first copy was chosen");
}

TEST_F(StoreTest, GrantComparesBothEpochsAndBumpsThem) {
  accepted(InitialiseVolume{"data", "alice"});
  refused(GrantOwnership{"shop", "data", "alice", "", 1, 0, ""}, "shop is at epoch 0 by now, not 1");
  refused(GrantOwnership{"shop", "data", "alice", "", 0, 1, ""}, "data is at epoch 0 by now, not 1");
  accepted(GrantOwnership{"shop", "data", "alice", "", 0, 0, ""});
  EXPECT_EQ(service().owner, "alice");
  EXPECT_EQ(volume().owner, "alice");
  EXPECT_EQ(service().epoch, 1u);
  EXPECT_EQ(volume().epoch, 1u);
  EXPECT_EQ(volume().in_sync_version, 2u);
  EXPECT_FALSE(volume().held_by_hand);
}

TEST_F(StoreTest, GrantRefusesAStaleCopy) {
  accepted(InitialiseVolume{"data", "alice"});
  refused(GrantOwnership{"shop", "data", "bob", "", 0, 0, ""},
          "the copy of data on bob is not in the in-sync set {alice}");
}

TEST_F(StoreTest, GrantRefusesWhatSomebodyElseStillOwns) {
  alice_runs_shop();
  refused(GrantOwnership{"shop", "data", "bob", "", 1, 1, ""}, "alice still owns shop");
  refused(GrantOwnership{"shop", "data", "bob", "carol", 1, 1, ""}, "alice still owns shop");
  refused(GrantOwnership{"shop", "data", "alice", "", 1, 1, ""}, "alice owns shop already");
  refused(GrantOwnership{"shop", "data", "alice", "alice", 1, 1, ""}, "alice cannot take over from itself");
}

TEST_F(StoreTest, TakeoverTakesTheLostNodeOutOfTheInSyncSet) {
  alice_runs_shop();
  const auto version = volume().in_sync_version;
  const Applied applied = apply(GrantOwnership{"shop", "data", "bob", "alice", 1, 1, "alice's lease has ended"});
  ASSERT_TRUE(applied.accepted) << applied.why;
  EXPECT_EQ(volume().owner, "bob");
  EXPECT_EQ(volume().in_sync, Names{"bob"});
  EXPECT_EQ(volume().in_sync_version, version + 1);
  ASSERT_EQ(applied.events.size(), 2u);
  EXPECT_EQ(applied.events[0].text, "shop goes to bob (epoch 2): alice's lease has ended");
  EXPECT_EQ(applied.events[1].kind, "in-sync-shrunk");
  refused(ReleaseOwnership{"shop", "data", 1, 1}, "shop is at epoch 2 by now, not 1");
}

TEST_F(StoreTest, TakeoverFromANodeThatReleasedMeanwhileIsRefused) {
  alice_runs_shop();
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  refused(GrantOwnership{"shop", "data", "bob", "alice", 1, 1, ""}, "alice owns nothing of it any more");
}

TEST_F(StoreTest, GrantOfNothingOrToNobodyIsRefused) {
  refused(GrantOwnership{"", "", "bob", "", 0, 0, ""}, "nothing is named that could be granted");
  refused(GrantOwnership{"web", "", "", "", 0, 0, ""}, "no node is named");
  accepted(GrantOwnership{"web", "", "bob", "", 0, 0, ""});
}

TEST_F(StoreTest, StopIsRequestedFromTheCurrentEpochOnly) {
  alice_runs_shop();
  refused(RequestStop{"shop", 0, "standby"}, "shop is at epoch 1 by now, not 0");
  accepted(RequestStop{"shop", 1, "standby"});
  EXPECT_TRUE(service().stop_requested);
  unchanged(RequestStop{"shop", 1, "again"});
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  EXPECT_FALSE(service().stop_requested);
  refused(RequestStop{"shop", 1, "late"}, "shop has no owner");
}

TEST_F(StoreTest, ReleaseCountsOnceAndBumpsTheVersion) {
  alice_runs_shop();
  const auto version = volume().in_sync_version;
  refused(ReleaseOwnership{"shop", "data", 1, 7}, "data is at epoch 1 by now, not 7");
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  EXPECT_FALSE(service().owner);
  EXPECT_FALSE(volume().owner);
  EXPECT_EQ(service().last_owner, "alice");
  EXPECT_EQ(volume().in_sync, (Names{"alice", "bob"}));
  EXPECT_EQ(volume().in_sync_version, version + 1);
  refused(ReleaseOwnership{"shop", "data", 1, 1}, "shop is released already");
}

TEST_F(StoreTest, ShrinkComparesEpochAndVersion) {
  alice_runs_shop();
  const auto version = volume().in_sync_version;
  refused(ShrinkInSync{"data", 0, version, "bob"}, "data is at epoch 1 by now, not 0");
  refused(ShrinkInSync{"data", 1, version - 1, "bob"}, "the in-sync set of data is at version 3 by now, not 2");
  refused(ShrinkInSync{"data", 1, version, "alice"}, "alice owns data and cannot leave its in-sync set");
  accepted(ShrinkInSync{"data", 1, version, "bob"});
  EXPECT_EQ(volume().in_sync, Names{"alice"});
}

TEST_F(StoreTest, ShrinkOfANonMemberBumpsTheVersionSoThatAnEarlierGrowIsRefused) {
  alice_runs_shop();
  accepted(ShrinkInSync{"data", 1, 3, "bob"});
  accepted(ShrinkInSync{"data", 1, 4, "bob"});
  EXPECT_EQ(volume().in_sync_version, 5u);
  refused(GrowInSync{"data", 1, 4, "bob"}, "the in-sync set of data is at version 5 by now, not 4");
  accepted(GrowInSync{"data", 1, 5, "bob"});
  EXPECT_EQ(volume().in_sync, (Names{"alice", "bob"}));
}

TEST_F(StoreTest, AMemberLeavesOnlyWhileSomebodyOwnsTheVolume) {
  refused(ShrinkInSync{"data", 0, 0, "bob"}, "data has no data yet");
  alice_runs_shop();
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  refused(ShrinkInSync{"data", 1, volume().in_sync_version, "bob"}, "data has no owner");
}

TEST_F(StoreTest, OfAVolumeWithoutAnOwnerAMemberSaysWhoJoinsTheSet) {
  alice_runs_shop();
  accepted(ShrinkInSync{"data", 1, volume().in_sync_version, "bob"});
  const auto before = volume().in_sync_version;
  proposer_ = "bob";
  refused(GrowInSync{"data", 1, before, "bob"}, "alice owns data: bob cannot say who has all of it");
  proposer_ = "alice";
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  refused(GrowInSync{"data", 1, before, "bob"},
          fmt::format("the in-sync set of data is at version {} by now, not {}", before + 1, before));
  proposer_ = "bob";
  refused(GrowInSync{"data", 1, before + 1, "bob"}, "data has no owner, and bob is not in its in-sync set {alice}");
  proposer_ = "alice";
  accepted(GrowInSync{"data", 1, before + 1, "bob"});
  EXPECT_EQ(volume().in_sync, (Names{"alice", "bob"}));
  EXPECT_FALSE(volume().owner);
}

TEST_F(StoreTest, AnOwnerGivenInBetweenMakesTheMembersWordVoid) {
  alice_runs_shop();
  accepted(ShrinkInSync{"data", 1, volume().in_sync_version, "bob"});
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  const auto seen = volume().in_sync_version;
  accepted(GrantOwnership{"shop", "data", "alice", "", 1, 1, "again"});
  refused(GrowInSync{"data", 1, seen, "bob"}, "data is at epoch 2 by now, not 1");
  accepted(ReleaseOwnership{"shop", "data", 2, 2});
  refused(GrowInSync{"data", 2, seen, "bob"},
          fmt::format("the in-sync set of data is at version {} by now, not {}", seen + 2, seen));
  EXPECT_EQ(volume().in_sync, Names{"alice"});
}

TEST_F(StoreTest, AnEndOfLongerLeasesNeverComesAfterALaterBeginning) {
  accepted(SetRestartLease{"alice", 0, 30'000});
  EXPECT_EQ(store_.state().nodes.at("alice").restart_lease_ms, 30'000u);
  accepted(SetRestartLease{"alice", 1, 30'000});  // the same once more, before another restart
  refused(SetRestartLease{"alice", 1, 0}, "the restarts of alice are at version 2 by now, not 1");
  refused(SetRestartLease{"alice", 2, 120'001}, "no lease may last longer than two minutes");
  accepted(SetRestartLease{"alice", 2, 0});
  EXPECT_EQ(store_.state().nodes.at("alice").restart_lease_ms, 0u);
}

TEST_F(StoreTest, FailuresAreCountedForTheEpochsOwner) {
  alice_runs_shop();
  refused(RecordFailure{"shop", "alice", 0, false, "x"}, "shop is at epoch 1 by now, not 0");
  refused(RecordFailure{"shop", "bob", 1, false, "x"}, "bob did not own shop in epoch 1");
  accepted(RecordFailure{"shop", "alice", 1, true, "apache start: rc 1"});
  accepted(RecordFailure{"shop", "alice", 1, false, "apache monitor: rc 7"});
  EXPECT_EQ(service().failures.at("alice").count, 2u);
  EXPECT_TRUE(service().failures.at("alice").start_failed);
  EXPECT_EQ(service().failures.at("alice").text, "apache monitor: rc 7");
  accepted(ClearFailures{"shop", "alice"});
  EXPECT_TRUE(service().failures.empty());
  unchanged(ClearFailures{"shop", ""});
}

TEST_F(StoreTest, FailuresFadeOnlyWhileTheLastOneIsTheOneThatWasMeasured) {
  alice_runs_shop();
  accepted(RecordFailure{"shop", "alice", 1, false, "apache monitor: rc 7", "apache", "restart", "last words", 1700});
  const auto first = service().failures.at("alice");
  EXPECT_EQ(first.version, index_);
  EXPECT_EQ(first.step, "apache");
  EXPECT_EQ(first.output, "last words");
  accepted(RecordFailure{"shop", "alice", 1, false, "apache monitor: rc 1"});
  refused(ClearFailures{"shop", "alice", first.version},
          std::to_string(first.version) + " is not the last failure of shop on alice any more");
  const auto last = service().failures.at("alice");
  accepted(ClearFailures{"shop", "alice", last.version});
  EXPECT_TRUE(service().failures.empty());
  refused(ClearFailures{"shop", "alice", last.version},
          std::to_string(last.version) + " is not the last failure of shop on alice any more");
}

TEST_F(StoreTest, TheStrongestReactionToFailuresStays) {
  alice_runs_shop();
  for (const auto& [reaction, stays] : std::vector<std::pair<std::string, std::string>>{
           {"restart", "restart"}, {"stop", "stop"}, {"standby", "stop"}, {"block", "block"}, {"restart", "block"}}) {
    RecordFailure failure{"shop", "alice", 1, false, "x"};
    failure.reaction = reaction;
    accepted(failure);
    EXPECT_EQ(service().failures.at("alice").reaction, stays);
  }
}

TEST_F(StoreTest, ABootTakesFailuresAndTransientAttributesOfItsNode) {
  alice_runs_shop();
  accepted(NoteBoot{"alice", "b1"});
  unchanged(NoteBoot{"alice", "b1"});
  accepted(RecordFailure{"shop", "alice", 1, true, "x"});
  accepted(UpdateAttributes{"alice", true, {{"pingd", "100"}}, {}});
  accepted(UpdateAttributes{"alice", false, {{"site", "north"}}, {}});
  accepted(UpdateAttributes{"bob", true, {{"pingd", "100"}}, {}});
  accepted(NoteBoot{"alice", "b2"});
  EXPECT_TRUE(service().failures.empty());
  EXPECT_TRUE(store_.state().nodes.at("alice").transient_attributes.empty());
  EXPECT_EQ(store_.state().nodes.at("alice").attributes.at("site"), "north");
  EXPECT_EQ(store_.state().nodes.at("bob").transient_attributes.at("pingd"), "100");
  refused(NoteBoot{"alice", ""}, "no node or no boot is named");
}

TEST_F(StoreTest, AttributesAreSetCountedAndRemoved) {
  const auto value = [&](const char* name) { return store_.state().nodes.at("bob").attributes.at(name); };
  accepted(UpdateAttributes{"bob", false, {{"score", "10"}, {"words", "a b"}}, {}});
  unchanged(UpdateAttributes{"bob", false, {{"score", "10"}}, {"nothing"}});
  accepted(UpdateAttributes{"bob", false, {{"score", "value++"}, {"new", "value+=5"}}, {"words"}});
  EXPECT_EQ(value("score"), "11");
  EXPECT_EQ(value("new"), "5");
  EXPECT_FALSE(store_.state().nodes.at("bob").attributes.contains("words"));
  accepted(UpdateAttributes{"bob", false, {{"score", "score+=INFINITY"}}, {}});
  EXPECT_EQ(value("score"), "INFINITY");
  accepted(UpdateAttributes{"bob", false, {{"score", "value+=-10"}}, {}});
  EXPECT_EQ(value("score"), "999990");
}

TEST_F(StoreTest, AttributesAreBounded) {
  refused(UpdateAttributes{"bob", true, {{"", "1"}}, {}}, "the name of an attribute has 1 to 128 bytes");
  refused(UpdateAttributes{"bob", true, {{"a", std::string(1025, 'x')}}, {}},
          "the value of a is longer than 1024 bytes");
  UpdateAttributes many{"bob", true, {}, {}};
  for (std::size_t i = 0; i < attributes_max; ++i) {
    many.set["a" + std::to_string(i)] = "1";
    if (many.set.size() < attribute_changes_max) continue;
    accepted(many);
    many.set.clear();
  }
  refused(UpdateAttributes{"bob", true, {{"one more", "1"}}, {}}, "bob would have more than 256 attributes");
  accepted(UpdateAttributes{"bob", true, {{"one more", "1"}}, {"a0"}});
}

TEST_F(StoreTest, VolumeByHandIsAWishThatIsRefusedWhileAServiceOwnsIt) {
  alice_runs_shop();
  refused(HoldVolume{"data", "bob"}, "a service on alice owns data; stop the service first");
  accepted(ReleaseOwnership{"shop", "data", 1, 1});
  accepted(HoldVolume{"data", "bob"});
  EXPECT_EQ(volume().hold_on, "bob");
  EXPECT_FALSE(volume().owner);
  unchanged(HoldVolume{"data", "bob"});
  accepted(GrantOwnership{"", "data", "bob", "", 0, 1, "by hand"});
  EXPECT_TRUE(volume().held_by_hand);
  unchanged(HoldVolume{"data", "bob"});
  accepted(HoldVolume{"data", ""});
  EXPECT_TRUE(volume().stop_requested);
  unchanged(HoldVolume{"data", ""});
  accepted(ReleaseOwnership{"", "data", 0, 2});
  EXPECT_FALSE(volume().owner);
  EXPECT_FALSE(volume().held_by_hand);
}

TEST_F(StoreTest, ARepeatedProposalIsAppliedOnceAndAnsweredTheSame) {
  const Proposal initialise{1, "alice", InitialiseVolume{"data", "alice"}};
  EXPECT_TRUE(store_.apply(1, initialise).changed);
  const Proposal refused_one{2, "alice", InitialiseVolume{"data", "bob"}};
  const Applied first = store_.apply(2, refused_one);
  EXPECT_FALSE(first.accepted);
  EXPECT_EQ(store_.apply(3, initialise), (Applied{false, true, "", {}}));
  EXPECT_EQ(store_.apply(4, refused_one), first);
  EXPECT_EQ(volume().in_sync_version, 1u);
}

TEST_F(StoreTest, OnlyTheLastProposalsAreRemembered) {
  store_.apply(1, {1, "alice", SetStandby{"bob", true}});
  for (std::uint64_t i = 0; i < Store::remembered_proposals - 1; ++i)
    store_.apply(2 + i, {100 + i, "alice", SetStandby{"bob", i % 2 == 0}});
  const auto index = store_.state().applied_index;
  EXPECT_FALSE(store_.apply(index + 1, {1, "alice", SetStandby{"bob", true}}).changed) << "still remembered";
  store_.apply(index + 2, {99, "alice", SetStandby{"bob", false}});
  EXPECT_TRUE(store_.apply(index + 3, {1, "alice", SetStandby{"bob", true}}).changed) << "forgotten";
}

TEST_F(StoreTest, SnapshotsKeepEverythingAndRefuseDamage) {
  alice_runs_shop();
  accepted(SetStandby{"bob", true});
  accepted(RecordFailure{"shop", "alice", 1, true, "bad \" text"});
  accepted(NoteBoot{"bob", "b1"});
  accepted(UpdateAttributes{"bob", true, {{"pingd", "100"}}, {}});
  accepted(UpdateAttributes{"bob", false, {{"site", "north"}}, {}});
  const Bytes bytes = store_.snapshot();
  const auto restored = Store::restore(bytes);
  ASSERT_TRUE(restored) << restored.error().text();
  EXPECT_EQ(restored->state(), store_.state());
  EXPECT_EQ(restored->snapshot(), bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(Store::restore(ByteView(bytes).first(length)));
  EXPECT_FALSE(Store::restore(view_of(R"({"version":3})")));
  EXPECT_FALSE(Store::restore(view_of("[1]")));
}

}  // namespace
}  // namespace bascule::store
