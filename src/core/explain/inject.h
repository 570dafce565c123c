#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/cib/model.h"

/// What could happen to a cluster, and what its CIB says then.
namespace bascule::explain {

struct Injection {
  enum class Verb : std::uint8_t {
    node_fail,         ///< it dies
    node_down,         ///< it stops cleanly
    node_up,           ///< it comes back
    node_standby,      ///< its standby begins
    node_online,       ///< its standby ends
    node_maintenance,  ///< its maintenance begins
    node_ready,        ///< its maintenance ends
    op_fail,           ///< an operation fails
    resource_stop,     ///< target-role Stopped
    resource_start,    ///< target-role Started
    quorum_lost,
    quorum_regained,
    ticket_grant,
    ticket_revoke
  } verb = Verb::node_fail;
  std::string subject;  ///< the node, resource or ticket; empty: the verb needs none
  std::string node;     ///< op_fail: where
  std::string task;     ///< op_fail: start, monitor, ...
  std::uint32_t interval_ms = 0;
  int rc = 1;
};

/// "node-down=alice,op-fail=web:monitor@bob,quorum-lost". `op-fail=RESOURCE:TASK[:INTERVAL]@NODE[=RC]`; without an
/// interval a monitor is the resource's own. An error names what is unknown, and what is most like it.
[[nodiscard]] Result<std::vector<Injection>> parse_injections(std::string_view text, const cib::Cib& cib);
/// "node alice fails and quorum is lost"; `phrases()` are all that are understood.
[[nodiscard]] Result<std::vector<Injection>> parse_phrases(std::string_view text, const cib::Cib& cib);
/// One a line, the words in capitals to be replaced: "node NODE fails".
[[nodiscard]] std::vector<std::string> phrases();
/// The verbs of parse_injections() in the same way: "node-fail=NODE".
[[nodiscard]] std::vector<std::string> verbs();

void apply(cib::Cib& cib, const Injection& injection, std::int64_t now_s);
/// As a phrase.
[[nodiscard]] std::string text_of(const Injection& injection);

}  // namespace bascule::explain
