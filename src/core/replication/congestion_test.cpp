#include "core/replication/testing/pairs.h"

/// on-congestion: block, pull-ahead, disconnect.
namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it
using drbd_config::OnCongestion;

Transcript primary(const std::function<void(Config&)>& configure) {
  Transcript::Setup setup;
  setup.configure = [&](Config& config) {
    config.ping_interval = seconds(100);
    configure(config);
  };
  Transcript transcript(setup);
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(promote);
  return transcript;
}

constexpr const char* fill = R"(
  write 1 0 4096
  < metadata activity-log
  disk-one
  < send 101 P_DATA 0 4096
  < disk-write 0 4096
  write 2 4096 4096
  < send 101 P_DATA 8 4096
  < disk-write 4096 4096
)";

TEST(Congestion, BlockLetsEverythingWait) {
  Transcript transcript = primary([](Config& config) { config.options.net.congestion_fill_sectors = 16; });
  transcript.play(fill);
  transcript.play(R"(
    write 3 8192 4096
    < send 101 P_DATA 16 4096
    < disk-write 8192 4096)");
}

TEST(Congestion, PullingAheadMarksInsteadOfSendingAndComesBackWhenNothingIsInFlight) {
  Transcript transcript = primary([](Config& config) {
    config.options.net.on_congestion = OnCongestion::pull_ahead;
    config.options.net.congestion_fill_sectors = 16;
  });
  transcript.play(fill);
  transcript.play(R"(
    write 3 8192 4096
    < send 101 P_BARRIER 0
    < send 101 P_OUT_OF_SYNC 16 4096
    < disk-write 8192 4096
    < shrink 5
    < send 101 P_STATE
    = Primary Ahead UpToDate/Consistent oos 4096
    disk
    packet 1 WriteAck 1 0 4096
    < complete 1 0
    packet 1 WriteAck 2 8 4096
    < complete 2 0
    write 4 8192 512
    < disk-write 8192 512
    disk
    = held 2
    in-sync 6 self -
    < complete 3 0
    < complete 4 0
    packet 1 BarrierAck 0 2
    at 900
    at 1002
    < metadata superblock
    < metadata bitmap
    disk
    < send 101 P_SYNC_UUID
    < send 101 P_STATE
    = Primary SyncSource UpToDate/Inconsistent oos 4096)");
}

TEST(Congestion, DisconnectEndsTheConnection) {
  Transcript transcript = primary([](Config& config) {
    config.options.net.on_congestion = OnCongestion::disconnect;
    config.options.net.congestion_fill_sectors = 16;
  });
  transcript.play(fill);
  transcript.play(R"(
    write 3 8192 4096
    < send 101 P_BARRIER 0
    < disk-write 8192 4096
    < close 101
    < close 1
    < shrink 5
    < metadata superblock
    = Primary StandAlone UpToDate/DUnknown oos 12288)");
}

TEST(Congestion, ManyExtentsAreCongestionToo) {
  Transcript transcript = primary([](Config& config) {
    config.options.net.on_congestion = OnCongestion::disconnect;
    config.options.net.congestion_extents = 2;
  });
  transcript.play(R"(
    write 1 0 4096
    < metadata activity-log
    disk-one
    < send 101 P_DATA 0 4096
    < disk-write 0 4096
    write 2 4194304 4096
    < metadata activity-log
    disk
    < send 101 P_BARRIER 0
    < disk-write 4194304 4096
    < close 101
    < close 1
    < shrink 5
    < metadata superblock
    = congestion)");
}

TEST(Congestion, ThePeerOfOneThatWentAheadIsBehindUntilItIsResynced) {
  Transcript transcript;
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(R"(
    packet 101 State 1 8 22
    < metadata superblock
    < send 101 P_STATE
    = Secondary Behind Outdated/UpToDate oos 0
    packet 101 OutOfSync 16 4096
    = oos 4096
    disk
    packet 101 SyncUuid 4096
    < metadata superblock
    < send 101 P_STATE
    disk
    < run before-resync-target
    < send 101 P_RS_DATA_REQUEST
    < send 101 P_STATE
    = Secondary SyncTarget Inconsistent/UpToDate oos 4096)");
}

}  // namespace
}  // namespace bascule::replication
