#include "core/replication/detail/state/states.h"
#include "core/replication/testing/pairs.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it

TEST(Transcripts, TwoEqualReplicasConnectWithoutResync) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
}

TEST(Transcripts, GarbageInsteadOfAGreetingIsClosedWithoutHarm) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(R"(
    accepted 9
    packet 109 Ping
    < close 109
    = Secondary WFConnection)");
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
}

TEST(Transcripts, AWriteIsLoggedReplicatedAndAcknowledgedWhenBothHaveIt) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    packet 1 WriteAck 1 8 4096
    < complete 1 0
    write 2 4096 4096
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    write 3 8192 4096 fua
    < send 101 P_DATA 16 4096
    < disk-write 8192 4096 durable
    packet 1 WriteAck 2 8 4096
    disk
    < complete 2 0
    flush 4
    < send 101 P_BARRIER 0
    < disk-flush
    disk
    packet 1 WriteAck 3 16 4096
    < complete 3 0
    packet 1 BarrierAck 0 3
    < complete 4 0)");
}

TEST(Transcripts, OverlappingWritesWaitForEachOther) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    write 2 2048 4096
    write 3 65536 512
    < send 101 P_DATA 128 512
    < disk-write 65536 512
    packet 1 WriteAck 1 0 4096
    < complete 1 0
    < send 101 P_DATA 4 4096
    < disk-write 2048 4096)");
}

/// Both opened a meta socket; the one of the greater name counts, also when it comes late.
TEST(Transcripts, AMetaSocketThatCrossedOursReplacesItWhileTheSessionBegins) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(R"(
    accepted 2
    packet 102 InitialMeta
    < close 1
    packet 102 Ping
    < send 102 P_PING_ACK)");
}

/// It has lost power in the middle of the handshake. Packets of the old session would meet a peer that has agreed to no
/// version yet.
TEST(Transcripts, APeerThatBeginsAnewDuringTheHandshakeIsNotDrawnIntoTheOldSession) {
  Transcript lesser;
  lesser.play(attach);
  lesser.play(pair_up);
  lesser.play(R"(
    accepted 2
    packet 102 InitialData
    accepted 3
    packet 103 InitialMeta
    = WFReportParams)");

  Transcript greater(false, "zoe");
  greater.play(attach);
  greater.play(R"(
    connected 1
    < send 1 P_INITIAL_DATA
    accepted 1
    packet 101 InitialMeta
    < send 1 P_CONNECTION_FEATURES
    packet 1 Features 86 101
    < send 1 P_PROTOCOL
    < send 1 P_SYNC_PARAM89
    < send 1 P_SIZES
    < send 1 P_UUIDS
    < send 1 P_STATE
    accepted 2
    packet 102 InitialMeta
    = WFReportParams)");
}

TEST(Transcripts, AWrongBarrierAckEndsTheConnection) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    packet 1 BarrierAck 3 1
    < close 101
    < close 1
    < shrink 5
    < metadata superblock
    = unexpected P_BARRIER_ACK)");
}

TEST(Transcripts, ALostMemberHoldsWritesUntilTheSetHasShrunkAndTheGenerationIsDurable) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    closed 1
    < close 101
    < close 1
    < shrink 5
    < metadata superblock
    = held 1
    disk
    = oos 4096
    at 600
    < shrink 5
    in-sync 5 self -
    in-sync 6 self -
    < metadata superblock
    = held 1
    disk
    < connect 2
    < complete 1 0
    = held 0)");
}

TEST(Transcripts, AnEndedLeaseHoldsAndAReturnedOneReleases) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    lease 1 1
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    packet 1 WriteAck 1 0 4096
    = held 1
    lease 2 10000
    = held 1
    lease 1 10000
    < complete 1 0
    write 2 0 512
    < send 101 P_DATA 0 512
    < disk-write 0 512
    fail-io
    < complete 2 5
    write 3 0 512
    < complete 3 5)");
}

TEST(Transcripts, PromotionIsRefusedInWords) {
  Transcript stale;
  stale.play(attach);
  stale.play(R"(
    promote 1
    < takeover-refused
    = the in-sync set is not known yet
    in-sync 3 - peer
    promote 1
    < takeover-refused
    = not in the in-sync set (version 3))");
  Transcript empty(true);
  empty.play(attach_created_anew);
  empty.play(R"(
    in-sync 1 self -
    promote 1
    < takeover-refused
    = this replica is Inconsistent)");
}

TEST(Transcripts, TheFirstPrimaryMakesTheFirstGenerationAndSyncsEverything) {
  Transcript transcript(true);
  transcript.play(attach_created_anew);
  transcript.play(pair_up);
  transcript.play(R"(
    packet 101 Sizes 32768 32768 0
    < metadata superblock
    packet 101 Created
    packet 101 State 2 4 8
    < send 101 P_STATE
    disk
    < metadata superblock
    packet 101 State 2 4 10
    in-sync 1 self -
    promote 1 initial
    < metadata superblock
    disk
    < volume-promoted
    < send 101 P_UUIDS
    < send 101 P_STATE
    < send 101 P_STATE
    < send 101 P_COMPRESSED_BITMAP
    = Primary WFBitMapS UpToDate/Inconsistent oos 16777216)");
}

TEST(Transcripts, APeerThatDoesNotFitIsRefused) {
  const struct {
    const char* packets;
    const char* why;
  } cases[] = {
      {"packet 101 Features 86 97\n< close 101\n< close 1", "the peer speaks versions 86 to 97"},
      {"packet 101 Features 110 121\n< close 101\n< close 1", "the peer speaks versions 110 to 121"},
  };
  for (const auto& each : cases) {
    Transcript transcript;
    transcript.play(attach);
    transcript.play(
        "connected 1\n< send 1 P_INITIAL_META\naccepted 1\npacket 101 InitialData\n< send 101 P_CONNECTION_FEATURES");
    transcript.play(each.packets);
    transcript.play(std::string("= Secondary StandAlone\n= ") + each.why);
  }
  const struct {
    const char* packet;
    const char* why;
  } later[] = {
      {"packet 101 Sizes 32768 16384 0", "the device would become too small: 8388608 bytes of 16777216 bytes"},
      {"packet 101 Sizes 20000 0 0", "the peer's disk is too small"},
      {"packet 101 Protocol A", "protocol differs: this node has C, the peer A"},
      {"packet 101 Sizes 32768 32768 32768\npacket 101 Uuids 64 128\npacket 101 State 2 8 8", "unrelated"},
      {"packet 101 Ping", "unexpected P_PING"},
  };
  for (const auto& each : later) {
    Transcript transcript;
    transcript.play(attach);
    transcript.play(pair_up);
    transcript.play(std::string(each.packet) + "\n< close 101\n< close 1");
    transcript.play(std::string("= ") + each.why);
  }
}

TEST(Transcripts, APrimaryPeerIsNotTakenWhilePrimary) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    packet 101 State 1 8 10
    < close 101
    < close 1
    < shrink 5
    < metadata superblock
    = the peer became Primary while this node is)");
}

TEST(Transcripts, ThePeersWritesAreAcknowledgedAfterTheDiskAndBarriersAfterAFlush) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(R"(
    packet 101 Data 8 4096 77
    < disk-write 4096 4096
    packet 101 Data 8 512 78
    packet 101 Barrier 42
    disk
    < send 1 P_WRITE_ACK
    < disk-write 4096 512
    < send 1 P_WRITE_ACK
    < disk-flush
    < send 1 P_BARRIER_ACK 42 2
    packet 101 Data 8 4096 79
    < disk-write 4096 4096
    disk-fails
    < send 1 P_NEG_ACK
    < send 101 P_STATE
    = Failed)");
}

TEST(Transcripts, DemotionClearsThePrimaryMarkAfterEverythingIsFlushed) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    demote
    < send 101 P_BARRIER 0
    packet 1 WriteAck 1 0 4096
    < complete 1 0
    = Primary
    packet 1 BarrierAck 0 1
    < metadata superblock
    < send 101 P_STATE
    disk
    < metadata activity-log
    < volume-demoted
    = Secondary Connected)");
}

TEST(Transcripts, ANewPrimaryWaitsForTheLogThatItsDemotionEmptied) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    demote
    < send 101 P_BARRIER 0
    packet 1 WriteAck 1 0 4096
    < complete 1 0
    packet 1 BarrierAck 0 1
    < metadata superblock
    < send 101 P_STATE
    disk-one
    < metadata activity-log
    < volume-demoted
    promote 1
    = Secondary Connected
    disk-one
    < metadata superblock
    disk
    < volume-promoted
    < send 101 P_UUIDS
    < send 101 P_STATE
    = Primary Connected
    write 2 0 4096
    < metadata activity-log)");
}

TEST(Transitions, NoConnectionStateIsSkipped) {
  using enum drbd::ConnectionState;
  EXPECT_TRUE(detail::allowed(WFReportParams, Connected));
  EXPECT_FALSE(detail::allowed(StandAlone, Connected));
  EXPECT_FALSE(detail::allowed(WFConnection, Connected));
  EXPECT_FALSE(detail::allowed(NetworkFailure, Connected));
  EXPECT_FALSE(detail::allowed(WFBitMapT, SyncTarget));
  EXPECT_TRUE(detail::allowed(SyncTarget, BrokenPipe));
}

}  // namespace
}  // namespace bascule::replication
