#include "core/replication/detail/verdict.h"

#include "core/replication/detail/generation.h"

namespace bascule::replication::detail {
namespace {

using drbd::UuidDecision;

Verdict refuse(Verdict verdict, std::string why) {
  verdict.kind = Verdict::Kind::Refuse;
  verdict.text = std::move(why);
  return verdict;
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
  // Rule 41 needs it; the feature itself (WRITE_SAME) is never offered.
  comparison.feature_flags = drbd::feature::kWriteSame;
  return drbd::compare_uuids(comparison);
}

/// The rule of the table, turned into source or target.
Verdict from_table(const Core& core, UuidDecision decision, Verdict verdict) {
  switch (decision) {
    case UuidDecision::NoSync:
      verdict.kind = Verdict::Kind::NoSync;
      break;
    case UuidDecision::SourceSetBitmap:
      verdict.full = true;
      [[fallthrough]];
    case UuidDecision::SourceUseBitmap:
      verdict.kind = Verdict::Kind::Source;
      break;
    case UuidDecision::TargetSetBitmap:
      verdict.full = true;
      [[fallthrough]];
    case UuidDecision::TargetUseBitmap:
      verdict.kind = Verdict::Kind::Target;
      break;
    case UuidDecision::UnrelatedData:
      return refuse(verdict, "the peer's data is unrelated to ours: one of the two must be created anew");
    case UuidDecision::NeedsProtocol91:
    case UuidDecision::NeedsWriteSameFeature:
      return refuse(verdict, "the peer is too old for this situation");
    case UuidDecision::SplitBrainAutoRecover:
    case UuidDecision::SplitBrainDisconnect:
      break;
  }
  (void)core;
  return verdict;
}

bool is_split_brain(UuidDecision decision) {
  return decision == UuidDecision::SplitBrainAutoRecover || decision == UuidDecision::SplitBrainDisconnect;
}

/// A generation that both have had. 8.4 also lets two empty history slots match; that proves nothing.
bool have_common_history(const Verdict& verdict) {
  const auto same = [](std::uint64_t one, std::uint64_t other) { return one > 1 && (one | 1) == (other | 1); };
  const auto& own = verdict.own_uuids.history;
  const auto& peer = verdict.peer_uuids.history;
  return same(own[0], peer[0]) || same(own[0], peer[1]) || same(own[1], peer[0]) || same(own[1], peer[1]);
}

/// Both sides have written on their own. Who has left the in-sync set gives way; else nobody does.
Verdict resolve_split_brain(const Core& core, UuidDecision decision, Verdict verdict) {
  if (decision == UuidDecision::SplitBrainDisconnect && !have_common_history(verdict))
    return refuse(verdict, "the peer's data is unrelated to ours: one of the two must be created anew");
  const bool peer_discards = (core.peer.uuid_flags & drbd::uuid_flag::kDiscardMyData) != 0;
  const bool self_discards = discards_own_data(core);
  verdict.full = decision == UuidDecision::SplitBrainDisconnect;
  if (self_discards && !peer_discards) {
    verdict.kind = Verdict::Kind::Target;
    verdict.text = "split brain: this node is not in the in-sync set and gives up what it wrote alone";
    return verdict;
  }
  if (peer_discards && !self_discards) {
    verdict.kind = Verdict::Kind::Source;
    verdict.text = "split brain: the peer gives up what it wrote alone";
    return verdict;
  }
  return refuse(verdict, "split brain: both nodes wrote alone, and the in-sync set does not say whose data counts");
}

/// If exactly one side is Inconsistent the other one is the source.
void prefer_consistent(const Core& core, Verdict& verdict) {
  const bool own_inconsistent = core.disk == DiskState::Inconsistent;
  const bool peer_inconsistent = core.peer.disk == DiskState::Inconsistent;
  if (own_inconsistent && core.peer.disk > DiskState::Inconsistent) verdict.kind = Verdict::Kind::Target;
  if (peer_inconsistent && core.disk > DiskState::Inconsistent) verdict.kind = Verdict::Kind::Source;
}

/// The in-sync set has the last word about the direction.
Verdict check_membership(const Core& core, Verdict verdict) {
  if (!core.in_sync.known) return verdict;
  const bool own_inconsistent = core.disk == DiskState::Inconsistent;
  if (verdict.kind == Verdict::Kind::Source && !core.in_sync.self && core.in_sync.peer)
    return refuse(verdict, "this node would overwrite a member of the in-sync set, and is none itself");
  if (verdict.kind == Verdict::Kind::Target && core.in_sync.self && !core.in_sync.peer && !own_inconsistent)
    return refuse(verdict, "the peer would overwrite this node, the only member of the in-sync set");
  return verdict;
}

Verdict check_direction(const Core& core, Verdict verdict) {
  if (verdict.kind == Verdict::Kind::Source && core.disk <= DiskState::Inconsistent)
    return refuse(verdict, "this node should be the source of a resync but is itself Inconsistent");
  if (verdict.kind == Verdict::Kind::Target && core.primary())
    return refuse(verdict, "this node is Primary and would have to take the peer's data");
  return check_membership(core, verdict);
}

}  // namespace

bool discards_own_data(const Core& core) { return core.in_sync.known && !core.in_sync.self && !core.primary(); }

Verdict decide(const Core& core) {
  Verdict verdict;
  verdict.own_uuids = uuid_set_of(core.superblock);
  verdict.peer_uuids = core.peer.uuids;
  if (core.primary() && core.peer.role == Role::Primary)
    return refuse(verdict, "both nodes are Primary: the peer must be demoted first");
  if (!core.disk_usable() || core.peer.disk < DiskState::Negotiating) {
    verdict.kind = Verdict::Kind::NoSync;
    verdict.text = "one of the nodes has no disk";
    return verdict;
  }
  const drbd::UuidVerdict compared = compare(core);
  verdict.text = std::string("rule ") + std::to_string(compared.rule) + " " + compared.name;
  if (compared.own_repaired) verdict.own_uuids = *compared.own_repaired;
  if (compared.peer_repaired) verdict.peer_uuids = *compared.peer_repaired;
  verdict = is_split_brain(compared.decision) ? resolve_split_brain(core, compared.decision, verdict)
                                              : from_table(core, compared.decision, verdict);
  if (verdict.kind == Verdict::Kind::Refuse) return verdict;
  prefer_consistent(core, verdict);
  return check_direction(core, verdict);
}

}  // namespace bascule::replication::detail
