#pragma once

#include <string>

#include "core/replication/detail/session/verdict.h"

/// For the tests of the decision: two nodes as they know each other when both have told everything.
namespace bascule::replication::testing {

struct VerdictNode {
  drbd::UuidSet uuids{0xa0, 0, {}};
  drbd::DiskState disk = drbd::DiskState::UpToDate;
  drbd::Role role = drbd::Role::Secondary;
  bool crashed = false;
  bool discard_my_data = false;
  std::uint64_t changed_bits = 0;
  bool member = true;  ///< of the in-sync set; Authority::Cluster only
};

struct VerdictPair {
  VerdictNode alice;
  VerdictNode bob;
  drbd_config::Net net;  ///< Alice's; Bob has the mirror image
  Authority authority = Authority::Operator;
  bool bob_resolves_conflicts = false;

  [[nodiscard]] detail::Verdict alice_decides() const { return detail::decide(core_of(alice, bob, net, false)); }
  [[nodiscard]] detail::Verdict bob_decides() const {
    using drbd_config::AfterSplitBrain0;
    drbd_config::Net mirrored = net;
    if (net.after_sb_0pri == AfterSplitBrain0::discard_local) mirrored.after_sb_0pri = AfterSplitBrain0::discard_remote;
    if (net.after_sb_0pri == AfterSplitBrain0::discard_remote) mirrored.after_sb_0pri = AfterSplitBrain0::discard_local;
    return detail::decide(core_of(bob, alice, mirrored, true));
  }

 private:
  [[nodiscard]] detail::Core core_of(const VerdictNode& own, const VerdictNode& peer, const drbd_config::Net& options,
                                     bool is_bob) const {
    Config config;
    config.authority = authority;
    config.options.net = options;
    drbd_metadata::Superblock superblock;
    superblock.current_uuid = own.uuids.current;
    superblock.bitmap_uuid = own.uuids.bitmap;
    superblock.history_uuids = own.uuids.history;
    detail::Core core(config, superblock, Instant{});
    core.disk = own.disk;
    core.role = own.role;
    core.crashed_primary = own.crashed;
    core.told_dirty_bits = own.changed_bits;
    core.wish.discard_my_data = own.discard_my_data;
    core.session.resolve_conflicts = is_bob == bob_resolves_conflicts;
    core.session.agreed_version = 101;
    core.session.feature_flags = drbd::feature::kWriteSame;
    core.in_sync = {authority == Authority::Cluster, 1, own.member, peer.member, false};
    core.peer.role = peer.role;
    core.peer.disk = peer.disk;
    core.peer.uuids = peer.uuids;
    core.peer.dirty_bits = peer.changed_bits;
    if (peer.crashed) core.peer.uuid_flags |= drbd::uuid_flag::kCrashedPrimary;
    const bool cluster_discards = authority == Authority::Cluster && !peer.member && peer.role != drbd::Role::Primary;
    if (peer.discard_my_data || cluster_discards) core.peer.uuid_flags |= drbd::uuid_flag::kDiscardMyData;
    return core;
  }
};

/// "source", "target full", "no sync", "refuse".
inline std::string text_of(const detail::Verdict& verdict) {
  using Kind = detail::Verdict::Kind;
  if (verdict.kind == Kind::Refuse) return "refuse";
  if (verdict.kind == Kind::NoSync) return "no sync";
  return std::string(verdict.kind == Kind::Source ? "source" : "target") + (verdict.full ? " full" : "");
}

}  // namespace bascule::replication::testing
