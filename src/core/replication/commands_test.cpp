#include "core/replication/testing/pairs.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it

TEST(Commands, APromotionIsAgreedWithThePeerAndNeedsNoLease) {
  Transcript transcript = connected_pair();
  transcript.play(promote_by_operator);
  transcript.play(R"(
    primary 2
    < done 2 2
    < volume-promoted
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    packet 1 WriteAck 1 0 4096
    < complete 1 0)");
}

TEST(Commands, ThePeerRefusesAPromotion) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    primary 1
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 3 1
    packet 1 StateReply -1
    at 700
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 3 1
    packet 1 StateReply -1
    < takeover-refused
    < done 1 -1 the peer says: two primaries are not allowed
    = Secondary Connected)");
}

TEST(Commands, APeerThatDiesDuringThePromotionIsNotWaitedFor) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    primary 1
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 3 1
    at 600
    < close 101
    < close 1
    < metadata superblock
    disk
    < volume-promoted
    < done 1 1
    = Primary)");
}

TEST(Commands, WithoutDataOnlyAForcedPromotionSucceeds) {
  Transcript transcript(Transcript::Setup{.configure = by_operator, .restore = [](Restored& restored) {
                                            restored.superblock.flags &= ~drbd_metadata::flag::kWasUpToDate;
                                          }});
  transcript.play(attach);
  transcript.play(R"(
    primary 1
    < takeover-refused
    < done 1 -2 this replica is Outdated and no up-to-date data is accessible
    primary 2 force
    < metadata superblock
    disk
    < volume-promoted
    < done 2 1
    = Primary WFConnection UpToDate)");
}

TEST(Commands, ALostPeerBeginsANewGenerationAtOnceAndWritesGoOn) {
  Transcript transcript = connected_pair();
  transcript.play(promote_by_operator);
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    disk
    closed 1
    < close 101
    < close 1
    < metadata superblock
    = held 1
    disk
    < complete 1 0
    write 2 0 4096
    < disk-write 0 4096
    disk
    < complete 2 0
    secondary 3
    < metadata bitmap
    disk
    < metadata superblock
    < metadata activity-log
    < volume-demoted
    < done 3 1
    secondary 4
    < done 4 2
    < volume-demoted)");
}

TEST(Commands, AGracefulDisconnectIsAgreedAndStaysUntilTheOperatorConnects) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    disconnect 1
    < send 1 P_PING
    < send 101 P_CONN_ST_CHG_REQ 1f0 10
    disconnect 2
    < done 2 -18 a disconnect is under way
    connect-peer 3
    < done 3 -18 a disconnect is under way
    packet 1 ConnectionStateReply 1
    < close 101
    < close 1
    < done 1 1
    < metadata superblock
    = StandAlone
    disk
    at 60000
    = StandAlone
    disconnect 4
    < done 4 -9
    connect-peer 5
    < done 5 1
    tick
    < connect 2
    = WFConnection
    connect-peer 6
    < done 6 2
    disconnect 7
    < close 2
    < done 7 1
    = StandAlone)");
}

TEST(Commands, ADisconnectIsAnsweredAlsoWhenTheConnectionDiesOrThePeerRefuses) {
  Transcript dying = connected_pair();
  dying.play(R"(
    disconnect 1
    < send 1 P_PING
    < send 101 P_CONN_ST_CHG_REQ 1f0 10
    closed 1
    < close 101
    < close 1
    < done 1 1
    < metadata superblock
    = StandAlone)");
  Transcript refusing = connected_pair();
  refusing.play(R"(
    disconnect 1
    < send 1 P_PING
    < send 101 P_CONN_ST_CHG_REQ 1f0 10
    packet 1 ConnectionStateReply -7
    < send 1 P_PING
    < send 101 P_CONN_ST_CHG_REQ 1ff0 a10
    packet 1 ConnectionStateReply -10
    < done 1 -10 the peer says: the peer refuses
    = Secondary Connected)");
  Transcript forced = connected_pair();
  forced.play(R"(
    disconnect 1 force
    < close 101
    < close 1
    < done 1 1
    < metadata superblock
    = StandAlone)");
}

TEST(Commands, APeerThatDisconnectsIsAnsweredAndLookedForAgain) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    packet 101 ConnectionStateRequest 1f0 10
    < send 1 P_CONN_ST_CHG_REPLY 1
    < close 101
    < close 1
    < metadata superblock
    = WFConnection)");
}

TEST(Commands, OptionsThatBothHaveAgreedOnStayUntilTheConnectionEnds) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    options 1 max-rate
    < send 101 P_PROTOCOL_UPDATE
    < send 101 P_SYNC_PARAM89
    < done 1 1
    options 2 max-rate
    < done 2 2
    options 3 protocol-a
    < done 3 -18 the replication protocol can only change while not connected
    options 4 as-before
    < send 101 P_PROTOCOL_UPDATE
    < send 101 P_SYNC_PARAM89
    < done 4 1
    options 5 two-primaries
    < done 5 -18 allow-two-primaries can only change while not connected
    options 6 as-before
    < done 6 2
    options 7 secret
    < done 7 -18 the shared secret can only change while not connected
    disconnect 8 force
    < close 101
    < close 1
    < done 8 1
    < metadata superblock
    options 9 secret
    < done 9 1)");
}

/// What the superblock says of the log would not be true any more.
TEST(Commands, WhetherTheActivityLogIsKeptStaysWhileThereIsADisk) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    options 1 no-log
    < done 1 -18 al-updates can only change while this node has no disk)");
  Transcript diskless(Transcript::Setup{.configure = by_operator, .diskless = true});
  diskless.play(R"(
    options 1 no-log
    < done 1 1)");
}

TEST(Commands, DurationsChangeAtRunTimeToo) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    options 1 slow-pings
    < send 101 P_PROTOCOL_UPDATE
    < send 101 P_SYNC_PARAM89
    < done 1 1
    options 2 slow-pings
    < done 2 2
    at 4900
    = Secondary Connected)");
}

TEST(Commands, AResyncIsPausedAndGoesOn) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    pause 1
    < done 1 1
    < send 101 P_STATE
    pause 2
    < done 2 2
    pause 3 off
    < done 3 1
    < send 101 P_STATE)");
}

}  // namespace
}  // namespace bascule::replication
