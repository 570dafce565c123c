#include "core/replication/detail/state/membership.h"
#include "core/replication/testing/data_path_node.h"

/// What the protocols A, B and C send and wait for; suspended requests; what is done again.
namespace bascule::replication::detail {
namespace {

using testing::DataPathNode;
using Kind = drbd::BlockAck::Kind;
namespace flag = drbd::data_flag;

Config config_of(drbd_config::Protocol protocol) {
  Config config = DataPathNode::usual_config();
  config.options.net.protocol = protocol;
  return config;
}

TEST(Protocol, AAsksForNoAckAndCompletesWithTheLocalDisk) {
  DataPathNode node(config_of(drbd_config::Protocol::A));
  node.write(1, 0, 4096);
  ASSERT_EQ(node.sent<drbd::Data>().size(), 1U);
  EXPECT_EQ(node.sent<drbd::Data>()[0].flags & (flag::kSendReceiveAck | flag::kSendWriteAck), 0U);
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
  node.disk_done(1);
  EXPECT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_FALSE(node.writes.peer_idle()) << "its barrier is still to come";
}

TEST(Protocol, BCompletesWithTheReceiveAck) {
  DataPathNode node(config_of(drbd_config::Protocol::B));
  node.write(1, 0, 4096);
  EXPECT_EQ(node.sent<drbd::Data>()[0].flags & (flag::kSendReceiveAck | flag::kSendWriteAck), flag::kSendReceiveAck);
  node.disk_done(1);
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
  EXPECT_TRUE(node.ack(Kind::ReceiveAck, 1, 0, 4096));
  EXPECT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_FALSE(node.ack(Kind::ReceiveAck, 1, 0, 4096)) << "twice";
  EXPECT_TRUE(node.ack(Kind::NegativeAck, 1, 0, 4096)) << "it was received and could not be written";
  EXPECT_EQ(node.core.bitmap.count(), 1U);
}

// ---- without a copy of its own ----------------------------------------------------------------------------------

TEST(Protocol, WithoutACopyOfItsOwnAWriteWaitsForThePeersDiskUnderEveryProtocol) {
  for (const auto protocol : {drbd_config::Protocol::A, drbd_config::Protocol::B, drbd_config::Protocol::C}) {
    DataPathNode node(config_of(protocol));
    node.core.disk = DiskState::Diskless;
    node.write(1, 0, 4096);
    ASSERT_EQ(node.sent<drbd::Data>().size(), 1U);
    EXPECT_EQ(node.sent<drbd::Data>()[0].flags & (flag::kSendReceiveAck | flag::kSendWriteAck), flag::kSendWriteAck);
    node.advance();
    EXPECT_EQ(node.count<effect::Complete>(), 0U);
    EXPECT_TRUE(node.ack(Kind::WriteAck, 1, 0, 4096));
    EXPECT_EQ(node.count<effect::Complete>(), 1U);
  }
}

TEST(Protocol, WithoutACopyOfItsOwnAFlushWaitsForThePeersFlush) {
  for (const auto protocol : {drbd_config::Protocol::A, drbd_config::Protocol::B, drbd_config::Protocol::C}) {
    DataPathNode node(config_of(protocol));
    node.core.disk = DiskState::Diskless;
    node.write(1, 0, 4096);
    EXPECT_TRUE(node.ack(Kind::WriteAck, 1, 0, 4096));
    node.writes.flush({2});
    node.advance();
    ASSERT_EQ(node.count<effect::Complete>(), 1U);
    ASSERT_EQ(node.sent<drbd::Barrier>().size(), 1U);
    EXPECT_TRUE(node.writes.barrier_acknowledged({0, 1}));
    node.advance();
    ASSERT_EQ(node.count<effect::Complete>(), 2U);
    EXPECT_EQ(node.all<effect::Complete>()[1].error_number, 0);
  }
}

/// A Primary without a disk has answered a write that the peer has not flushed, and lost the peer.
struct OnlyAtPeer : DataPathNode {
  explicit OnlyAtPeer(drbd_config::Protocol protocol) : DataPathNode(config_of(protocol)) {
    core.disk = DiskState::Diskless;
    write(1, 0, 4096);
    EXPECT_TRUE(ack(Kind::WriteAck, 1, 0, 4096));
    EXPECT_EQ(count<effect::Complete>(), 1U);
    lose_session();
    advance();
  }
  void peer_is_back(bool after_a_crash) {
    core.session.open = true;
    ++core.session.number;
    core.connection = ConnectionState::Connected;
    core.peer.disk = DiskState::UpToDate;
    core.peer.uuid_flags = after_a_crash ? drbd::uuid_flag::kCrashedPrimary : 0;
    writes.session_began();
    advance();
  }
  int flush(RequestId request) {
    writes.flush({request});
    advance();
    const auto completed = all<effect::Complete>();
    EXPECT_EQ(completed.back().request, request);
    return completed.back().error_number;
  }
  std::size_t told_of_a_loss() const {
    std::size_t told = 0;
    for (const auto& event : all<effect::Event>())
      if (event.kind == "writes-lost-behind-flush" && event.text.find(" 4096 bytes") != std::string::npos) ++told;
    return told;
  }
};

constexpr drbd_config::Protocol every_protocol[] = {drbd_config::Protocol::A, drbd_config::Protocol::B,
                                                    drbd_config::Protocol::C};

TEST(OnlyAtPeer, AFlushFailsOnceWhenThePeerHasCrashedBeforeItsOwn) {
  for (const auto protocol : every_protocol) {
    OnlyAtPeer node(protocol);
    node.peer_is_back(true);
    EXPECT_EQ(node.told_of_a_loss(), 1U);
    EXPECT_EQ(node.flush(2), 5);
    EXPECT_EQ(node.flush(3), 0);
    EXPECT_EQ(node.told_of_a_loss(), 1U);
  }
}

TEST(OnlyAtPeer, AFlushIsGoodWhenOnlyTheConnectionWasLost) {
  for (const auto protocol : every_protocol) {
    OnlyAtPeer node(protocol);
    node.peer_is_back(false);
    EXPECT_EQ(node.flush(2), 0);
    EXPECT_EQ(node.told_of_a_loss(), 0U);
  }
}

/// The crash may come with the second loss: the peer has not said since that it has flushed.
TEST(OnlyAtPeer, WhatIsNotFlushedIsRememberedOverConnections) {
  OnlyAtPeer node(drbd_config::Protocol::C);
  node.peer_is_back(false);
  node.lose_session();
  node.peer_is_back(true);
  EXPECT_EQ(node.flush(2), 5);
}

TEST(OnlyAtPeer, ThePeersFlushAfterTheLossEndsTheDoubt) {
  OnlyAtPeer node(drbd_config::Protocol::C);
  node.peer_is_back(false);
  node.write(2, 8192, 4096);
  EXPECT_TRUE(node.ack(Kind::WriteAck, 2, 8192, 4096));
  node.writes.flush({3});
  EXPECT_TRUE(node.writes.barrier_acknowledged({0, 1}));
  node.advance();
  node.lose_session();
  node.peer_is_back(true);
  EXPECT_EQ(node.flush(4), 0);
}

/// The barrier ack of a peer that has crashed meanwhile is about what it got since.
TEST(OnlyAtPeer, AWriteBeforeTheFlushDoesNotHideTheLoss) {
  OnlyAtPeer node(drbd_config::Protocol::C);
  node.peer_is_back(true);
  node.write(2, 8192, 4096);
  EXPECT_TRUE(node.ack(Kind::WriteAck, 2, 8192, 4096));
  EXPECT_EQ(node.flush(3), 5);
}

TEST(OnlyAtPeer, AFlushThatWaitsForThePeerLearnsOfItsCrash) {
  for (const bool crashed : {false, true}) {
    Config config = config_of(drbd_config::Protocol::C);
    config.options.resource.on_no_data_accessible = drbd_config::OnNoDataAccessible::suspend_io;
    DataPathNode node(config);
    node.core.disk = DiskState::Diskless;
    node.write(1, 0, 4096);
    EXPECT_TRUE(node.ack(Kind::WriteAck, 1, 0, 4096));
    node.lose_session();
    node.writes.flush({2});
    node.advance();
    EXPECT_EQ(node.count<effect::Complete>(), 1U) << "the peer may have crashed";
    node.core.session.open = true;
    node.core.connection = ConnectionState::Connected;
    node.core.peer.disk = DiskState::UpToDate;
    node.core.peer.uuid_flags = crashed ? drbd::uuid_flag::kCrashedPrimary : 0;
    node.writes.session_began();
    node.advance();
    ASSERT_EQ(node.count<effect::Complete>(), 2U);
    EXPECT_EQ(node.all<effect::Complete>()[1].error_number, crashed ? 5 : 0);
  }
}

/// Its own disk has what the peer may lack, and the bits tell that.
TEST(OnlyAtPeer, ANodeWithItsOwnCopyHasLostNothing) {
  DataPathNode node(config_of(drbd_config::Protocol::A));
  node.write(1, 0, 4096);
  node.disk_done(1);
  node.lose_session();
  node.core.session.open = true;
  node.core.connection = ConnectionState::Connected;
  node.core.peer.disk = DiskState::UpToDate;
  node.core.peer.uuid_flags = drbd::uuid_flag::kCrashedPrimary;
  node.writes.session_began();
  node.writes.flush({2});
  node.writes.local_flush_done(node.all<effect::DiskFlush>().at(0).operation, 0);
  node.advance();
  ASSERT_EQ(node.count<effect::Complete>(), 2U);
  EXPECT_EQ(node.all<effect::Complete>()[1].error_number, 0);
}

/// What a resync will undo is no copy.
TEST(Protocol, ATargetThatIsPrimaryWaitsForItsSource) {
  DataPathNode node(config_of(drbd_config::Protocol::A));
  node.core.disk = DiskState::Inconsistent;
  node.core.connection = ConnectionState::SyncTarget;
  node.write(1, 0, 4096);
  node.disk_done(1);
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
  EXPECT_TRUE(node.ack(Kind::ResyncWriteAck, 1, 0, 4096));
  EXPECT_EQ(node.count<effect::Complete>(), 1U);
}

/// It was sent as A or B ask, so no WRITE_ACK will come.
TEST(Protocol, AWriteThatItsOwnDiskRefusesWaitsForThePeersBarrierAck) {
  for (const auto protocol : {drbd_config::Protocol::A, drbd_config::Protocol::B}) {
    DataPathNode node(config_of(protocol));
    node.write(1, 0, 4096);
    node.disk_done(1, 5);
    if (protocol == drbd_config::Protocol::B) {
      EXPECT_TRUE(node.ack(Kind::ReceiveAck, 1, 0, 4096));
    }
    node.advance();
    EXPECT_EQ(node.count<effect::Complete>(), 0U);
    ASSERT_EQ(node.sent<drbd::Barrier>().size(), 1U) << "nothing else would end its epoch soon";
    EXPECT_TRUE(node.writes.barrier_acknowledged({0, 1}));
    ASSERT_EQ(node.count<effect::Complete>(), 1U);
    EXPECT_EQ(node.all<effect::Complete>()[0].error_number, 0);
  }
}

TEST(Protocol, AWriteThatOnlyThePeerCouldHaveHadFailsWithThePeer) {
  DataPathNode node(config_of(drbd_config::Protocol::A));
  node.write(1, 0, 4096);
  node.disk_done(1, 5);
  node.advance();
  node.lose_session();
  node.advance();
  ASSERT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_EQ(node.all<effect::Complete>()[0].error_number, 5);
}

TEST(Protocol, DuringAResyncEveryWriteIsAcknowledgedAndEndsTheResyncOfItsBlocks) {
  DataPathNode node(config_of(drbd_config::Protocol::A));
  node.core.connection = ConnectionState::SyncSource;
  node.core.peer.disk = DiskState::Inconsistent;
  node.core.bitmap.set(0, 2);
  node.write(1, 0, 4096);
  EXPECT_EQ(node.sent<drbd::Data>()[0].flags & (flag::kSendWriteAck | flag::kMaySetInSync),
            flag::kSendWriteAck | flag::kMaySetInSync);
  node.disk_done(1);
  EXPECT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_TRUE(node.ack(Kind::ResyncWriteAck, 1, 0, 4096));
  EXPECT_EQ(node.core.bitmap.count(), 1U);
}

TEST(Protocol, TheReceiverClearsBitsWhereTheWriteMaySetThem) {
  DataPathNode node;
  node.core.role = Role::Secondary;
  node.core.peer.role = Role::Primary;
  node.core.connection = ConnectionState::SyncTarget;
  node.core.bitmap.set(0, 2);
  EXPECT_TRUE(node.peer_data(0, 4096, 1, flag::kSendWriteAck | flag::kMaySetInSync));
  EXPECT_TRUE(node.peer_data(8, 512, 2, flag::kSendWriteAck));
  node.peer_writes.local_write_done(operation_of(Owner::PeerWrite, 0), 0);
  node.peer_writes.local_write_done(operation_of(Owner::PeerWrite, 1), 0);
  EXPECT_EQ(node.acks(), (std::vector<Kind>{Kind::ResyncWriteAck, Kind::WriteAck}));
  EXPECT_EQ(node.core.bitmap.count(), 1U);
}

TEST(Protocol, AReceiverWithoutDiskRefusesAndCounts) {
  DataPathNode node;
  node.core.role = Role::Secondary;
  node.core.disk = DiskState::Diskless;
  EXPECT_TRUE(node.peer_data(0, 4096, 1));
  EXPECT_TRUE(node.peer_writes.barrier({9, 0}));
  node.advance();
  EXPECT_EQ(node.acks(), std::vector<Kind>{Kind::NegativeAck});
  ASSERT_EQ(node.sent<drbd::BarrierAck>().size(), 1U);
  EXPECT_EQ(node.sent<drbd::BarrierAck>()[0].set_size, 1U);
  EXPECT_EQ(node.count<effect::DiskWrite>(), 0U);
}

TEST(Protocol, TheOnlyDataOfADisklessPrimaryIsMarkedAndLoggedFirst) {
  Config config = DataPathNode::usual_config();
  config.options.disk.al_updates = true;
  DataPathNode node(config);
  node.core.role = Role::Secondary;
  node.core.peer.role = Role::Primary;
  node.core.peer.disk = DiskState::Diskless;
  EXPECT_TRUE(node.peer_data(0, 4096, 1));
  node.activity_log.advance();
  EXPECT_EQ(node.count<effect::MetadataWrite>(), 0U) << "the superblock does not say yet that the log counts";
  node.core.wrote_for_primary = true;
  node.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>(), 0U);
  EXPECT_EQ(node.core.bitmap.count(), 1U);
  node.activity_log.advance();
  ASSERT_EQ(node.count<effect::MetadataWrite>(), 1U);
  node.activity_log.done(0);
  node.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>(), 1U);
}

TEST(Protocol, EveryAnswerTakesTheNextNumberOfTheSequence) {
  DataPathNode node;
  node.core.role = Role::Secondary;
  node.core.peer.role = Role::Primary;
  EXPECT_TRUE(node.peer_data(0, 4096, 1, flag::kSendReceiveAck));
  EXPECT_TRUE(node.peer_data(8, 4096, 2, flag::kSendWriteAck));
  node.peer_writes.local_write_done(operation_of(Owner::PeerWrite, 1), 0);
  const auto acks = node.sent<drbd::BlockAck>();
  ASSERT_EQ(acks.size(), 2U);
  EXPECT_EQ(acks[0].sequence, 1U);
  EXPECT_EQ(acks[1].sequence, 2U);
  EXPECT_EQ(node.core.session.peer_sequence, 2U);
}

TEST(Suspended, RequestsWaitAndGoOn) {
  DataPathNode node;
  node.core.suspended_user = true;
  node.write(1, 0, 4096);
  node.writes.read({2, 0, 512, 9});
  node.writes.flush({3});
  node.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>() + node.count<effect::DiskRead>() + node.count<effect::DiskFlush>(), 0U);
  node.core.suspended_user = false;
  node.core.changed();
  node.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>(), 1U);
  EXPECT_EQ(node.count<effect::DiskRead>(), 1U);
  EXPECT_EQ(node.count<effect::DiskFlush>(), 1U);
}

TEST(Suspended, AWriteThatThePeerMayLackIsNotAnsweredBefore) {
  DataPathNode node;
  node.core.superblock.bitmap_uuid = 8;
  node.write(1, 0, 4096);
  node.core.suspended_fencing = true;
  node.disk_done(1);
  node.lose_session();
  node.advance();
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
  node.core.suspended_fencing = false;
  node.core.changed();
  node.advance();
  EXPECT_EQ(node.count<effect::Complete>(), 1U);
}

TEST(Diskless, WritesGoThroughThePeer) {
  DataPathNode node;
  node.core.disk = DiskState::Diskless;
  node.write(1, 0, 4096);
  EXPECT_EQ(node.count<effect::DiskWrite>(), 0U);
  EXPECT_TRUE(node.ack(Kind::WriteAck, 1, 0, 4096));
  ASSERT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_EQ(node.all<effect::Complete>()[0].error_number, 0);
  node.write(2, 0, 4096);
  node.lose_session();
  node.advance();
  ASSERT_EQ(node.count<effect::Complete>(), 2U);
  EXPECT_NE(node.all<effect::Complete>()[1].error_number, 0);
}

/// The peer's older blocks will replace what it wrote there.
TEST(Protocol, AWriteToADiskThatIsBeingResyncedIsNothingWithoutThePeer) {
  DataPathNode node;
  node.core.disk = DiskState::Inconsistent;
  node.core.connection = ConnectionState::SyncTarget;
  node.write(1, 0, 4096);
  node.disk_done(1);
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
  node.lose_session();
  node.advance();
  ASSERT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_NE(node.all<effect::Complete>()[0].error_number, 0);
}

TEST(Protocol, OnlyAPrimaryWithGoodDataTellsByAGenerationBeforeItConnects) {
  DataPathNode node;
  Membership membership(node.core, node.metadata);
  node.core.bitmap.set(0, 1);
  EXPECT_FALSE(membership.may_connect());
  node.core.disk = DiskState::Inconsistent;
  EXPECT_TRUE(membership.may_connect()) << "it needs the peer's data, and has none of its own to tell of";
}

/// What the peer had not flushed when it was lost is only here; whoever takes the peer for equal must not be told more.
TEST(Protocol, AFlushWithoutThePeerWaitsForTheGenerationThatTellsSo) {
  Config config = DataPathNode::usual_config();
  config.flush_waits_for_peer = true;
  DataPathNode node(config);
  node.lose_session();
  node.writes.flush({7});
  ASSERT_EQ(node.count<effect::DiskFlush>(), 1U);
  node.writes.local_flush_done(node.all<effect::DiskFlush>()[0].operation, 0);
  node.advance();
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
  node.core.superblock.bitmap_uuid = 8;
  node.core.changed();
  node.advance();
  EXPECT_EQ(node.count<effect::Complete>(), 1U);
}

TEST(Diskless, WithSuspendIoAWriteIsMadeAgainWhenThePeerIsBack) {
  Config config = DataPathNode::usual_config();
  config.options.resource.on_no_data_accessible = drbd_config::OnNoDataAccessible::suspend_io;
  DataPathNode node(config);
  node.core.disk = DiskState::Diskless;
  node.write(1, 0, 4096);
  node.writes.read({2, 0, 512, 9});
  node.lose_session();
  node.advance();
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
  EXPECT_EQ(node.count<effect::ReleaseBuffer>(), 0U);
  node.core.session.open = true;
  node.core.connection = ConnectionState::Connected;
  node.core.peer.disk = DiskState::UpToDate;
  node.writes.session_began();
  node.advance();
  EXPECT_EQ(node.sent<drbd::Data>().size(), 2U);
  EXPECT_EQ(node.sent<drbd::DataRequest>().size(), 2U);
  EXPECT_TRUE(node.ack(Kind::WriteAck, 2, 0, 4096));
  ASSERT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_EQ(node.all<effect::Complete>()[0].error_number, 0);
}

TEST(OnIoError, PassOnKeepsTheDiskAsInconsistentAndReadsWhatItHas) {
  Config config = DataPathNode::usual_config();
  config.options.disk.on_io_error = drbd_config::OnIoError::pass_on;
  DataPathNode node(config);
  node.write(1, 0, 4096);
  node.disk_done(1, 5);
  EXPECT_EQ(node.core.disk, DiskState::Inconsistent);
  EXPECT_EQ(node.core.bitmap.count(), 1U);
  EXPECT_TRUE(node.ack(Kind::WriteAck, 1, 0, 4096));
  ASSERT_EQ(node.count<effect::Complete>(), 1U);
  EXPECT_EQ(node.all<effect::Complete>()[0].error_number, 0);
  node.writes.read({2, 0, 512, 9});
  node.writes.read({3, 8192, 512, 9});
  EXPECT_EQ(node.sent<drbd::DataRequest>().size(), 1U);
  EXPECT_EQ(node.count<effect::DiskRead>(), 1U);
}

TEST(Overlap, ManyWritesOfOneBlockEndOneByOne) {
  DataPathNode node(config_of(drbd_config::Protocol::A));
  constexpr std::uint64_t many = 300;
  for (std::uint64_t i = 1; i <= many; ++i) node.write(i, 0, 4096);
  for (std::uint64_t i = 1; i <= many; ++i) {
    ASSERT_EQ(node.count<effect::DiskWrite>(), i);
    node.disk_done(i);
    node.advance();
  }
  EXPECT_EQ(node.count<effect::Complete>(), many);
}

}  // namespace
}  // namespace bascule::replication::detail
