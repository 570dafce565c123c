#include "core/replication/detail/session/verdict.h"

#include "core/replication/detail/disk/generation.h"
#include "core/replication/detail/session/after_split_brain.h"

namespace bascule::replication::detail {
namespace {

using drbd::UuidDecision;
using Kind = Verdict::Kind;

constexpr const char* unrelated = "the peer's data is unrelated to ours: one of the two must be created anew";

Verdict refuse(Verdict verdict, std::string why) {
  verdict.kind = Kind::Refuse;
  verdict.text = std::move(why);
  return verdict;
}

/// The peer finds the same.
Verdict both_refuse(Verdict verdict, std::string why) {
  verdict.mutual = true;
  return refuse(std::move(verdict), std::move(why));
}

drbd::UuidVerdict compare(const Core& core) {
  drbd::UuidComparison comparison;
  comparison.own = uuid_set_of(core.superblock);
  comparison.peer = core.peer.uuids;
  comparison.own_crashed_primary = core.crashed_primary;
  comparison.peer_crashed_primary = (core.peer.uuid_flags & drbd::uuid_flag::kCrashedPrimary) != 0;
  comparison.own_role = core.role;
  comparison.peer_role = core.peer.role;
  comparison.resolve_conflicts = core.session.resolve_conflicts;
  comparison.agreed_version = core.session.agreed_version;
  comparison.feature_flags = core.session.feature_flags;
  return drbd::compare_uuids(comparison);
}

// ---- the rule ---------------------------------------------------------------------------------------------------

bool is_split_brain(UuidDecision decision) {
  return decision == UuidDecision::SplitBrainAutoRecover || decision == UuidDecision::SplitBrainDisconnect;
}

/// A generation that both have had. 8.4 also lets two empty history slots match (rule 100), and two that say "just
/// created", as they do after every first resync, which proves nothing. What
/// the operator or a policy asks for is done all the same, as by a kernel peer, with every block; the in-sync set,
/// whose decision nobody asked for, does not let a stranger's data be replaced.
bool have_common_history(const Verdict& verdict) {
  const auto same = [](std::uint64_t one, std::uint64_t other) {
    return (one | 1) > (drbd::kUuidJustCreated | 1) && (one | 1) == (other | 1);
  };
  const auto& own = verdict.own_uuids.history;
  const auto& peer = verdict.peer_uuids.history;
  return same(own[0], peer[0]) || same(own[0], peer[1]) || same(own[1], peer[0]) || same(own[1], peer[1]);
}

/// Is one of the bitmaps known to hold all that this split brain has made different? Not when the generations parted
/// before the one it counts from, and not when both were only ever forced to be UpToDate after create-md: 4 names no
/// common data (8.4 trusts the bitmap there).
bool bitmap_is_enough(UuidDecision decision, const Verdict& verdict) {
  return decision == UuidDecision::SplitBrainAutoRecover &&
         (verdict.own_uuids.bitmap & ~drbd::kUuidPrimaryBit) != drbd::kUuidJustCreated;
}

void swap_direction(Verdict& verdict) {
  if (verdict.kind == Kind::Source)
    verdict.kind = Kind::Target;
  else if (verdict.kind == Kind::Target)
    verdict.kind = Kind::Source;
}

/// The rule of the table, turned into source or target. A split brain is not decided by it: Refuse.
Verdict from_table(UuidDecision decision, Verdict verdict) {
  switch (decision) {
    case UuidDecision::NoSync:
      verdict.kind = Kind::NoSync;
      break;
    case UuidDecision::SourceSetBitmap:
    case UuidDecision::SourceUseBitmap:
      verdict.kind = Kind::Source;
      break;
    case UuidDecision::TargetSetBitmap:
    case UuidDecision::TargetUseBitmap:
      verdict.kind = Kind::Target;
      break;
    case UuidDecision::UnrelatedData:
      return both_refuse(verdict, unrelated);
    case UuidDecision::NeedsProtocol91:
    case UuidDecision::NeedsWriteSameFeature:
      return both_refuse(verdict,
                         "equal generations after a crash, with a Primary: the peer is too old to decide that");
    case UuidDecision::SplitBrainAutoRecover:
    case UuidDecision::SplitBrainDisconnect:
      verdict.full = !bitmap_is_enough(decision, verdict);
      break;
  }
  verdict.full |= decision == UuidDecision::SourceSetBitmap || decision == UuidDecision::TargetSetBitmap;
  return verdict;
}

// ---- the steps after it -----------------------------------------------------------------------------------------

/// Step 1: if exactly one side is Inconsistent the other one is the source. True if that decides.
bool prefer_consistent(const Core& core, Verdict& verdict) {
  const DiskState own = core.own_disk();
  const DiskState peer = core.peer.disk;
  const bool target = own == DiskState::Inconsistent && peer > DiskState::Inconsistent;
  const bool source = peer == DiskState::Inconsistent && own > DiskState::Inconsistent;
  if (!target && !source) return false;
  verdict.kind = target ? Kind::Target : Kind::Source;
  return true;
}

Verdict lose(Verdict verdict, Victim victim, const std::string& why) {
  verdict.kind = victim == Victim::Own ? Kind::Target : Kind::Source;
  verdict.text =
      "split brain: " + why +
      (victim == Victim::Own ? ", this node gives up what it wrote alone" : ", the peer gives up what it wrote alone");
  return verdict;
}

/// Step 2: the after-sb policy for the number of primaries.
SplitBrainOutcome by_policy(const Core& core, const Verdict& verdict) {
  SplitBrain situation;
  situation.own = {core.role, verdict.own_uuids.bitmap, core.told_dirty_bits};
  situation.peer = {core.peer.role, verdict.peer_uuids.bitmap, core.peer.dirty_bits};
  situation.resolve_conflicts = core.session.resolve_conflicts;
  return after_split_brain(core.config.options.net, situation);
}

/// Step 3: exactly one side gives its data up.
Victim by_discard(const Core& core) {
  const bool peer = (core.peer.uuid_flags & drbd::uuid_flag::kDiscardMyData) != 0;
  const bool own = discards_own_data(core);
  if (own == peer) return Victim::Nobody;
  return own ? Victim::Own : Victim::Peer;
}

/// Both sides have written on their own.
Verdict resolve_split_brain(const Core& core, UuidDecision decision, Verdict verdict) {
  const bool ambiguous = decision == UuidDecision::SplitBrainDisconnect;
  if (ambiguous && !core.operator_rules() && !have_common_history(verdict)) return both_refuse(verdict, unrelated);
  verdict.handlers.push_back("initial-split-brain");
  const bool may_use_policy = core.operator_rules() && (!ambiguous || core.config.options.net.always_asbp);
  const SplitBrainOutcome decided = may_use_policy ? by_policy(core, verdict) : SplitBrainOutcome{};
  if (decided.victim != Victim::Nobody) return lose(verdict, decided.victim, "by the after-sb policy");
  if (decided.call_pri_lost) {
    // For the peer the policy has decided: with discard-my-data there, both would be the source (as in 8.4).
    verdict.handlers.insert(verdict.handlers.end(), {"pri-lost-after-sb", "split-brain"});
    return refuse(verdict, "split brain: by the after-sb policy this Primary would have to give up what it wrote");
  }
  if (const Victim victim = by_discard(core); victim != Victim::Nobody)
    return lose(verdict, victim, core.operator_rules() ? "by discard-my-data" : "by the in-sync set");
  verdict.handlers.push_back("split-brain");
  return both_refuse(verdict,
                     core.operator_rules()
                         ? "split brain: both nodes wrote alone, and no policy says whose data counts"
                         : "split brain: both nodes wrote alone, and the in-sync set does not say whose data counts");
}

/// The in-sync set has the last word about the direction.
Verdict check_membership(const Core& core, Verdict verdict) {
  if (core.operator_rules() || !core.in_sync.known) return verdict;
  const bool own_inconsistent = core.own_disk() == DiskState::Inconsistent;
  if (verdict.kind == Kind::Source && !core.in_sync.self && core.in_sync.peer)
    return refuse(verdict, "this node would overwrite a member of the in-sync set, and is none itself");
  if (verdict.kind == Kind::Target && core.in_sync.self && !core.in_sync.peer && !own_inconsistent)
    return refuse(verdict, "the peer would overwrite this node, the only member of the in-sync set");
  return verdict;
}

/// Step 4: a Primary whose good data would be replaced (rr-conflict).
Verdict check_role_conflict(const Core& core, Verdict verdict) {
  using drbd_config::ResyncRoleConflict;
  const char* const why = "this node is Primary and would have to take the peer's data";
  if (!core.primary()) return verdict;
  if (!core.operator_rules()) return refuse(verdict, why);
  if (core.disk < DiskState::Consistent) return verdict;
  const ResyncRoleConflict policy = core.config.options.net.rr_conflict;
  if (policy == ResyncRoleConflict::violently) return verdict;
  if (policy == ResyncRoleConflict::call_pri_lost) verdict.handlers.push_back("pri-lost");
  return refuse(verdict, why);
}

Verdict check_direction(const Core& core, Verdict verdict) {
  if (verdict.kind == Kind::Source && core.own_disk() <= DiskState::Inconsistent)
    return refuse(verdict, "this node should be the source of a resync but is itself Inconsistent");
  if (verdict.kind == Kind::Target) verdict = check_role_conflict(core, std::move(verdict));
  return verdict.kind == Kind::Refuse ? verdict : check_membership(core, std::move(verdict));
}

/// Step 5: one of the two only wanted to know.
Verdict check_tentative(const Core& core, Verdict verdict) {
  const bool peer_asks = (core.peer.connection_flags & drbd::connection_flag::kDryRun) != 0;
  if (verdict.kind == Kind::Refuse || (!core.wish.tentative && !peer_asks)) return verdict;
  const char* const size = verdict.full ? " a full" : " a bitmap-based";
  const char* const role = verdict.kind == Kind::Source ? "SyncSource" : "SyncTarget";
  return refuse(verdict, "tentative: " +
                             (verdict.kind == Kind::NoSync
                                  ? std::string("no resync, they would be Connected at once")
                                  : "this node would become the " + std::string(role) + " of" + size + " resync") +
                             " (" + verdict.text + ")");
}

/// A Primary that has no disk has shown its applications a generation: nothing older may take its place.
Verdict without_a_disk(const Core& core, Verdict verdict) {
  const bool peer_has_one = core.peer.disk >= DiskState::Negotiating;
  const bool same = ((core.exposed_uuid ^ core.peer.uuids.current) & ~drbd::kUuidPrimaryBit) == 0;
  if (core.primary() && core.own_disk() < DiskState::Inconsistent && peer_has_one && !same)
    return refuse(verdict, "this diskless Primary can only connect to the data that it had before");
  verdict.kind = Kind::NoSync;
  verdict.text = "one of the nodes has no disk";
  return verdict;
}

bool two_primaries_refused(const Core& core) {
  return core.primary() && core.peer.role == Role::Primary &&
         !(core.operator_rules() && core.config.options.net.allow_two_primaries);
}

Verdict compare_data(const Core& core, Verdict verdict) {
  const drbd::UuidVerdict compared = compare(core);
  verdict.text = std::string("rule ") + std::to_string(compared.rule) + " " + compared.name;
  if (compared.own_repaired) verdict.own_uuids = *compared.own_repaired;
  if (compared.peer_repaired) verdict.peer_uuids = *compared.peer_repaired;
  const UuidDecision decision = compared.decision;
  verdict = from_table(decision, std::move(verdict));
  if (core.canary_set(canary::kWrongSource)) swap_direction(verdict);
  const bool split = is_split_brain(decision);
  if (verdict.kind == Kind::Refuse && !split) return verdict;
  if (prefer_consistent(core, verdict)) {
    if (split) verdict.handlers.push_back("initial-split-brain");
  } else if (split) {
    verdict = resolve_split_brain(core, decision, std::move(verdict));
  }
  return verdict.kind == Kind::Refuse ? verdict : check_direction(core, std::move(verdict));
}

}  // namespace

bool discards_own_data(const Core& core) {
  if (core.wish.discard_my_data) return true;
  return !core.operator_rules() && core.in_sync.known && !core.in_sync.self && !core.primary();
}

Verdict decide(const Core& core) {
  Verdict verdict;
  verdict.own_uuids = uuid_set_of(core.superblock);
  verdict.peer_uuids = core.peer.uuids;
  if (!core.operator_rules() && two_primaries_refused(core))
    return refuse(verdict, "both nodes are Primary: the peer must be demoted first");
  const bool both_have_disks = core.own_disk() >= DiskState::Inconsistent && core.peer.disk >= DiskState::Negotiating;
  verdict = both_have_disks ? compare_data(core, std::move(verdict)) : without_a_disk(core, std::move(verdict));
  verdict = check_tentative(core, std::move(verdict));
  if (verdict.kind != Kind::Refuse && two_primaries_refused(core))
    return refuse(verdict, "both nodes are Primary and allow-two-primaries is not configured");
  return verdict;
}

}  // namespace bascule::replication::detail
