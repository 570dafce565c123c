#include <gtest/gtest.h>

#include <set>

#include "base/prng.h"
#include "core/replication/detail/disk/generation.h"
#include "core/replication/detail/session/verdict.h"
#include "core/replication/testing/two_verdicts.h"

namespace bascule::replication {
namespace {

using namespace testing;  // NOLINT: the walk is made of it
using drbd::DiskState;
using drbd::Role;
using Kind = detail::Verdict::Kind;

/// Two nodes that write alone, crash, are demoted, connect, resync, and lose the connection in the middle of that. Only
/// what decides the next handshake is kept.
class Walk {
 public:
  explicit Walk(std::uint64_t seed) : prng_(seed), alice_(made(seed)), bob_(made(seed + 1'000'000)) {}

  void step() {
    detail::Core& node = prng_.chance(1, 2) ? alice_ : bob_;
    switch (prng_.below(5)) {
      case 0:
        return node.role == Role::Primary ? demote(node) : promote(node);
      case 1:
        return write_alone(node);
      case 2:
        return crash(node);
      default:
        return connect();
    }
  }

  std::set<std::string> rules;  ///< that were seen
  int resyncs = 0;

 private:
  detail::Core made(std::uint64_t seed) {
    Config config;
    config.authority = Authority::Operator;
    config.seed = seed;
    drbd_metadata::Superblock superblock;
    superblock.current_uuid = drbd::kUuidJustCreated;
    superblock.effective_sectors = 1024;
    detail::Core core(config, superblock, Instant{});
    core.effects = &effects_;
    core.disk = DiskState::Inconsistent;
    return core;
  }

  void promote(detail::Core& node) {
    const bool forced = node.disk != DiskState::UpToDate;
    if (forced && !prng_.chance(1, 4)) return;
    node.disk = DiskState::UpToDate;
    node.role = Role::Primary;
    if (forced || detail::new_generation_due(node)) detail::new_generation(node);
    detail::mark_primary_bit(node, true);
  }
  void demote(detail::Core& node) {
    node.role = Role::Secondary;
    detail::mark_primary_bit(node, false);
  }
  void write_alone(detail::Core& node) {
    if (detail::new_generation_due(node)) detail::new_generation(node);
    if (node.role == Role::Primary) node.bitmap.set(0, 1 + prng_.below(node.bitmap.size()));
  }
  void crash(detail::Core& node) {
    if (node.role == Role::Primary && node.disk == DiskState::UpToDate) node.crashed_primary = true;
    demote(node);
  }

  static void tell(const detail::Core& from, detail::Core& to, bool discard) {
    to.peer = detail::PeerView{};
    to.peer.role = from.role;
    to.peer.disk = from.disk;
    to.peer.uuids = detail::uuid_set_of(from.superblock);
    to.peer.dirty_bits = from.bitmap.count();
    if (from.crashed_primary) to.peer.uuid_flags |= drbd::uuid_flag::kCrashedPrimary;
    if (discard) to.peer.uuid_flags |= drbd::uuid_flag::kDiscardMyData;
  }

  void agree_on_options() {
    drbd_config::Net net;
    net.after_sb_0pri = static_cast<drbd_config::AfterSplitBrain0>(prng_.below(5));
    net.after_sb_1pri = static_cast<drbd_config::AfterSplitBrain1>(prng_.below(5));
    net.after_sb_2pri = static_cast<drbd_config::AfterSplitBrain2>(prng_.below(3));
    net.always_asbp = prng_.chance(1, 2);
    net.allow_two_primaries = prng_.chance(1, 2);
    net.rr_conflict = static_cast<drbd_config::ResyncRoleConflict>(prng_.below(3));
    const bool alice_accepted_meta = prng_.chance(1, 2);
    for (detail::Core* node : {&alice_, &bob_}) {
      node->config.options.net = net;
      node->session.agreed_version = 101;
      node->session.feature_flags = drbd::feature::kWriteSame;
      node->session.resolve_conflicts = (node == &alice_) == alice_accepted_meta;
      node->told_dirty_bits = node->bitmap.count();
      node->wish.discard_my_data = prng_.chance(1, 8);
    }
  }

  void connect() {
    agree_on_options();
    tell(alice_, bob_, alice_.wish.discard_my_data);
    tell(bob_, alice_, bob_.wish.discard_my_data);
    const detail::Verdict alice = decide(alice_);
    const detail::Verdict bob = decide(bob_);
    const std::string what = alice.text + " / " + bob.text;
    rules.insert(alice.text);
    ASSERT_FALSE(alice.kind == Kind::Source && bob.kind == Kind::Source) << what;
    if (alice.kind == Kind::Refuse || bob.kind == Kind::Refuse) return;
    ASSERT_EQ(alice.full, bob.full) << what;
    ASSERT_EQ(alice.kind == Kind::NoSync, bob.kind == Kind::NoSync) << what;
    ASSERT_TRUE(alice.kind == Kind::NoSync || alice.kind != bob.kind) << what;
    ASSERT_EQ(alice.own_uuids, bob.peer_uuids) << what;
    ASSERT_EQ(bob.own_uuids, alice.peer_uuids) << what;
    detail::adopt(alice_.superblock, alice.own_uuids);
    detail::adopt(bob_.superblock, bob.own_uuids);
    if (alice.kind == Kind::NoSync) return equal();
    alice_.peer.uuids = alice.peer_uuids;
    bob_.peer.uuids = bob.peer_uuids;
    alice.kind == Kind::Source ? resync(alice_, bob_) : resync(bob_, alice_);
  }

  void equal() {
    if (alice_.disk == DiskState::Inconsistent) return;
    alice_.crashed_primary = bob_.crashed_primary = false;
    alice_.bitmap.clear_all();
    bob_.bitmap.clear_all();
  }

  /// It may end, for one of the two or for both, after each step.
  void resync(detail::Core& source, detail::Core& target) {
    ++resyncs;
    const std::uint64_t reached = prng_.below(5);
    if (reached == 0) return;
    detail::begin_resync_as_source(source);
    if (reached == 1) return;  // SYNC_UUID is lost
    detail::begin_resync_as_target(target, source.superblock.bitmap_uuid);
    target.disk = DiskState::Inconsistent;
    if (reached == 2) return;
    detail::end_resync_as_target(target);
    target.disk = DiskState::UpToDate;
    target.crashed_primary = false;
    target.bitmap.clear_all();
    if (target.role == Role::Primary) detail::mark_primary_bit(target, true);
    if (reached == 3) return;  // the source misses the end
    detail::end_resync_as_source(source);
    equal();
  }

  Prng prng_;
  Effects effects_;
  detail::Core alice_;
  detail::Core bob_;
};

TEST(VerdictWalk, InEveryStateTheTwoVerdictsMirrorEachOther) {
  std::set<std::string> rules;
  int resyncs = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(seed);
    for (int i = 0; i < 200; ++i) {
      walk.step();
      if (HasFatalFailure()) return;
    }
    rules.merge(walk.rules);
    resyncs += walk.resyncs;
  }
  EXPECT_GT(resyncs, 3'000);
  // All but those of the history alone (60, 80): two nodes by themselves come there only by the restore of an old
  // image.
  for (const char* rule : {"rule 10 ", "rule 20 ", "rule 30 ", "rule 34 ", "rule 35 ", "rule 40 ", "rule 41 ",
                           "rule 50 ", "rule 51 ", "rule 70 ", "rule 71 ", "split brain: "}) {
    const auto found = rules.lower_bound(rule);
    EXPECT_TRUE(found != rules.end() && found->starts_with(rule)) << rule << "was never met";
  }
}

}  // namespace
}  // namespace bascule::replication
