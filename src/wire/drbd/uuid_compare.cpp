#include "wire/drbd/uuid_compare.h"

namespace bascule::drbd {
namespace {

using Outcome = std::optional<UuidVerdict>;

/// Bit 0 says "was Primary" and never takes part in a comparison.
constexpr std::uint64_t masked(std::uint64_t uuid) { return uuid & ~kUuidPrimaryBit; }
constexpr bool same(std::uint64_t one, std::uint64_t other) { return masked(one) == masked(other); }
constexpr bool just_created(std::uint64_t uuid) { return masked(uuid) == kUuidJustCreated; }
constexpr bool never_used(std::uint64_t uuid) { return just_created(uuid) || masked(uuid) == 0; }

bool same_current(const UuidComparison& in) { return same(in.own.current, in.peer.current); }
bool any_crashed(const UuidComparison& in) { return in.own_crashed_primary || in.peer_crashed_primary; }
bool any_primary(const UuidComparison& in) { return in.own_role == Role::Primary || in.peer_role == Role::Primary; }

Outcome decide(UuidDecision decision) { return UuidVerdict{.decision = decision}; }
/// Repairs of version 91 are refused with an older peer.
Outcome decide_91(const UuidComparison& in, UuidVerdict verdict) {
  return in.agreed_version < 91 ? decide(UuidDecision::NeedsProtocol91) : verdict;
}

/// The set after its source noticed the end of a resync.
UuidSet bitmap_to_history(UuidSet set) {
  set.history = {set.bitmap, set.history[0]};
  set.bitmap = 0;
  return set;
}

/// The set before a SYNC_UUID that never arrived.
UuidSet history_to_bitmap(UuidSet set) {
  set.bitmap = set.history[0];
  set.history[0] = set.history[1];
  return set;
}

/// The source's bitmap UUID is what a resync that started from history[0] would have made of it.
bool sync_uuid_lost(const UuidComparison& in, const UuidSet& source, const UuidSet& target) {
  if (in.agreed_version < 96) return same(target.history[0], source.history[1]);
  return masked(source.history[0]) + kUuidNewBitmapOffset == masked(source.bitmap);
}

bool in_history(std::uint64_t uuid, const UuidSet& set) {
  return same(uuid, set.history[0]) || same(uuid, set.history[1]);
}

Outcome rule_10(const UuidComparison& in) {
  if (!just_created(in.own.current) || !just_created(in.peer.current)) return std::nullopt;
  return decide(UuidDecision::NoSync);
}

Outcome rule_20(const UuidComparison& in) {
  if (!never_used(in.own.current) || just_created(in.peer.current)) return std::nullopt;
  return decide(UuidDecision::TargetSetBitmap);
}

Outcome rule_30(const UuidComparison& in) {
  if (!never_used(in.peer.current) || just_created(in.own.current)) return std::nullopt;
  return decide(UuidDecision::SourceSetBitmap);
}

bool own_kept_bitmap_uuid(const UuidComparison& in) {
  return same_current(in) && in.peer.bitmap == 0 && in.own.bitmap != 0;
}
bool peer_kept_bitmap_uuid(const UuidComparison& in) {
  return same_current(in) && in.own.bitmap == 0 && in.peer.bitmap != 0;
}

Outcome rule_34(const UuidComparison& in) {
  const bool missed_end = own_kept_bitmap_uuid(in) && same(in.own.bitmap, in.peer.history[0]) &&
                          same(in.own.history[0], in.peer.history[1]);
  if (!missed_end) return std::nullopt;
  return decide_91(in, {.decision = UuidDecision::SourceUseBitmap, .own_repaired = bitmap_to_history(in.own)});
}

Outcome rule_36(const UuidComparison& in) {
  if (!own_kept_bitmap_uuid(in)) return std::nullopt;
  return decide_91(in, {.decision = UuidDecision::SourceUseBitmap});
}

Outcome rule_35(const UuidComparison& in) {
  const bool missed_end = peer_kept_bitmap_uuid(in) && same(in.own.history[0], in.peer.bitmap) &&
                          same(in.own.history[1], in.peer.history[0]);
  if (!missed_end) return std::nullopt;
  return decide_91(in, {.decision = UuidDecision::TargetUseBitmap, .peer_repaired = bitmap_to_history(in.peer)});
}

Outcome rule_37(const UuidComparison& in) {
  if (!peer_kept_bitmap_uuid(in)) return std::nullopt;
  return decide_91(in, {.decision = UuidDecision::TargetUseBitmap});
}

Outcome rule_40_no_crash(const UuidComparison& in) {
  if (!same_current(in) || any_crashed(in)) return std::nullopt;
  return decide(UuidDecision::NoSync);
}

Outcome rule_41(const UuidComparison& in) {
  if (!same_current(in) || !any_crashed(in) || !any_primary(in)) return std::nullopt;
  if ((in.feature_flags & feature::kWriteSame) == 0) return decide(UuidDecision::NeedsWriteSameFeature);
  if (in.own_role == in.peer_role) return decide(UuidDecision::SplitBrainDisconnect);
  return decide(in.own_role == Role::Primary ? UuidDecision::SourceUseBitmap : UuidDecision::TargetUseBitmap);
}

Outcome rule_40_crash(const UuidComparison& in) {
  if (!same_current(in)) return std::nullopt;
  const bool own_is_source = in.own_crashed_primary && (!in.peer_crashed_primary || !in.resolve_conflicts);
  return decide(own_is_source ? UuidDecision::SourceUseBitmap : UuidDecision::TargetUseBitmap);
}

Outcome rule_50(const UuidComparison& in) {
  if (!same(in.own.current, in.peer.bitmap)) return std::nullopt;
  return decide(UuidDecision::TargetUseBitmap);
}

Outcome rule_51(const UuidComparison& in) {
  if (!same(in.own.current, in.peer.history[0]) || !sync_uuid_lost(in, in.peer, in.own)) return std::nullopt;
  return decide_91(in, {.decision = UuidDecision::TargetUseBitmap, .peer_repaired = history_to_bitmap(in.peer)});
}

Outcome rule_60(const UuidComparison& in) {
  if (!in_history(in.own.current, in.peer)) return std::nullopt;
  return decide(UuidDecision::TargetSetBitmap);
}

Outcome rule_70(const UuidComparison& in) {
  if (!same(in.own.bitmap, in.peer.current)) return std::nullopt;
  return decide(UuidDecision::SourceUseBitmap);
}

Outcome rule_71(const UuidComparison& in) {
  if (!same(in.own.history[0], in.peer.current) || !sync_uuid_lost(in, in.own, in.peer)) return std::nullopt;
  return decide_91(in, {.decision = UuidDecision::SourceUseBitmap, .own_repaired = history_to_bitmap(in.own)});
}

Outcome rule_80(const UuidComparison& in) {
  if (!in_history(in.peer.current, in.own)) return std::nullopt;
  return decide(UuidDecision::SourceSetBitmap);
}

Outcome rule_90(const UuidComparison& in) {
  if (masked(in.own.bitmap) == 0 || !same(in.own.bitmap, in.peer.bitmap)) return std::nullopt;
  return decide(UuidDecision::SplitBrainAutoRecover);
}

/// 8.4 also lets two empty history slots match, and so do we: both ends must come to the same verdict.
Outcome rule_100(const UuidComparison& in) {
  if (!in_history(in.own.history[0], in.peer) && !in_history(in.own.history[1], in.peer)) return std::nullopt;
  return decide(UuidDecision::SplitBrainDisconnect);
}

constexpr UuidRule kRules[] = {
    {10, "just-created-both", rule_10},
    {20, "just-created-self", rule_20},
    {30, "just-created-peer", rule_30},
    {34, "sync-source-missed-finish", rule_34},
    {36, "sync-source-missed-finish-unknown-history", rule_36},
    {35, "sync-target-peer-missed-finish", rule_35},
    {37, "sync-target-peer-missed-finish-unknown-history", rule_37},
    {40, "no-crash", rule_40_no_crash},
    {41, "crashed-primary-with-primary", rule_41},
    {40, "crashed-primary", rule_40_crash},
    {50, "bitmap-peer", rule_50},
    {51, "lost-sync-uuid-peer", rule_51},
    {60, "history-peer", rule_60},
    {70, "bitmap-self", rule_70},
    {71, "lost-sync-uuid-self", rule_71},
    {80, "history-self", rule_80},
    {90, "bitmap-both", rule_90},
    {100, "history-both", rule_100},
};

}  // namespace

std::span<const UuidRule> uuid_rules() { return kRules; }

UuidVerdict compare_uuids(const UuidComparison& input) {
  for (const UuidRule& rule : kRules) {
    Outcome outcome = rule.apply(input);
    if (!outcome) continue;
    outcome->rule = rule.number;
    outcome->name = rule.name;
    return *outcome;
  }
  return {.decision = UuidDecision::UnrelatedData, .rule = 0, .name = "unrelated-data"};
}

const char* name_of(UuidDecision decision) {
  switch (decision) {
    case UuidDecision::NoSync:
      return "no-sync";
    case UuidDecision::SourceUseBitmap:
      return "source-use-bitmap";
    case UuidDecision::SourceSetBitmap:
      return "source-set-bitmap";
    case UuidDecision::TargetUseBitmap:
      return "target-use-bitmap";
    case UuidDecision::TargetSetBitmap:
      return "target-set-bitmap";
    case UuidDecision::SplitBrainAutoRecover:
      return "split-brain-auto-recover";
    case UuidDecision::SplitBrainDisconnect:
      return "split-brain-disconnect";
    case UuidDecision::UnrelatedData:
      return "unrelated-data";
    case UuidDecision::NeedsProtocol91:
      return "needs-protocol-91";
    case UuidDecision::NeedsWriteSameFeature:
      return "needs-write-same-feature";
  }
  return "?";
}

}  // namespace bascule::drbd
