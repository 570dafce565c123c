#include "core/replication/testing/pairs.h"

/// Reads and writes of a primary whose own disk is not enough, and the reads that a peer asks for.
namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it
using drbd_config::OnIoError;
using drbd_config::ReadBalancing;

Transcript primary(const std::function<void(Config&)>& configure) {
  bool operated = false;
  Transcript transcript = connected_pair([&](Config& config) {
    if (configure) configure(config);
    operated = config.authority == Authority::Operator;
  });
  transcript.play(operated ? promote_by_operator : promote);
  return transcript;
}

TEST(RemoteRead, AReadThatTheDiskRefusesIsMadeAtThePeer) {
  Transcript transcript = primary(nullptr);
  transcript.play(R"(
    read 1 4096 4096
    < disk-read 4096
    disk-fails
    < send 101 P_DATA_REQUEST 8 4096
    = UpToDate/UpToDate oos 0
    packet 101 DataReply 8 4096 1
    < copy 4096
    < complete 1 0
    read 2 4096 4096
    < disk-read 4096
    disk-fails
    < send 101 P_DATA_REQUEST 8 4096
    packet 1 NegativeDataReply 2 8 4096
    < complete 2 5)");
}

TEST(RemoteRead, AnOperatorsDiskThatRefusesAReadIsDetachedAndThePeerAnswers) {
  Transcript transcript = primary(by_operator);
  transcript.play(R"(
    read 1 4096 4096
    < disk-read 4096
    disk-fails
    < send 101 P_DATA_REQUEST 8 4096
    < send 101 P_STATE
    = Diskless
    packet 101 DataReply 8 4096 1
    < copy 4096
    < complete 1 0
    read 2 0 512
    < send 101 P_DATA_REQUEST 0 512)");
}

/// Else it would take the next write for one of two copies, and mark nothing.
TEST(RemoteRead, ThePeerHearsOfTheLostDiskBeforeTheNextWrite) {
  Transcript transcript = primary(by_operator);
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    write 2 4096 4096
    packet 1 WriteAck 1 8 4096
    disk-fails
    < complete 1 0
    < send 101 P_STATE
    < send 101 P_DATA 8 4096
    = Diskless)");
}

constexpr const char* writes_here_first = R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    disk-one
    read 2 1048576 4096
    < disk-read 1048576)";

/// Only the disk that is gone has it: nobody can read it, and no generation tells that the peer lacks it.
TEST(RemoteRead, AWriteThatOnlyALostDiskHasFailsWithThePeer) {
  Transcript transcript = primary(by_operator);
  transcript.play(writes_here_first);
  transcript.play(R"(
    disk-fails
    < send 101 P_DATA_REQUEST 2048 4096
    < send 101 P_STATE
    = Diskless
    closed 1
    < close 101
    < close 1
    < complete 1 5
    < complete 2 5)");
}

/// The same when the disk goes while the write waits for the new generation.
TEST(RemoteRead, AHeldWriteFailsWithItsDisk) {
  Transcript transcript = primary(by_operator);
  transcript.play(writes_here_first);
  transcript.play(R"(
    closed 1
    < close 101
    < close 1
    < metadata superblock
    disk-fails
    < complete 2 5
    < complete 1 5
    = Failed)");
}

TEST(RemoteRead, AReplyToNothingEndsTheConnection) {
  for (const char* packet : {"DataReply 8 4096 2", "DataReply 16 4096 1", "DataReply 8 512 1"}) {
    Transcript transcript =
        primary([](Config& config) { config.options.disk.read_balancing = ReadBalancing::prefer_remote; });
    transcript.play("read 1 4096 4096\n< send 101 P_DATA_REQUEST 8 4096");
    transcript.play(std::string("packet 101 ") + packet +
                    "\n< close 101\n< close 1\n< shrink 5\n< disk-read 4096\n< metadata superblock");
  }
}

TEST(RemoteRead, BalancingChoosesByItsMode) {
  const struct {
    ReadBalancing mode;
    const char* first;
    const char* second;
  } cases[] = {
      {ReadBalancing::prefer_local, "disk-read 0", "disk-read 65536"},
      {ReadBalancing::prefer_remote, "send 101 P_DATA_REQUEST 0 512", "send 101 P_DATA_REQUEST 128 512"},
      {ReadBalancing::round_robin, "send 101 P_DATA_REQUEST 0 512", "disk-read 65536"},
      {ReadBalancing::least_pending, "disk-read 0", "send 101 P_DATA_REQUEST 128 512"},
      {ReadBalancing::when_congested_remote, "disk-read 0", "disk-read 65536"},
      {ReadBalancing::striping_32k, "disk-read 0", "disk-read 65536"},
      {ReadBalancing::striping_64k, "disk-read 0", "send 101 P_DATA_REQUEST 128 512"},
      {ReadBalancing::striping_1m, "disk-read 0", "disk-read 65536"},
  };
  for (const auto& each : cases) {
    Transcript transcript = primary([&](Config& config) { config.options.disk.read_balancing = each.mode; });
    transcript.play(std::string("read 1 0 512\n< ") + each.first + "\nread 2 65536 512\n< " + each.second);
  }
}

TEST(RemoteRead, ALostConnectionBringsReadsBackToTheDisk) {
  Transcript transcript =
      primary([](Config& config) { config.options.disk.read_balancing = ReadBalancing::prefer_remote; });
  transcript.play(R"(
    read 1 0 512
    < send 101 P_DATA_REQUEST 0 512
    closed 1
    < close 101
    < close 1
    < shrink 5
    < disk-read 0
    < metadata superblock)");
}

TEST(RemoteRead, OfThePeerIsAnsweredAfterTheWritesBeforeIt) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(R"(
    packet 101 Data 8 4096 77
    < disk-write 4096 4096
    packet 101 DataRequest 8 512 5
    packet 101 DataRequest 64 512 6
    < disk-read 32768
    disk
    < send 1 P_WRITE_ACK
    < disk-read 4096
    < send 101 P_DATA_REPLY 64 512
    < send 101 P_DATA_REPLY 8 512
    packet 101 DataRequest 64 512 7
    < disk-read 32768
    disk-fails
    < send 1 P_NEG_DREPLY)");
}

TEST(RemoteRead, OutsideTheDeviceEndsTheConnection) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(R"(
    packet 101 DataRequest 32768 512 5
    < close 101
    < close 1
    < metadata superblock
    = unexpected P_DATA_REQUEST)");
}

TEST(OnIoError, AWriteThatThePeerHasIsGoodForAnOperator) {
  Transcript transcript = primary(by_operator);
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    disk-fails
    < send 101 P_STATE
    = Diskless
    packet 1 WriteAck 1 8 4096
    < complete 1 0
    write 2 8192 4096
    < send 101 P_DATA 16 4096
    packet 1 WriteAck 2 16 4096
    < complete 2 0
    write 3 8192 4096
    < send 101 P_DATA 16 4096
    packet 1 NegativeAck 3 16 4096
    < complete 3 5)");
}

TEST(OnIoError, TheHandlerIsCalledBeforeTheDetach) {
  Transcript transcript = primary([](Config& config) {
    by_operator(config);
    config.options.disk.on_io_error = OnIoError::call_local_io_error;
  });
  transcript.play(R"(
    read 1 4096 512
    < disk-read 4096
    disk-fails
    < run local-io-error
    < send 101 P_DATA_REQUEST 8 512
    < send 101 P_STATE
    = Diskless)");
}

TEST(OnIoError, ADiskThatDoesNotAnswerInTimeIsGivenUp) {
  Transcript transcript = primary([](Config& config) {
    by_operator(config);
    config.options.disk.disk_timeout_ds = 3;
    config.ping_interval = seconds(100);
  });
  transcript.play(R"(
    write 1 4096 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 8 4096
    < disk-write 4096 4096
    packet 1 WriteAck 1 8 4096
    at 302
    < send 101 P_BARRIER 0
    < complete 1 0
    < send 101 P_STATE
    = Failed
    disk
    < send 101 P_STATE
    = Diskless)");
}

}  // namespace
}  // namespace bascule::replication
