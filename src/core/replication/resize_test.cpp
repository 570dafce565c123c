#include <gtest/gtest.h>

#include "core/replication/testing/two_engines.h"

namespace bascule::replication::resize_tests {
namespace {

using namespace replication::testing;  // NOLINT: the tests are made of it

constexpr std::uint64_t grown_bytes = (64ULL << 20) + 64 * 1024;

std::uint64_t usable_of(std::uint64_t backing) {
  return drbd_metadata::internal_layout(backing).value().usable_sectors * 512;
}

/// Two replicas that are as large as their disks allow.
TwoEngines full_pair() {
  TwoEngines pair;
  pair.both([](EngineNode& node) {
    node.config.size_limit_bytes = 0;
    node.restored.superblock.effective_sectors = usable_of(TwoEngines::backing_bytes) / 512;
  });
  return pair;
}

void start_with_primary(TwoEngines& pair) {
  pair.start();
  pair.do_now(pair.alice, input::Promote{1, false, false, 7});
  ASSERT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
}

/// As the driver does it: the size of the disk before each P_SIZES of the peer.
void measured_before_sizes(TwoEngines& pair, std::uint64_t alice_bytes, std::uint64_t bob_bytes) {
  pair.before_sizes = [&pair, alice_bytes, bob_bytes](EngineNode& node) {
    pair.give(node, input::BackingSize{&node == &pair.alice ? alice_bytes : bob_bytes});
  };
}

const effect::CommandDone* answer_to(const EngineNode& node, CommandId command) {
  for (const effect::CommandDone& answer : node.answers)
    if (answer.command == command) return &answer;
  return nullptr;
}

/// The superblock that was last written where it belongs on a disk of that size.
std::optional<drbd_metadata::Superblock> superblock_at_end(const EngineNode& node, std::uint64_t backing) {
  std::optional<drbd_metadata::Superblock> found;
  const std::uint64_t offset = drbd_metadata::internal_layout(backing).value().superblock_offset;
  for (const effect::MetadataWrite& write : node.metadata_writes)
    if (write.offset == offset && write.content.size() == 4096)
      if (auto superblock = drbd_metadata::decode_superblock(write.content)) found = *superblock;
  return found;
}

TEST(Resize, BothDisksGrowAndTheNewAreaIsResynced) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.do_now(pair.alice, input::Resize{11, grown_bytes}, seconds(10));
  const auto* answer = answer_to(pair.alice, 11);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->result, drbd::StateChangeResult::Success) << answer->why;
  EXPECT_NE(answer->why.find("now, it had"), std::string::npos) << answer->why;
  for (const EngineNode* node : {&pair.alice, &pair.bob}) {
    EXPECT_EQ(node->status().size_bytes, usable_of(grown_bytes));
    EXPECT_EQ(node->status().out_of_sync_bytes, 0U);
    EXPECT_EQ(node->status().resync_total_bytes, usable_of(grown_bytes) - usable_of(TwoEngines::backing_bytes));
    const auto superblock = superblock_at_end(*node, grown_bytes);
    ASSERT_TRUE(superblock);
    EXPECT_EQ(superblock->effective_sectors, usable_of(grown_bytes) / 512);
  }
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
}

TEST(Resize, TheSecondaryMayAskForItToo) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.do_now(pair.bob, input::Resize{11, grown_bytes}, seconds(10));
  EXPECT_EQ(pair.alice.status().size_bytes, usable_of(grown_bytes));
  EXPECT_EQ(pair.bob.status().size_bytes, usable_of(grown_bytes));
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_GT(pair.bob.status().resync_total_bytes, 0U);
}

TEST(Resize, WhatIsDeclaredCleanIsNotResynced) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.do_now(pair.alice, input::Resize{11, grown_bytes, 0, true}, seconds(10));
  for (const EngineNode* node : {&pair.alice, &pair.bob}) {
    EXPECT_EQ(node->status().size_bytes, usable_of(grown_bytes));
    EXPECT_EQ(node->status().out_of_sync_bytes, 0U);
    EXPECT_EQ(node->status().resync_total_bytes, 0U);
  }
}

TEST(Resize, TheNamedSizeIsTakenByBoth) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.do_now(pair.alice, input::Resize{11, grown_bytes, (32ULL << 20) / 512}, seconds(10));
  EXPECT_EQ(pair.alice.status().size_bytes, 32ULL << 20);
  EXPECT_EQ(pair.bob.status().size_bytes, 32ULL << 20);
}

TEST(Resize, OneThatComesInTheMiddleOfAHandshakeIsAnsweredAfterIt) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  pair.cut();
  pair.run(seconds(10));
  bool asked = false;
  pair.tamper = [&](const EngineNode& from, const drbd::Packet& packet) {
    if (&from != &pair.bob || !std::holds_alternative<drbd::Sizes>(packet) || std::exchange(asked, true)) return;
    pair.give(pair.alice, input::Resize{11, TwoEngines::backing_bytes});
  };
  pair.mend();
  pair.run(seconds(10));
  ASSERT_TRUE(asked);
  EXPECT_NE(answer_to(pair.alice, 11), nullptr);
  pair.do_now(pair.alice, input::Resize{12, grown_bytes}, seconds(5));
  const auto* answer = answer_to(pair.alice, 12);
  ASSERT_NE(answer, nullptr);
  EXPECT_NE(answer->result, drbd::StateChangeResult::InTransientState) << answer->why;
}

TEST(Resize, OneGrownDiskIsNotEnoughAndTheAnswerSaysSo) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  measured_before_sizes(pair, grown_bytes, TwoEngines::backing_bytes);
  pair.do_now(pair.alice, input::Resize{11, grown_bytes}, seconds(5));
  const auto* answer = answer_to(pair.alice, 11);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->result, drbd::StateChangeResult::NothingToDo);
  EXPECT_NE(answer->why.find("the peer's has only"), std::string::npos) << answer->why;
  EXPECT_EQ(pair.alice.status().size_bytes, usable_of(TwoEngines::backing_bytes));
  EXPECT_EQ(pair.alice.status().capacity_bytes, usable_of(grown_bytes));
  EXPECT_EQ(pair.alice.status().peer_capacity_bytes, usable_of(TwoEngines::backing_bytes));
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");

  // Then the other disk grows as well: its node tells, and both follow.
  pair.do_now(pair.bob, input::Resize{12, grown_bytes}, seconds(10));
  EXPECT_EQ(pair.alice.status().size_bytes, usable_of(grown_bytes));
  EXPECT_EQ(pair.bob.status().size_bytes, usable_of(grown_bytes));
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
}

TEST(Resize, WithoutThePeerTheSizeStaysAndFollowsWhenItIsBack) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.cut();
  pair.do_now(pair.alice, input::DisconnectPeer{10, true});
  pair.do_now(pair.alice, input::Resize{11, grown_bytes}, seconds(2));
  const auto* answer = answer_to(pair.alice, 11);
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->result, drbd::StateChangeResult::NothingToDo);
  EXPECT_NE(answer->why.find("the peer's disk is not known"), std::string::npos) << answer->why;
  EXPECT_EQ(pair.alice.status().size_bytes, usable_of(TwoEngines::backing_bytes));
  EXPECT_TRUE(pair.alice.has_event("the metadata are at its end")) << "they have moved all the same";
  pair.mend();
  pair.do_now(pair.alice, input::ConnectPeer{12}, seconds(15));
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.alice.status().size_bytes, usable_of(grown_bytes));
  EXPECT_EQ(pair.bob.status().size_bytes, usable_of(grown_bytes));
  EXPECT_EQ(pair.bob.status().out_of_sync_bytes, 0U);
}

TEST(Resize, WithoutThePeerItGrowsWhenTheOperatorVouchesForIt) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  pair.cut();
  pair.do_now(pair.alice, input::DisconnectPeer{10, true});
  pair.do_now(pair.alice, input::Resize{11, grown_bytes, 0, false, true}, seconds(2));
  EXPECT_EQ(answer_to(pair.alice, 11)->result, drbd::StateChangeResult::Success);
  EXPECT_EQ(pair.alice.status().size_bytes, usable_of(grown_bytes));
  // The new area is marked, and resynced when the peer is back with a disk that has room.
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.do_now(pair.bob, input::BackingSize{grown_bytes});
  pair.mend();
  pair.do_now(pair.alice, input::ConnectPeer{12}, seconds(15));
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.status().size_bytes, usable_of(grown_bytes));
}

TEST(Resize, WhatIsRefusedIsRefusedInWords) {
  TwoEngines pair = full_pair();
  pair.start();
  const auto refused = [&](EngineNode& node, input::Resize command, const char* words) {
    pair.do_now(node, command);
    const auto* answer = answer_to(node, command.command);
    ASSERT_NE(answer, nullptr) << words;
    EXPECT_LT(answer->result, drbd::StateChangeResult::Success) << words;
    EXPECT_NE(answer->why.find(words), std::string::npos) << answer->why;
  };
  refused(pair.alice, {21, TwoEngines::backing_bytes}, "one of the nodes must be Primary");
  pair.do_now(pair.alice, input::Promote{1, false, false, 7});
  refused(pair.alice, {22, TwoEngines::backing_bytes, grown_bytes / 512}, "this node's disk has room for");
  refused(pair.alice, {23, TwoEngines::backing_bytes / 2}, "has become smaller");
  pair.cut();
  pair.do_now(pair.alice, input::DisconnectPeer{10, true});
  refused(pair.alice, {24, TwoEngines::backing_bytes, 2048}, "shrinks only while its two nodes are connected");
  pair.do_now(pair.alice, input::Detach{8, true});
  refused(pair.alice, {25, 0}, "no disk");
}

TEST(Resize, IsRefusedDuringAResync) {
  TwoEngines pair = full_pair();
  pair.start();
  pair.do_now(pair.alice, input::Promote{1, false, false, 7});
  pair.do_now(pair.alice, input::PauseResync{5, true});
  pair.do_now(pair.alice, input::Invalidate{6, true});
  ASSERT_EQ(pair.alice.status().connection, drbd::ConnectionState::PausedSyncS) << pair.alice.text();
  pair.do_now(pair.alice, input::Resize{11, grown_bytes});
  ASSERT_NE(answer_to(pair.alice, 11), nullptr);
  EXPECT_EQ(answer_to(pair.alice, 11)->result, drbd::StateChangeResult::ResyncRunning);
}

TEST(Resize, ANamedSmallerSizeIsTakenByBothWhileConnected) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  pair.do_now(pair.alice, input::Resize{11, TwoEngines::backing_bytes, (4ULL << 20) / 512}, seconds(2));
  ASSERT_NE(answer_to(pair.alice, 11), nullptr);
  EXPECT_EQ(answer_to(pair.alice, 11)->result, drbd::StateChangeResult::Success) << answer_to(pair.alice, 11)->why;
  EXPECT_EQ(pair.alice.status().size_bytes, 4ULL << 20);
  EXPECT_EQ(pair.bob.status().size_bytes, 4ULL << 20);
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
}

TEST(Resize, AConfiguredSizeThatWasOvertakenDoesNotShrinkTheDevice) {
  TwoEngines pair = full_pair();
  pair.both([](EngineNode& node) { node.config.size_limit_bytes = 4ULL << 20; });
  pair.start();
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.alice.status().size_bytes, usable_of(TwoEngines::backing_bytes));
  EXPECT_TRUE(pair.alice.has_event("is less than the device has"));
}

TEST(Resize, ALimitThatThePeersDeviceHasOutgrownIsForgotten) {
  TwoEngines pair = full_pair();
  // Bob died before he had the larger size on disk, and his configuration names the one before.
  pair.bob.restored.superblock.effective_sectors = (4ULL << 20) / 512;
  pair.bob.config.size_limit_bytes = 4ULL << 20;
  pair.start(seconds(2));
  // Alice shrinks for nobody; by then Bob knows better.
  EXPECT_EQ(pair.alice.status().connection, drbd::ConnectionState::StandAlone);
  pair.do_now(pair.alice, input::ConnectPeer{1}, seconds(1));
  pair.do_now(pair.bob, input::ConnectPeer{2}, seconds(5));
  EXPECT_EQ(pair.bob.status().size_bytes, usable_of(TwoEngines::backing_bytes)) << pair.alice.status().why;
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate")
      << pair.alice.status().why << "; Bob: " << pair.bob.status().why;
}

template <typename Kind>
bool sends(const drbd::Packet& packet) {
  return std::holds_alternative<Kind>(packet);
}

TEST(Resize, WritesWaitUntilBothHaveTheNewSizeAndTheResyncHasBegun) {
  TwoEngines pair = full_pair();
  start_with_primary(pair);
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.alice.sent.clear();
  // The application writes while this node makes its device larger, having heard that the peer's disk has grown too.
  bool heard = false, given = false;
  pair.tamper = [&](const EngineNode& from, drbd::Packet& packet) {
    if (&from == &pair.bob && sends<drbd::Sizes>(packet)) heard = true;
    if (!heard || given || &from != &pair.alice) return;
    given = true;
    EXPECT_FALSE(sends<drbd::SyncUuid>(packet)) << "too late: the resync has begun";
    pair.give(pair.alice, input::Write{1, 0, 4096, 1, false});
  };
  pair.give(pair.alice, input::Resize{11, grown_bytes});
  pair.run(seconds(10));
  // Held until the resync of the new area has begun, then made and answered.
  const auto& sent = pair.alice.sent;
  const auto begun = std::find_if(sent.begin(), sent.end(), sends<drbd::SyncUuid>);
  const auto written = std::find_if(sent.begin(), sent.end(), sends<drbd::Data>);
  ASSERT_NE(begun, sent.end());
  ASSERT_NE(written, sent.end());
  EXPECT_LT(begun - sent.begin(), written - sent.begin());
  ASSERT_EQ(pair.alice.completed.size(), 1U);
  EXPECT_EQ(pair.alice.completed[0].request, 1U);
  EXPECT_EQ(pair.alice.completed[0].error_number, 0);
  // No write may be marked at the source alone: no bitmaps are exchanged for a new area.
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
  EXPECT_EQ(pair.bob.text(), "Secondary Connected UpToDate/UpToDate");
  EXPECT_FALSE(pair.alice.has_event("with blocks left"));
}

TEST(Resize, ADiskThatGrewWhileTheNodeWasDownIsToldAtConnect) {
  TwoEngines pair = full_pair();
  measured_before_sizes(pair, grown_bytes, grown_bytes);
  pair.start(seconds(5));
  for (const EngineNode* node : {&pair.alice, &pair.bob}) {
    EXPECT_EQ(node->status().size_bytes, usable_of(grown_bytes)) << "no limit: the device grows with its disks";
    EXPECT_EQ(node->text(), "Secondary Connected UpToDate/UpToDate");
    EXPECT_EQ(node->status().out_of_sync_bytes, 0U);
  }
}

}  // namespace
}  // namespace bascule::replication::resize_tests
