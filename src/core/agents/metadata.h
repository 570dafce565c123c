#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "wire/cluster_config/config.h"

/// What an OCF agent says of itself: its answer to `meta-data` (OCF resource agent API 1.0 and 1.1).
namespace bascule::agents {

struct AgentParameter {
  std::string name;
  std::string about = {};  ///< its short description, in one line
  std::string type = {};   ///< string, integer, boolean, second, percentage, port, select ...
  std::optional<std::string> default_value = {};
  bool required = false;
  bool unique = false;  ///< no two services of a machine may have the same value (`unique` of 1.0, `unique-group`)
  bool deprecated = false;
  std::string replaced_with = {};  ///< of one that is deprecated
  bool operator==(const AgentParameter&) const = default;
};

struct AgentAction {
  std::string name;
  Duration timeout{};     ///< that the agent advises at least; 0: it says none
  Duration interval{};    ///< of a monitor
  std::string role = {};  ///< of a monitor: "Promoted", "Unpromoted", also where the agent still has the words of 1.0
  bool operator==(const AgentAction&) const = default;
};

struct AgentMetadata {
  std::string name;
  std::string version;      ///< of the agent itself
  std::string ocf_version;  ///< "1.0", "1.1"; empty: it says none, which is 1.0
  std::string about;        ///< its short description, in one line
  std::vector<AgentParameter> parameters;
  std::vector<AgentAction> actions;
  [[nodiscard]] bool offers(std::string_view action) const;
  [[nodiscard]] const AgentParameter* parameter(std::string_view wanted) const;
  /// The longest that it advises for any action of that name; 0: it advises nothing.
  [[nodiscard]] Duration advised_timeout(std::string_view action) const;
};

inline constexpr std::size_t metadata_bytes_max = 1 << 20;
inline constexpr std::size_t metadata_parameters_max = 1000;

/// Reads the XML. What an agent prints before it is passed over; what it has beside is ignored. Errors name the line:
/// not XML, another document, no action, more than the limits above.
[[nodiscard]] Result<AgentMetadata> parse_metadata(std::string_view xml);

/// "ocf:heartbeat:apache", as it is configured.
[[nodiscard]] std::string agent_name(const config::Step& step);
/// The same of what was typed, "ocf:apache" or "heartbeat:apache" too; nothing where that is no OCF agent.
[[nodiscard]] std::optional<config::Step> agent_named(std::string_view name);

/// What of the service does not go with what the agent of its step says, a sentence each: parameters that it does not
/// know, that it needs or calls deprecated, actions that it does not offer. `service` as it was written.
[[nodiscard]] std::vector<std::string> metadata_findings(const config::Service& service, const config::Step& step,
                                                         const AgentMetadata& metadata);
/// Timeouts that are shorter than the agent advises, a sentence each. The advice is shown and never taken, as with
/// Pacemaker: a timeout is how long its operator is ready to wait.
[[nodiscard]] std::vector<std::string> timeout_advice(const config::Service& service, const config::Step& step,
                                                      const AgentMetadata& metadata);

}  // namespace bascule::agents
