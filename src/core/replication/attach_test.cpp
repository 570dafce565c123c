// A disk that comes while Connected: Negotiating, the peer's generations, and what they decide.
#include "core/replication/testing/pairs.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it

Transcript two_that_are_equal(Authority authority) {
  return connected_pair([authority](Config& config) { config.authority = authority; });
}

constexpr const char* detaches = R"(
  detach 2
  < send 1 P_PING
  < send 101 P_STATE_CHG_REQ 1e00 400
  packet 1 PingAck
  packet 1 StateReply 1
  < metadata superblock
  disk
  < send 101 P_STATE
  < done 2 1
  < send 101 P_STATE
  = Diskless/UpToDate)";

/// The metadata are in order on the disk before the peer hears of it.
constexpr const char* attaches = R"(
  attach 3
  < metadata bitmap
  = Attaching/UpToDate
  disk
  < metadata superblock
  < metadata activity-log
  < send 101 P_SIZES
  < send 101 P_UUIDS
  < send 101 P_STATE
  = Connected Negotiating/UpToDate)";

/// A Primary without a disk, which has written to the disk that it had, and whose peer has begun a new generation and
/// got a write.
Transcript primary_without_disk() {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(promote_by_operator);
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    disk
    packet 1 WriteAck 1 0 4096
    < complete 1 0
    at 60
    < send 101 P_BARRIER 0
    packet 1 BarrierAck 0 1)");
  transcript.play(detaches);
  transcript.play(R"(
    packet 101 Uuids 64 1
    packet 101 State 2 8 10
    write 2 0 4096
    < send 101 P_DATA 0 4096
    packet 1 WriteAck 2 0 4096
    < complete 2 0)");
  return transcript;
}

/// The log of the disk that went is not that of the one that comes: the same extent is logged anew.
TEST(Attach, APrimaryTakesADiskWhileItWorksWithThePeersData) {
  Transcript transcript = primary_without_disk();
  transcript.play(attaches);
  transcript.play(R"(
    write 3 8192 4096
    read 4 0 4096
    < send 101 P_DATA_REQUEST 0 4096
    packet 101 State 2 8 10
    = Negotiating
    packet 101 Uuids 64 1
    packet 101 State 2 8 13
    < send 101 P_STATE
    < done 3 1
    < metadata activity-log
    = Primary WFBitMapT Outdated/UpToDate
    disk
    < send 101 P_DATA 16 4096
    < disk-write 8192 4096
    disk
    packet 1 WriteAck 3 16 4096
    < complete 3 0)");
}

TEST(Attach, ASecondaryThatMissedNothingIsUpToDateAtOnce) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(detaches);
  transcript.play(attaches);
  transcript.play(R"(
    packet 101 Uuids 0 0
    packet 101 State 2 8 10
    < metadata superblock
    < send 101 P_STATE
    < done 3 1
    = Secondary Connected UpToDate/UpToDate)");
}

TEST(Attach, AMemberOfAClusterThatIsBehindBecomesTarget) {
  Transcript transcript = two_that_are_equal(Authority::Cluster);
  transcript.play("in-sync 5 self peer");
  transcript.play(detaches);
  transcript.play("in-sync 6 x peer");
  transcript.play(attaches);
  transcript.play(R"(
    packet 101 Uuids 65 1
    packet 101 State 1 8 13
    < send 101 P_STATE
    < done 3 1
    = Secondary WFBitMapT Outdated/UpToDate
    promote 7
    < takeover-refused)");
}

TEST(Attach, APrimaryOfAClusterDoesNotTakeThePeersData) {
  Transcript transcript = two_that_are_equal(Authority::Cluster);
  transcript.play(promote);
  transcript.play(detaches);
  transcript.play(attaches);
  transcript.play(R"(
    packet 101 Uuids 64 1
    packet 101 State 2 8 13
    < send 101 P_STATE
    < done 3 -4 the disk is refused: this node is Primary and would have to take the peer's data
    < send 101 P_STATE
    = Primary Connected Diskless/UpToDate)");
}

TEST(Attach, AStrangersDiskIsRefusedAndTheTwoStayConnected) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(detaches);
  transcript.play(attaches);
  transcript.play(R"(
    packet 101 Uuids 64 128
    packet 101 State 2 8 10
    < run initial-split-brain
    < run split-brain
    < send 101 P_STATE
    < done 3 -4 the disk is refused: split brain: both nodes wrote alone, and no policy says whose data counts
    < send 101 P_STATE
    = Secondary Connected Diskless/UpToDate)");
}

/// What a Primary wrote through its peer is told by a generation; one that is not is a peer that has not got to it.
TEST(Attach, AGenerationThatHidesWhatWasWrittenMeanwhileIsRefused) {
  Transcript transcript = primary_without_disk();
  transcript.play(attaches);
  transcript.play(R"(
    packet 101 Uuids 0 0
    packet 101 State 2 8 10
    < send 101 P_STATE
    < done 3 -4 the disk is refused: the peer's generations do not tell what was written meanwhile
    < send 101 P_STATE
    = Primary Connected Diskless/UpToDate)");
}

TEST(Attach, APeerThatSaysNothingOfTheDiskIsNotWaitedForForever) {
  Transcript transcript = primary_without_disk();
  transcript.play(attaches);
  transcript.play(R"(
    at 200
    < send 101 P_BARRIER 1
    packet 1 BarrierAck 1 1
    write 3 8192 4096
    at 4900
    < send 1 P_PING
    packet 1 PingAck
    = Negotiating
    at 5100
    < send 101 P_STATE
    < done 3 -4 the peer does not take this disk: it says nothing about its generations
    < send 101 P_STATE
    < send 101 P_DATA 16 4096
    = Primary Connected Diskless/UpToDate)");
}

/// It has begun to answer before it heard that this node has given up.
TEST(Attach, AnAnswerThatComesAfterThisNodeHasGivenUpIsIgnored) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(detaches);
  transcript.play(attaches);
  transcript.play(R"(
    at 4900
    < send 1 P_PING
    packet 1 PingAck
    at 5100
    < send 101 P_STATE
    < done 3 -4 the peer does not take this disk: it says nothing about its generations
    < send 101 P_STATE
    = Secondary Connected Diskless/UpToDate
    packet 101 Uuids 64 1
    packet 101 State 1 8 13
    < send 101 P_STATE
    packet 101 CompressedBitmap
    packet 101 OutOfSync 0 4096
    = Secondary Connected Diskless/UpToDate
    packet 101 State 1 8 10
    = Secondary Connected Diskless/UpToDate)");
  transcript.play(attaches);
  transcript.play(R"(
    packet 101 State 1 8 10
    packet 101 Uuids 64 1
    packet 101 State 1 8 13
    < send 101 P_STATE
    < done 3 1
    = Secondary WFBitMapT Outdated/UpToDate)");
}

TEST(Attach, APrimaryThatLosesItsPeerMeanwhileHasNoData) {
  Transcript transcript = primary_without_disk();
  transcript.play(attaches);
  transcript.play(R"(
    write 3 8192 4096
    closed 1
    < close 101
    < close 1
    < done 3 -4 the peer is lost, and this disk has not the data that applications have worked with
    < complete 3 5
    = Primary WFConnection Diskless/DUnknown
    attach 4
    < done 4 -4 this Primary's applications have worked with other data than this disk has)");
}

/// The disk is about to be resynced: no generation of it will ever make the flush good, and a demotion would wait for
/// it.
TEST(Attach, AFlushOfAPrimaryThatLosesItsSourceFails) {
  Transcript transcript = primary_without_disk();
  transcript.play(attaches);
  transcript.play(R"(
    packet 101 State 2 8 10
    packet 101 Uuids 64 1
    packet 101 State 2 8 13
    < send 101 P_STATE
    < done 3 1
    = Primary WFBitMapT Outdated/UpToDate
    write 3 8192 4096
    < metadata activity-log
    disk
    < send 101 P_DATA 16 4096
    < disk-write 8192 4096
    disk
    packet 1 WriteAck 3 16 4096
    < complete 3 0
    flush 4
    < send 101 P_BARRIER 1
    < disk-flush
    disk
    closed 1
    < close 101
    < close 1
    < complete 4 5
    < metadata superblock
    = Primary WFConnection)");
}

TEST(Attach, APrimaryThatLosesAnEqualPeerGoesOnWithItsDisk) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(promote_by_operator);
  transcript.play(detaches);
  transcript.play(attaches);
  transcript.play(R"(
    write 1 0 4096
    closed 1
    < close 101
    < close 1
    < done 3 1
    < metadata superblock
    < metadata activity-log
    disk
    < disk-write 0 4096
    < complete 1 0
    = Primary WFConnection UpToDate/DUnknown)");
}

TEST(Attach, ASecondaryThatLosesAPeerWithOtherDataIsOutdated) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(detaches);
  transcript.play("packet 101 Uuids 65 1");
  transcript.play("packet 101 State 1 8 10\n < send 101 P_STATE");
  transcript.play(attaches);
  transcript.play(R"(
    closed 1
    < close 101
    < close 1
    < done 3 1
    < metadata superblock
    = Secondary WFConnection Outdated/DUnknown)");
}

TEST(Attach, TheConnectionMayEndBeforeTheDiskIsInOrder) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(detaches);
  transcript.play(R"(
    attach 3
    < metadata bitmap
    closed 1
    < close 101
    < close 1
    disk
    < metadata superblock
    < metadata activity-log
    < done 3 1
    = Secondary WFConnection UpToDate/DUnknown)");
}

TEST(Attach, ADiskThatFailsWhileItIsAttachedIsNone) {
  Transcript transcript = primary_without_disk();
  transcript.play(R"(
    attach 3
    < metadata bitmap
    disk-fails
    < done 3 -4 the disk refused a write of its metadata (error 5)
    = Primary Connected Diskless/UpToDate)");
  transcript.play(attaches);
}

/// The peer marks what it gets while it knows that this node has no disk.
TEST(Attach, ThePeerHearsOfAFailedDiskBeforeTheWritesThatHaveWaitedForIt) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(promote_by_operator);
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk-fails
    < send 101 P_STATE
    < send 101 P_DATA 0 4096
    packet 1 WriteAck 1 0 4096
    < complete 1 0
    = Primary Connected Diskless/UpToDate)");
}

// ---- the peer's disk --------------------------------------------------------------------------------------------

TEST(Attach, ThePeersStrangeDiskIsRefusedAndItIsTold) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(R"(
    packet 101 State 2 0 10
    < send 101 P_STATE
    packet 101 Uuids 64 128
    packet 101 State 2 3 10
    < send 101 P_UUIDS
    < run initial-split-brain
    < run split-brain
    < send 101 P_STATE
    < send 101 P_STATE
    = Secondary Connected UpToDate/Diskless)");
}

/// It would go on as the source, and this Primary not as its target: so it is told nothing.
TEST(Attach, APrimaryDoesNotTakeTheNewerDataOfAPeerThatAttaches) {
  Transcript transcript = two_that_are_equal(Authority::Cluster);
  transcript.play(promote);
  transcript.play(R"(
    packet 101 State 2 0 10
    < shrink 5
    < send 101 P_STATE
    packet 101 Uuids 64 1
    packet 101 State 2 3 10
    = Primary Connected UpToDate/Diskless)");
}

/// The kernel's would take a state alone for the decision, and believe its disk unseen.
TEST(Attach, APeerThatIsNotToldOfTheRefusalHearsNoStateBeforeItHasGivenUp) {
  Transcript transcript = two_that_are_equal(Authority::Cluster);
  transcript.play(promote);
  transcript.play(R"(
    packet 101 State 2 0 10
    < shrink 5
    < send 101 P_STATE
    packet 101 Uuids 64 1
    packet 101 State 2 3 10
    = Primary Connected UpToDate/Diskless
    in-sync 6 self x
    < metadata superblock
    disk
    pause 2
    < done 2 1
    suspend 3
    < io-suspended
    < done 3 1
    packet 101 State 2 0 10
    < send 101 P_STATE)");
}

TEST(Attach, WhatAPeerSendsBeforeItKnowsTheDecisionIsMarkedOnBothSides) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(R"(
    packet 101 State 2 0 10
    < send 101 P_STATE
    packet 101 State 1 0 10
    < send 101 P_UUIDS
    < metadata superblock
    < send 101 P_STATE
    disk
    packet 101 Uuids 1 0
    packet 101 State 1 3 10
    < send 101 P_UUIDS
    < send 101 P_STATE
    < send 101 P_COMPRESSED_BITMAP
    < metadata superblock
    disk
    = WFBitMapS UpToDate/Consistent oos 0
    packet 101 Data 8 4096 1
    < send 101 P_OUT_OF_SYNC 8 4096
    < disk-write 4096 4096
    = oos 4096)");
}

/// Our own question to the peer holds the decision up, and the peer, whose disk is Negotiating, writes only here.
TEST(Attach, WhatAPeerWritesBeforeItsNewDiskIsComparedIsMarked) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(R"(
    packet 101 State 2 0 10
    < send 101 P_STATE
    packet 101 State 1 0 10
    < send 101 P_UUIDS
    < metadata superblock
    < send 101 P_STATE
    disk
    disconnect 5
    < send 1 P_PING
    < send 101 P_CONN_ST_CHG_REQ 1f0 10
    packet 101 Uuids 1 0
    packet 101 State 1 3 10
    < metadata superblock
    disk
    packet 101 Data 8 4096 1
    < metadata bitmap
    = Connected UpToDate/Consistent oos 4096
    disk
    < disk-write 4096 4096
    < metadata bitmap
    < send 1 P_WRITE_ACK
    packet 1 ConnectionStateReply -7
    < send 1 P_PING
    < send 101 P_CONN_ST_CHG_REQ 1ff0 a10
    packet 1 ConnectionStateReply -10
    < done 5 -10 the peer says: the peer refuses
    < send 101 P_UUIDS
    < send 101 P_STATE
    < send 101 P_COMPRESSED_BITMAP
    = WFBitMapS UpToDate/Consistent oos 4096)");
}

/// A write that came when the peer had no disk, and still waits for an earlier one when the peer's bitmap has left.
TEST(Attach, WhatWaitsSinceThePeerHadNoDiskIsMarkedBeforeItsNewDiskIsCompared) {
  Transcript transcript = two_that_are_equal(Authority::Operator);
  transcript.play(R"(
    packet 101 State 2 0 10
    < send 101 P_STATE
    packet 101 State 1 0 10
    < send 101 P_UUIDS
    < metadata superblock
    < send 101 P_STATE
    disk
    packet 101 Data 8 4096 1
    < metadata activity-log
    packet 101 Data 8 8192 2
    = oos 8192
    packet 101 Uuids 1 0
    packet 101 State 1 3 10
    < send 101 P_UUIDS
    < send 101 P_STATE
    < send 101 P_COMPRESSED_BITMAP
    < metadata bitmap
    = WFBitMapS UpToDate/Consistent oos 8192
    disk-one
    disk-one
    < disk-write 4096 4096
    < metadata superblock
    < metadata bitmap
    disk
    < send 1 P_WRITE_ACK
    < disk-write 4096 8192
    < send 1 P_WRITE_ACK
    = oos 8192)");
}

}  // namespace
}  // namespace bascule::replication
