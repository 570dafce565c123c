#include "core/replication/testing/pairs.h"

/// Protocols A, B and C, barriers, errors of the disk and the options that change them.
namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it

Transcript connected_primary(const std::function<void(Config&)>& configure = nullptr) {
  Transcript::Setup setup;
  setup.configure = configure;
  Transcript transcript(setup);
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  return transcript;
}

Transcript connected_secondary(const std::function<void(Config&)>& configure = nullptr) {
  Transcript::Setup setup;
  setup.configure = configure;
  Transcript transcript(setup);
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  return transcript;
}

TEST(DataPath, ProtocolCAsksForAWriteAck) {
  Transcript transcript = connected_primary();
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    packet 1 ReceiveAck 1 8 4096
    disk
    = held 0
    packet 1 WriteAck 1 8 4096
    < complete 1 0)");
}

TEST(DataPath, TheAckKindsFollowTheFlagsOfEachWrite) {
  Transcript transcript = connected_secondary();
  transcript.play(R"(
    packet 101 Data 8 4096 77 2
    < disk-write 4096 4096
    packet 101 Data 16 4096 78 130
    < send 1 P_RECV_ACK
    < disk-write 8192 4096
    packet 101 Data 24 4096 79 258
    < disk-write 12288 4096
    packet 101 Barrier 5
    disk
    < send 1 P_WRITE_ACK
    < disk-flush
    < send 1 P_BARRIER_ACK 5 3)");
}

/// The peer's application has been told so (protocol B), and this may be the only copy that is left.
TEST(DataPath, WhatWasAcknowledgedAsReceivedIsWrittenAlthoughThePeerIsLost) {
  Transcript transcript = connected_secondary();
  transcript.play(R"(
    packet 101 Data 8 4096 77 130
    < send 1 P_RECV_ACK
    < disk-write 4096 4096
    packet 101 Data 8 4096 78 130
    < send 1 P_RECV_ACK
    closed 1
    < close 101
    < close 1
    < metadata superblock
    = Unconnected
    disk-one
    < disk-write 4096 4096
    = Unconnected
    disk
    = WFConnection)");
}

TEST(DataPath, EpochsOfThePeerMayHaveAnySize) {
  Transcript transcript = connected_secondary();
  transcript.play(R"(
    packet 101 Barrier 1
    < disk-flush
    packet 101 Data 8 4096 77
    < disk-write 4096 4096
    packet 101 Barrier 2
    packet 101 Barrier 3
    disk
    < send 1 P_BARRIER_ACK 1 0
    < send 1 P_WRITE_ACK
    < disk-flush
    < send 1 P_BARRIER_ACK 2 1
    < send 1 P_BARRIER_ACK 3 0)");
}

TEST(DataPath, WithoutDiskFlushesABarrierWaitsForTheWritesOnly) {
  Transcript transcript = connected_secondary([](Config& config) {
    config.authority = Authority::Operator;
    config.options.disk.disk_flushes = false;
  });
  transcript.play(R"(
    packet 101 Data 8 4096 77
    < disk-write 4096 4096
    packet 101 Barrier 5
    disk
    < send 1 P_WRITE_ACK
    < send 1 P_BARRIER_ACK 5 1)");
}

/// A barrier ack would say that the first one is durable.
TEST(DataPath, ADiskThatFailsWithUnflushedWritesOfThePeerEndsTheSession) {
  Transcript transcript = connected_secondary([](Config& config) { config.authority = Authority::Operator; });
  transcript.play(R"(
    packet 101 Data 8 4096 77 2
    < disk-write 4096 4096
    disk
    packet 101 Data 16 4096 78 2
    < disk-write 8192 4096
    packet 101 Barrier 1
    disk-fails
    < send 1 P_NEG_ACK
    < close 101
    < close 1
    = Diskless)");
}

TEST(DataPath, AWriteThatThePeerRefusedIsMarked) {
  Transcript transcript = connected_primary();
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    packet 1 NegativeAck 1 8 4096
    disk
    = oos 4096
    = held 1)");
}

TEST(DataPath, AnAckOfNothingEndsTheConnection) {
  for (const char* packet : {"WriteAck 1 8 512", "WriteAck 9 8 4096", "Superseded 1 8 4096", "RetryWrite 1 8 4096",
                             "BarrierAck 0 1", "NegativeDataReply 1 8 4096"}) {
    Transcript transcript = connected_primary();
    transcript.play(R"(
      write 1 4096 4096
      < metadata activity-log
      disk-one
      < send 101 P_DATA 8 4096
      < disk-write 4096 4096)");
    transcript.play(std::string("packet 1 ") + packet + "\n< close 101\n< close 1\n< shrink 5\n< metadata superblock");
    transcript.play("= unexpected");
  }
}

TEST(DataPath, AnEpochIsClosedWhenItIsFull) {
  Transcript transcript = connected_primary([](Config& config) { config.options.net.max_epoch_size = 2; });
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    write 2 8192 4096
    < send 101 P_DATA 16 4096
    < send 101 P_BARRIER 0
    < disk-write 8192 4096
    write 3 16384 4096
    < send 101 P_DATA 32 4096
    < disk-write 16384 4096)");
}

/// As the kernel: a barrier before the first write that may depend on a completed one, a flush that is local.
TEST(DataPath, WhereAFlushDoesNotWaitCompletedWritesCloseTheEpoch) {
  Transcript transcript = connected_primary([](Config& config) { config.flush_waits_for_peer = false; });
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    write 2 8192 4096
    < send 101 P_DATA 16 4096
    < disk-write 8192 4096
    disk
    packet 1 WriteAck 1 8 4096
    < complete 1 0
    write 3 12288 4096
    < send 101 P_BARRIER 0
    < send 101 P_DATA 24 4096
    < disk-write 12288 4096
    packet 1 WriteAck 2 16 4096
    < complete 2 0
    disk
    packet 1 WriteAck 3 24 4096
    < complete 3 0
    < send 101 P_BARRIER 1
    flush 4
    < disk-flush
    disk
    < complete 4 0
    packet 1 BarrierAck 0 2
    packet 1 BarrierAck 1 1)");
}

TEST(DataPath, AWriteWithoutAnswerEndsTheConnectionInTime) {
  Transcript transcript = connected_primary([](Config& config) {
    config.request_timeout = milliseconds(400);
    config.ping_interval = seconds(100);
  });
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    at 200
    < send 101 P_BARRIER 0
    at 402
    < close 101
    < close 1
    < shrink 5
    < metadata superblock
    = the peer does not answer a write in time)");
}

/// A peer that died silently is noticed soon by whoever waits for it, and without haste by others.
TEST(DataPath, ASilentPeerIsAskedSoonerWhereAWriteWaitsForIt) {
  Transcript idle = connected_primary();
  idle.play(R"(
    at 999
    at 1002
    < send 1 P_PING)");
  Transcript waiting = connected_primary();
  waiting.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    at 200
    < send 101 P_BARRIER 0
    at 252
    < send 1 P_PING)");
}

TEST(DataPath, ADiskThatRefusesAWriteFailsItInACluster) {
  Transcript transcript = connected_primary();
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    packet 1 WriteAck 1 8 4096
    disk-fails
    < complete 1 5
    < send 101 P_STATE
    = Failed)");
}

TEST(DataPath, WithoutActivityLogUpdatesNothingIsLogged) {
  Transcript transcript = connected_primary([](Config& config) { config.options.disk.al_updates = false; });
  transcript.play(R"(
    write 1 4096 4096
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096)");
}

}  // namespace
}  // namespace bascule::replication
