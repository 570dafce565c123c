#pragma once

#include <functional>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/result.h"

/// What Debian's unmodified agents call of Pacemaker's tools, answered by bascule-managerd. One program under many
/// names; README.md lists the calls.
namespace bascule::agent_tools {

/// Exit codes as Pacemaker's (CRM_EX_*), which agents look at.
enum ExitCode : int {
  ok = 0,
  failed = 1,
  unimplemented = 3,
  usage = 64,
  disconnected = 102,
  no_such_thing = 105,
};

struct Surroundings {
  std::ostream& out;
  std::ostream& err;
  std::string node;      ///< this node
  std::string instance;  ///< OCF_RESOURCE_INSTANCE; empty outside of an agent
  /// Asks the manager; the answer of the API, or why there is none.
  std::function<Result<nlohmann::json>(const nlohmann::json&)> ask;
};

/// The names that it answers to: crm_attribute, attrd_updater, ...
[[nodiscard]] const std::vector<std::string>& names();
/// `name` ARGUMENTS...; never throws.
[[nodiscard]] int run(const std::string& name, const std::vector<std::string>& arguments, const Surroundings& around);

}  // namespace bascule::agent_tools
