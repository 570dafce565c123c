#pragma once

#include "edge/agent_tools/agent_tools.h"
#include "edge/agent_tools/detail/arguments.h"

namespace bascule::agent_tools {

using nlohmann::json;

// attributes.cpp
int crm_attribute(const std::vector<std::string>& words, const Surroundings& around);
int crm_master(const std::vector<std::string>& words, const Surroundings& around);
int attrd_updater(const std::vector<std::string>& words, const Surroundings& around);

// cluster.cpp
int crm_node(const std::vector<std::string>& words, const Surroundings& around);
int crm_resource(const std::vector<std::string>& words, const Surroundings& around);
int crm_mon(const std::vector<std::string>& words, const Surroundings& around);
int cibadmin(const std::vector<std::string>& words, const Surroundings& around);
int pacemakerd(const std::vector<std::string>& words, const Surroundings& around);

/// Says why on stderr, and gives the code back.
int complain(const Surroundings& around, int code, const std::string& why);
/// Asks, and tells what went wrong: the answer, or the exit code.
struct Answer {
  json body;
  int code = ok;
};
[[nodiscard]] Answer ask(const Surroundings& around, const json& request);

}  // namespace bascule::agent_tools
