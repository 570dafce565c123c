#include "edge/cli/drbdmeta_command.h"

#include <algorithm>

#include "runtime/metadata_tool/tool.h"

namespace bascule::cli {

bool is_drbdmeta(const std::vector<std::string>& arguments) {
  const auto first = std::ranges::find_if(arguments, [](const std::string& word) { return word != "--json"; });
  return first != arguments.end() && *first == "drbdmeta";
}

int run_drbdmeta(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  std::vector<std::string> rest = arguments;
  rest.erase(std::ranges::find(rest, "drbdmeta"));
  return metadata_tool::run(rest, {surroundings.out, surroundings.err});
}

}  // namespace bascule::cli
