#include "core/replication/testing/pairs.h"

/// Writes without data: P_TRIM, P_ZEROES, and what is done where the peer has not agreed to them.
namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it

constexpr unsigned kTrim = 1, kWriteSame = 4, kWriteZeroes = 8;

Transcript connected(unsigned features, const std::function<void(Config&)>& configure = nullptr) {
  Transcript::Setup setup;
  setup.configure = configure;
  Transcript transcript(setup);
  transcript.play(attach);
  std::string pairing = pair_up;
  pairing.replace(pairing.find("86 101"), 6, "86 101 " + std::to_string(features));
  transcript.play(pairing);
  transcript.play(connect_as_equals);
  return transcript;
}

Transcript primary(unsigned features, const std::function<void(Config&)>& configure = nullptr) {
  Transcript transcript = connected(features, configure);
  transcript.play(promote);
  return transcript;
}

TEST(Discard, IsSentAsTrimAndCarriedOutOnBothSides) {
  Transcript transcript = primary(kTrim | kWriteSame | kWriteZeroes);
  transcript.play(R"(
    discard 1 0 16777216
    < metadata activity-log
    disk-one
    < send 101 P_TRIM 0 16777216
    < disk-discard 0 16777216
    packet 1 WriteAck 1 0 16777216
    disk
    < complete 1 0
    zeroes 2 4096 4096
    < send 101 P_ZEROES 8 4096
    < disk-zeroes 4096 4096
    zeroes-unmap 3 8192 4096
    < send 101 P_ZEROES 16 4096
    < disk-zeroes-unmap 8192 4096)");
}

TEST(Discard, IsCutWhereThePeerTakesOnlyFourMebibytes) {
  Transcript transcript = primary(kTrim);
  transcript.play(R"(
    discard 1 2097152 6291456
    < metadata activity-log
    disk-one
    < send 101 P_TRIM 4096 2097152
    < disk-discard 2097152 2097152
    < send 101 P_TRIM 8192 4194304
    < disk-discard 4194304 4194304
    packet 1 WriteAck 1 4096 2097152
    packet 1 WriteAck 2 8192 4194304
    disk
    < complete 1 0)");
}

/// Four extents and a log that holds two: never more than half of the log for one part.
TEST(Discard, IsCutToWhatTheActivityLogHolds) {
  Transcript transcript = primary(kTrim | kWriteSame | kWriteZeroes, [](Config& config) { config.al_extents = 2; });
  transcript.play(R"(
    discard 1 0 16777216
    < metadata activity-log
    disk-one
    < send 101 P_TRIM 0 4194304
    < disk-discard 0 4194304
    < send 101 P_TRIM 8192 4194304
    < disk-discard 4194304 4194304
    < send 101 P_BARRIER 0
    disk
    packet 1 WriteAck 1 0 4194304
    packet 1 WriteAck 2 8192 4194304
    packet 1 BarrierAck 0 2
    < metadata activity-log
    disk-one
    < send 101 P_TRIM 16384 4194304
    < disk-discard 8388608 4194304
    < send 101 P_TRIM 24576 4194304
    < disk-discard 12582912 4194304
    packet 1 WriteAck 3 16384 4194304
    packet 1 WriteAck 4 24576 4194304
    disk
    < complete 1 0)");
}

TEST(Discard, BecomesZeroesForAPeerThatDoesNotTakeIt) {
  Transcript transcript = primary(0);
  transcript.play(R"(
    discard 1 524288 2097152
    < metadata activity-log
    disk-one
    < send 101 P_DATA 1024 524288
    < disk-zeroes-unmap 524288 524288
    < send 101 P_DATA 2048 1048576
    < disk-zeroes-unmap 1048576 1048576
    < send 101 P_DATA 4096 524288
    < disk-zeroes-unmap 2097152 524288
    packet 1 WriteAck 1 1024 524288
    packet 1 WriteAck 2 2048 1048576
    packet 1 WriteAck 3 4096 524288
    disk
    < complete 1 0)");
}

TEST(Discard, OneFailedPartFailsTheRequest) {
  Transcript transcript = primary(kTrim);
  transcript.play(R"(
    discard 1 2097152 6291456
    < metadata activity-log
    disk-one
    < send 101 P_TRIM 4096 2097152
    < disk-discard 2097152 2097152
    < send 101 P_TRIM 8192 4194304
    < disk-discard 4194304 4194304
    disk-fails
    < complete 1 5
    < send 101 P_STATE
    = Failed)");
}

TEST(Discard, OfThePeerIsOrderedAcknowledgedAndCounted) {
  Transcript transcript = connected(kTrim | kWriteSame | kWriteZeroes);
  transcript.play(R"(
    packet 101 Data 8 4096 77
    < disk-write 4096 4096
    packet 101 Trim 0 8388608 78 322
    packet 101 Zeroes 0 512 79 1346
    packet 101 Zeroes 16384 512 80 1282
    < disk-zeroes 8388608 512
    packet 101 Barrier 3
    disk
    < send 1 P_WRITE_ACK
    < disk-discard 0 8388608
    < send 1 P_WRITE_ACK
    < send 1 P_WRITE_ACK
    < disk-zeroes-unmap 0 512
    < send 1 P_WRITE_ACK
    < disk-flush
    < send 1 P_BARRIER_ACK 3 4)");
}

TEST(Discard, OfAPeerWithoutWriteZeroesMeansZeroes) {
  Transcript transcript = connected(kTrim);
  transcript.play(R"(
    packet 101 Trim 0 4194304 78 322
    < disk-zeroes-unmap 0 4194304)");
}

TEST(Discard, OutsideTheDeviceOrNotAgreedEndsTheConnection) {
  for (const char* packet : {"Trim 32760 8192 1 322", "Trim 40000 512 1 322", "Trim 0 268435456 1 322",
                             "Zeroes 0 512 1 1282", "Trim 0 100 1 322", "Trim 0 0 1 322"}) {
    Transcript transcript = connected(kTrim);
    transcript.play(std::string("packet 101 ") + packet + "\n< close 101\n< close 1\n< metadata superblock");
    transcript.play("= unexpected");
  }
}

}  // namespace
}  // namespace bascule::replication
