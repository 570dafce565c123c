#include "core/replication/testing/pairs.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the transcripts are made of it

void fencing(Config& config, drbd_config::Fencing policy) {
  config.authority = Authority::Operator;
  config.options.disk.fencing = policy;
}
void resource_only(Config& config) { fencing(config, drbd_config::Fencing::resource_only); }
void with_stonith(Config& config) { fencing(config, drbd_config::Fencing::resource_and_stonith); }

Transcript alone(void (*policy)(Config&)) {
  Transcript transcript(Transcript::Setup{.configure = policy});
  transcript.play(attach);
  transcript.play("= Consistent");
  return transcript;
}

TEST(Fencing, ExitCodesOfTheHandlerDecideAPromotionThatCannotKnow) {
  const struct {
    int exit_code;
    const char* rest;
  } cases[] = {
      {3,
       "< metadata superblock\n disk\n < volume-promoted\n < done 1 1\n = Primary WFConnection UpToDate/Inconsistent"},
      {4, "< metadata superblock\n disk\n < volume-promoted\n < done 1 1\n = Primary WFConnection UpToDate/Outdated"},
      {5, "< takeover-refused\n < done 1 -2 this replica is Consistent and no up-to-date data is accessible"},
      {6,
       "< takeover-refused\n < done 1 -2 this replica is Outdated and no up-to-date data is accessible\n"
       "< metadata superblock\n = Outdated"},
      {7, "< metadata superblock\n disk\n < volume-promoted\n < done 1 1\n = Primary WFConnection UpToDate/Outdated"},
      {-1, "< takeover-refused\n < done 1 -2 this replica is Consistent and no up-to-date data is accessible"},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.exit_code);
    Transcript transcript = alone(resource_only);
    transcript.play("primary 1\n < run fence-peer");
    transcript.play("handler " + std::to_string(each.exit_code) + "\n" + each.rest);
  }
}

TEST(Fencing, ForceGoesOnWithoutTheHandlersConsent) {
  Transcript transcript = alone(resource_only);
  transcript.play(R"(
    primary 1 force
    < run fence-peer
    handler -1
    < metadata superblock
    disk
    < volume-promoted
    < done 1 1
    = Primary WFConnection UpToDate/Outdated)");
}

constexpr const char* primary_and_lost = R"(
  primary 1
  < send 1 P_PING
  < send 101 P_STATE_CHG_REQ 3 1
  packet 1 StateReply 1
  < metadata superblock
  disk
  < volume-promoted
  < done 1 1
  < send 101 P_UUIDS
  < send 101 P_STATE
  write 1 0 4096
  < metadata activity-log
  disk
  < send 101 P_DATA 0 4096
  < disk-write 0 4096
  disk
  closed 1
  < close 101
  < close 1
)";

TEST(Fencing, StonithHoldsWritesUntilThePeerIsFenced) {
  for (const int exit_code : {4, 7}) {
    Transcript transcript(Transcript::Setup{.configure = with_stonith});
    transcript.play(attach);
    transcript.play(pair_up);
    transcript.play(connect_as_equals);
    transcript.play(std::string(primary_and_lost) + R"(
      < io-suspended
      < run fence-peer
      < metadata superblock
      disk
      = held 1)");
    transcript.play("handler " + std::to_string(exit_code) + R"(
      < metadata superblock
      disk
      < complete 1 0
      = Primary)");
  }
}

TEST(Fencing, AFailedHandlerKeepsWritesHeldUntilTheOperatorResumes) {
  Transcript transcript(Transcript::Setup{.configure = with_stonith});
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(std::string(primary_and_lost) + R"(
    < io-suspended
    < run fence-peer
    < metadata superblock
    disk
    handler -1
    = held 1
    suspend 2 off
    < io-resumed
    < done 2 1
    < metadata superblock
    disk
    < complete 1 0)");
}

TEST(Fencing, ResourceOnlyCallsTheHandlerAndGoesOn) {
  Transcript transcript(Transcript::Setup{.configure = resource_only});
  transcript.play(attach);
  transcript.play(pair_up);
  transcript.play(connect_as_equals);
  transcript.play(std::string(primary_and_lost) + R"(
    < run fence-peer
    < metadata superblock
    disk
    < complete 1 0
    handler 4
    < metadata superblock
    = UpToDate/Outdated)");
}

TEST(Fencing, ProtocolAUnderAClusterIsTakenOverOnlyWhenLossIsAccepted) {
  const auto asynchronous = [](Config& config) { config.options.net.protocol = drbd_config::Protocol::A; };
  Transcript refused(Transcript::Setup{.configure = asynchronous});
  refused.play(attach);
  refused.play(R"(
    in-sync 5 self peer
    promote 1
    < takeover-refused
    = accept-loss is not set)");
  Transcript accepted(Transcript::Setup{.configure = [&](Config& config) {
    asynchronous(config);
    config.accept_loss = true;
  }});
  accepted.play(attach);
  accepted.play(R"(
    in-sync 5 self peer
    promote 1
    < takeover-may-lose
    < metadata superblock
    disk
    < volume-promoted
    < shrink 5)");
}

}  // namespace
}  // namespace bascule::replication
