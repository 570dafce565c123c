#include "edge/agent_tools/agent_tools.h"

#include <algorithm>
#include <array>
#include <ostream>
#include <utility>

#include "edge/agent_tools/detail/tools.h"

namespace bascule::agent_tools {
namespace {

using Tool = int (*)(const std::vector<std::string>&, const Surroundings&);

constexpr std::array<std::pair<const char*, Tool>, 8> tools = {{{"crm_attribute", crm_attribute},
                                                                {"attrd_updater", attrd_updater},
                                                                {"crm_master", crm_master},
                                                                {"crm_node", crm_node},
                                                                {"crm_resource", crm_resource},
                                                                {"crm_mon", crm_mon},
                                                                {"cibadmin", cibadmin},
                                                                {"pacemakerd", pacemakerd}}};

}  // namespace

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> found;
    for (const auto& [name, tool] : tools) found.emplace_back(name);
    return found;
  }();
  return all;
}

int complain(const Surroundings& around, int code, const std::string& why) {
  around.err << why << "\n";
  return code;
}

Answer ask(const Surroundings& around, const json& request) {
  const auto answer = around.ask(request);
  if (!answer) return {{}, complain(around, disconnected, "Connection to cluster failed: " + answer.error().text())};
  if (answer->value("ok", false)) return {*answer, ok};
  const json error = answer->value("error", json::object());
  const bool unknown = error.value("what", "").starts_with("there is no");
  return {{},
          complain(around, unknown ? no_such_thing : failed, "Error performing operation: " + error.value("what", ""))};
}

int run(const std::string& name, const std::vector<std::string>& arguments, const Surroundings& around) {
  const auto* tool = std::find_if(tools.begin(), tools.end(), [&](const auto& one) { return one.first == name; });
  if (tool == tools.end()) return complain(around, usage, name + " is none of the tools that agents call");
  try {
    return tool->second(arguments, around);
  } catch (const std::exception& exception) {  // an answer that is not as it should be
    return complain(around, failed, name + ": " + exception.what());
  }
}

}  // namespace bascule::agent_tools
