#include "core/replication/testing/pairs.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it

TEST(StateChanges, ThePeerMayBecomePrimaryOnlyWhenThisNodeIsNot) {
  Transcript secondary = connected_pair();
  secondary.play(R"(
    packet 101 StateRequest 3 1
    < send 1 P_STATE_CHG_REPLY 1
    < send 101 P_STATE
    primary 7
    at 700
    < takeover-refused
    < done 7 -1 two primaries are not allowed)");
  Transcript serving = connected_pair();
  serving.play(promote_by_operator);
  serving.play(R"(
    packet 101 StateRequest 3 1
    < send 1 P_STATE_CHG_REPLY -1
    = Primary Connected)");
}

TEST(StateChanges, AConcurrentChangeIsAskedForAgain) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    primary 1
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 3 1
    packet 1 StateReply -19
    at 110
    < send 101 P_STATE_CHG_REQ 3 1
    packet 1 StateReply 1
    < metadata superblock
    disk
    < volume-promoted
    < done 1 1
    < send 101 P_UUIDS
    < send 101 P_STATE)");
}

TEST(StateChanges, AnAnswerThatNobodyAskedForEndsTheConnection) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    packet 1 StateReply 1
    < close 101
    < close 1
    < metadata superblock
    = unexpected P_STATE_CHG_REPLY)");
}

TEST(StateChanges, AnUnknownChangeIsRefused) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    packet 101 StateRequest 1f0 160
    < send 1 P_STATE_CHG_REPLY -17
    packet 101 StateRequest 1e00 1e00
    < send 1 P_STATE_CHG_REPLY -17
    = Secondary Connected)");
}

TEST(StateChanges, APeerThatDetachesLeavesThePrimaryAloneWithTheData) {
  Transcript transcript = connected_pair();
  transcript.play(promote_by_operator);
  transcript.play(R"(
    packet 101 StateRequest 1e00 400
    < send 1 P_STATE_CHG_REPLY 1
    < send 101 P_UUIDS
    < metadata superblock
    < send 101 P_STATE
    disk
    = Primary Connected UpToDate/Failed)");
}

TEST(StateChanges, AFullResyncIsAgreedOnAndBeginsWithoutBitmaps) {
  Transcript target = connected_pair();
  target.play(R"(
    invalidate 5
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 1f0 c0
    packet 1 StateReply 1
    < done 5 1
    < metadata bitmap
    < send 101 P_STATE
    packet 101 SyncUuid 64
    = StartingSyncT Outdated/UpToDate oos 16777216
    disk-one
    < metadata superblock
    < send 101 P_STATE
    = WFSyncUUID Inconsistent/UpToDate)");
  Transcript source = connected_pair();
  source.play(R"(
    packet 101 StateRequest 1f0 c0
    < send 1 P_STATE_CHG_REPLY 1
    < metadata bitmap
    < send 101 P_STATE
    disk
    < metadata superblock
    < send 101 P_SYNC_UUID
    < send 101 P_STATE
    = SyncSource UpToDate/Inconsistent)");
}

/// The answer comes on the other socket than what the peer does after it.
TEST(StateChanges, WhatThePeerDoesForAFullResyncMayOvertakeItsAnswer) {
  Transcript target = connected_pair();
  target.play(R"(
    invalidate 5
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 1f0 c0
    packet 101 State 2 8 11
    packet 101 SyncUuid 64
    = Connected
    packet 1 StateReply 1
    < done 5 1
    < metadata bitmap
    < send 101 P_STATE
    = StartingSyncT Outdated/UpToDate oos 16777216
    disk-one
    < metadata superblock
    < send 101 P_STATE
    = WFSyncUUID Inconsistent/UpToDate)");
}

TEST(StateChanges, ADetachIsAgreedWithThePeerAndTheDiskMayComeBack) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    detach 3
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 1e00 400
    detach 4
    < done 4 -18 another command about the disk is under way
    packet 1 StateReply 1
    < metadata superblock
    disk
    < send 101 P_STATE
    < done 3 1
    < send 101 P_STATE
    = Diskless/UpToDate
    detach 5
    < done 5 2
    disconnect 6 force
    < close 101
    < close 1
    < done 6 1
    attach 7
    < metadata bitmap
    disk
    < metadata superblock
    < metadata activity-log
    < done 7 1
    = StandAlone UpToDate
    attach 8
    < done 8 -18 this node has a disk already: it is UpToDate
    outdate 9
    < done 9 1
    < metadata superblock
    outdate 10
    < done 10 2
    disk
    invalidate 11
    < done 11 1
    < metadata superblock
    < metadata bitmap
    = Inconsistent)");
}

TEST(StateChanges, RefusalsOfDiskCommands) {
  Transcript pair = connected_pair();
  pair.play(R"(
    outdate 1
    < done 1 -6 a connected node cannot be Outdated
    invalidate 2
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 1f0 c0
    packet 1 StateReply -2
    < done 2 -10 the peer says: neither node has up-to-date data that is accessible
    invalidate 3 remote
    < send 1 P_PING
    < send 101 P_STATE_CHG_REQ 1f0 b0
    closed 1
    < close 101
    < close 1
    < done 3 -15 the connection ended before the peer had answered
    < metadata superblock)");
  Transcript last = connected_pair();
  last.play(promote_by_operator);
  last.play(R"(
    closed 1
    < close 101
    < close 1
    < metadata superblock
    disk
    detach 4
    < done 4 -2 neither node has up-to-date data that is accessible
    invalidate 5
    < done 5 -15 the peer must be connected for it)");
}

TEST(StateChanges, IoIsHeldWhileTheOperatorSaysSo) {
  Transcript transcript = connected_pair();
  transcript.play(R"(
    suspend 1
    < io-suspended
    < done 1 1
    < send 101 P_STATE
    suspend 2
    < done 2 2
    suspend 3 off
    < io-resumed
    < done 3 1
    < send 101 P_STATE)");
}

/// DRBD throws away what it knew of its peer's generations when it attaches, and decides about the new disk by what it
/// hears after that: UUIDs, then a state, then the bitmap.
TEST(StateChanges, APeerThatAttachesIsToldTheGenerationsBeforeTheState) {
  Transcript transcript = connected_pair();
  transcript.play(promote_by_operator);
  transcript.play(R"(
    packet 101 StateRequest 1e00 400
    < send 1 P_STATE_CHG_REPLY 1
    < send 101 P_UUIDS
    < metadata superblock
    < send 101 P_STATE
    disk
    packet 101 State 2 0 10
    < send 101 P_STATE
    packet 101 Uuids 0
    packet 101 State 2 3 10
    < send 101 P_UUIDS
    < send 101 P_STATE
    < send 101 P_COMPRESSED_BITMAP
    = Primary WFBitMapS UpToDate/Consistent)");
}

// ---- verify -----------------------------------------------------------------------------------------------------

Transcript answering_a_verify() {
  Transcript transcript = connected_pair([](Config& config) {
    by_operator(config);
    config.options.net.verify_alg = "crc32c";
    config.ping_interval = seconds(100);
  });
  transcript.play(R"(
    packet 101 StateRequest 1f0 120
    < send 1 P_STATE_CHG_REPLY 1
    < send 101 P_STATE
    = Secondary VerifyT)");
  return transcript;
}

/// The peer paused its resync, say, before it had our consent: its state is still the old one.
TEST(StateChanges, AStateFromBeforeThePeerKnewOfTheVerifyDoesNotEndIt) {
  Transcript transcript = answering_a_verify();
  transcript.play(R"(
    packet 101 State 2 8 10
    = Secondary VerifyT
    packet 101 VerifyRequest 0 4096
    < disk-read 0
    disk
    < send 101 P_OV_REPLY
    at 9000
    = Secondary VerifyT
    packet 1 VerifyResult 0 4096
    packet 101 State 2 8 10
    < send 101 P_STATE
    = Secondary Connected)");
}

TEST(StateChanges, AVerifyThatThePeerEndsBeforeItHasAskedForAnythingIsOver) {
  Transcript transcript = answering_a_verify();
  transcript.play(R"(
    packet 101 State 2 8 10
    = Secondary VerifyT
    at 5100
    < send 101 P_STATE
    = Secondary Connected)");
  Transcript told = answering_a_verify();
  told.play(R"(
    packet 101 State 2 8 18
    packet 101 State 2 8 10
    < send 101 P_STATE
    = Secondary Connected)");
  Transcript diskless = answering_a_verify();
  diskless.play(R"(
    packet 101 State 2 0 10
    < send 101 P_STATE
    = Secondary Connected UpToDate/Diskless)");
}

}  // namespace
}  // namespace bascule::replication
