#pragma once

#include <string>

#include "base/prng.h"
#include "wire/cluster_message/message.h"

/// Random messages for the tests and the fuzz target.
namespace bascule::message::samples {

inline constexpr int command_kinds = static_cast<int>(std::variant_size_v<Command>);
inline constexpr int message_kinds = static_cast<int>(std::variant_size_v<Message>);

inline std::string word(Prng& prng) {
  static const char* const words[] = {"",           "alice", "bob", "data", "shop", "Bücher", "quote\" back\\slash",
                                      "line\nbreak"};
  return words[prng.below(std::size(words))];
}
inline bool flag(Prng& prng) { return prng.chance(1, 2); }
inline std::uint64_t number(Prng& prng) { return prng.next() >> prng.below(64); }

inline Command command(Prng& prng, int kind) {
  switch (kind) {
    case 0:
      return SetStandby{word(prng), flag(prng), flag(prng)};
    case 1:
      return SetTarget{word(prng), flag(prng)};
    case 2:
      return MoveService{word(prng), word(prng)};
    case 3:
      return HoldVolume{word(prng), word(prng)};
    case 4:
      return ClearFailures{word(prng), word(prng), number(prng)};
    case 5:
      return InitialiseVolume{word(prng), word(prng)};
    case 6:
      return GrantOwnership{word(prng),   word(prng),   word(prng), word(prng),
                            number(prng), number(prng), word(prng), number(prng)};
    case 7:
      return RequestStop{word(prng), number(prng), word(prng)};
    case 8:
      return ReleaseOwnership{word(prng), word(prng), number(prng), number(prng)};
    case 9:
      return ShrinkInSync{word(prng), number(prng), number(prng), word(prng)};
    case 10:
      return GrowInSync{word(prng), number(prng), number(prng), word(prng)};
    case 11:
      return SetRestartLease{word(prng), number(prng), number(prng)};
    case 13:
      return SetMaintenance{word(prng), flag(prng), word(prng), word(prng), number(prng), number(prng)};
    case 14:
      return AgeMaintenance{word(prng), number(prng), number(prng)};
    case 15:
      return RestartService{word(prng), word(prng)};
    case 16:
      return RestartDone{word(prng), number(prng), number(prng)};
    case 17:
      return SetHalt{flag(prng), word(prng)};
    case 18:
      return SetConfig{number(prng), flag(prng), word(prng), word(prng), word(prng), number(prng), number(prng)};
    case 19:
      return IssueToken{word(prng), word(prng), number(prng), number(prng), word(prng)};
    case 20:
      return UseToken{word(prng), number(prng), word(prng)};
    case 21:
      return UpdateAttributes{word(prng), flag(prng), {{"pingd", word(prng)}, {word(prng), "1"}}, {word(prng)}};
    case 22:
      return NoteBoot{word(prng), word(prng)};
    case 23:
      return RequestFencing{word(prng), word(prng), number(prng), word(prng)};
    case 24:
      return RecordFencing{word(prng), word(prng), number(prng), word(prng),  flag(prng),
                           word(prng), word(prng), number(prng), number(prng)};
    case 25:
      return FenceByHand{word(prng), word(prng), word(prng)};
    case 26:
      return RecordFenceTest{word(prng), word(prng), word(prng), flag(prng), word(prng), number(prng), number(prng)};
    case 27:
      return SayGoodbye{word(prng), flag(prng)};
    default:
      return RecordFailure{word(prng), word(prng), number(prng), flag(prng),  word(prng),
                           word(prng), word(prng), word(prng),   number(prng)};
  }
}

inline Proposal proposal(Prng& prng, int kind) { return {number(prng), word(prng), command(prng, kind)}; }

inline ServiceReport service_report(Prng& prng) {
  ServiceReport report{word(prng), number(prng), "Started", word(prng), {}};
  for (auto count = prng.below(4); count > 0; --count)
    report.steps.push_back({word(prng), word(prng), prng.between(-1, 99999), prng.between(-1, 99999), word(prng)});
  return report;
}

inline VolumeReport volume_report(Prng& prng) {
  VolumeReport report;
  report.name = word(prng), report.epoch = number(prng), report.attached = flag(prng), report.role = "Primary";
  report.connection = word(prng), report.disk = "UpToDate", report.peer_disk = word(prng);
  report.just_created = flag(prng), report.size_bytes = number(prng), report.out_of_sync_bytes = number(prng);
  report.resync_done_bytes = number(prng), report.resync_total_bytes = number(prng);
  report.writes_acknowledged = number(prng), report.writes_held = static_cast<std::uint32_t>(prng.next());
  report.device = word(prng), report.why = word(prng);
  return report;
}

inline NodeReport node_report(Prng& prng) {
  NodeReport report{word(prng), number(prng), static_cast<std::int64_t>(prng.next()), number(prng), {}, {}};
  for (auto count = prng.below(4); count > 0; --count) report.services.push_back(service_report(prng));
  for (auto count = prng.below(4); count > 0; --count) report.volumes.push_back(volume_report(prng));
  return report;
}

inline LeaseGrant lease_grant(Prng& prng) {
  LeaseGrant grant{number(prng),           number(prng), static_cast<std::int64_t>(prng.next()),
                   prng.between(-5, 5000), number(prng), {}};
  for (auto count = prng.below(5); count > 0; --count) grant.leases.push_back({word(prng), number(prng)});
  return grant;
}

inline HistoryReply history_reply(Prng& prng) {
  HistoryReply reply{
      static_cast<std::int64_t>(prng.next()), static_cast<std::int64_t>(prng.next()), number(prng), number(prng), {}};
  for (auto count = prng.below(5); count > 0; --count)
    reply.events.push_back({number(prng), word(prng), 1, 2, word(prng), word(prng), word(prng), {{word(prng), "x"}}});
  return reply;
}

inline Notice notice(Prng& prng) {
  Notice notice{number(prng), word(prng), word(prng), "pre", "promote", flag(prng), {}, {}};
  for (auto count = prng.below(4); count > 0; --count)
    notice.copies.push_back({word(prng), static_cast<std::uint32_t>(prng.next()), flag(prng), flag(prng), flag(prng)});
  for (auto count = prng.below(4); count > 0; --count) notice.nodes.push_back({word(prng), flag(prng)});
  return notice;
}

inline Message message(Prng& prng, int kind) {
  switch (kind) {
    case 0: {
      Consensus consensus;
      for (auto count = prng.below(300); count > 0; --count) consensus.body.push_back(static_cast<Byte>(prng.next()));
      return consensus;
    }
    case 1:
      return node_report(prng);
    case 2:
      return LeaseRequest{word(prng), number(prng), static_cast<std::int64_t>(prng.next())};
    case 3:
      return lease_grant(prng);
    case 4:
      return Forward{proposal(prng, static_cast<int>(prng.below(command_kinds)))};
    case 5:
      return HistoryRequest{number(prng), static_cast<std::int64_t>(prng.next())};
    case 6:
      return history_reply(prng);
    case 7:
      return notice(prng);
    case 8:
      return NoticeDone{number(prng)};
    default:
      return ForwardReply{number(prng), flag(prng), word(prng)};
  }
}

}  // namespace bascule::message::samples
