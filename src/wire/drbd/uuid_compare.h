#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "wire/drbd/packets.h"

namespace bascule::drbd {

/// The generation identifiers of one side. Bit 0 is ignored in comparisons.
struct UuidSet {
  std::uint64_t current = 0;
  std::uint64_t bitmap = 0;
  std::array<std::uint64_t, 2> history{};
  friend bool operator==(const UuidSet&, const UuidSet&) = default;
};

/// Everything the comparison looks at.
struct UuidComparison {
  UuidSet own;
  UuidSet peer;
  bool own_crashed_primary = false;
  bool peer_crashed_primary = false;  ///< uuid_flag::kCrashedPrimary of the peer
  Role own_role = Role::Secondary;
  Role peer_role = Role::Secondary;
  bool resolve_conflicts = false;  ///< we accepted the meta socket
  std::uint32_t agreed_version = 101;
  std::uint32_t feature_flags = 0;
};

enum class UuidDecision : std::uint8_t {
  NoSync,
  SourceUseBitmap,
  SourceSetBitmap,  ///< full sync, I am source
  TargetUseBitmap,
  TargetSetBitmap,        ///< full sync, I am target
  SplitBrainAutoRecover,  ///< 100: common bitmap UUID
  SplitBrainDisconnect,   ///< -100: history only
  UnrelatedData,          ///< -1000
  NeedsProtocol91,        ///< -1091
  NeedsWriteSameFeature,  ///< rule 41 without the feature: refuse
};

struct UuidVerdict {
  UuidDecision decision = UuidDecision::UnrelatedData;
  int rule = 0;           ///< rule number as in 8.4; 0 when none matched
  const char* name = "";  ///< "just-created-both", ...
  /// Repairs that rules 34, 35, 51 and 71 make; unset: no change.
  std::optional<UuidSet> own_repaired{};
  std::optional<UuidSet> peer_repaired{};
};

/// One rule: nullopt when it does not apply.
struct UuidRule {
  int number;
  const char* name;
  std::optional<UuidVerdict> (*apply)(const UuidComparison&);
};

/// The table of 8.4 in its order (10, 20, 30, 34..37, 40, 41, 50, 51, 60, 70, 71, 80, 90, 100).
std::span<const UuidRule> uuid_rules();

/// The first rule that applies, else {UnrelatedData, 0}.
UuidVerdict compare_uuids(const UuidComparison& input);

const char* name_of(UuidDecision decision);

}  // namespace bascule::drbd
