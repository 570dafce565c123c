#pragma once

#include <span>
#include <string>

#include "wire/drbd/state.h"

namespace bascule::replication::detail {

/// A change that is not allowed: DRBD's number, and why in words.
struct Refusal {
  drbd::StateChangeResult result = drbd::StateChangeResult::Success;
  std::string why;
  [[nodiscard]] bool refused() const { return result < drbd::StateChangeResult::Success; }
};

/// What one of DRBD's numbers means, as a clause: "the peer is Primary".
const char* words_of(drbd::StateChangeResult result);

/// What the rules look at beside the two states.
struct RuleFacts {
  bool two_primaries = false;          ///< allow-two-primaries
  bool device_open = false;            ///< an application holds the device open for writing
  bool fencing = false;                ///< the fencing policy is not dont-care
  bool fencing_suspends = false;       ///< resource-and-stonith
  bool suspends_without_data = false;  ///< on-no-data-accessible suspend-io
  bool verify_algorithm = true;
  std::uint32_t agreed_version = 101;  ///< of the connection, 0: none
  bool network_configured = true;
  bool handshaking = false;    ///< the states are being exchanged
  bool forced_resync = false;  ///< the handshake that follows from a forced promotion is still due
  bool exposed_is_own = true;  ///< the generation last shown to applications is that of this disk
};

/// A rule of DRBD 8.4 that refuses: about the new state alone (`from` not looked at), or about the step to it.
struct StateRule {
  const char* name;
  const char* mirrors;  ///< the rule of the model facts (sections 5.1, 5.3)
  drbd::StateChangeResult result;
  bool (*broken)(const drbd::StateWord& from, const drbd::StateWord& to, const RuleFacts& facts);
};
/// A rule that changes more of the wanted state than was asked for (section 5.2).
struct StateImplication {
  const char* name;
  void (*apply)(const drbd::StateWord& from, drbd::StateWord& to, const RuleFacts& facts);
};

/// In the order in which DRBD looks at them.
std::span<const StateRule> hard_transition_rules();  ///< also for forced changes
std::span<const StateRule> state_rules();
std::span<const StateRule> soft_transition_rules();
std::span<const StateImplication> state_implications();

/// What becomes of a wish to change the state.
struct ChangeVerdict {
  drbd::StateChangeResult result = drbd::StateChangeResult::Success;
  const char* rule = "";  ///< the name of the rule that refuses
  drbd::StateWord state;  ///< what follows when it is granted
  [[nodiscard]] bool granted() const { return result >= drbd::StateChangeResult::Success; }
};

/// The one place that says whether the state may become another one. `hard`: forced, only the transitions that can
/// never be are refused. When the old state already breaks a rule, that rule does not keep anybody in it.
ChangeVerdict request_change(const drbd::StateWord& from, const drbd::StateWord& to, const RuleFacts& facts,
                             bool hard = false);

}  // namespace bascule::replication::detail
