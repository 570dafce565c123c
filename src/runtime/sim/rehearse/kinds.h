#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/sim/cluster/scenario.h"

namespace bascule::sim::rehearse {

/// What people call some faults together.
struct Kind {
  const char* name;
  const char* what;  ///< a sentence without its stop
  std::vector<cluster::Fault> faults;
  bool usual;  ///< falls when nothing else is chosen
};
[[nodiscard]] const std::vector<Kind>& kinds();
/// "node,link": the kinds of these names, with commas between.
[[nodiscard]] std::string usual_kinds();
/// What is between the commas, each once. Errors: a name that there is not.
[[nodiscard]] Result<std::vector<std::string>> parse_kinds(const std::string& list);
/// Each kind as often as each other. Names that there are not count nothing.
[[nodiscard]] std::array<std::uint32_t, cluster::fault_kinds> weights_of(const std::vector<std::string>& names);
/// A fault in plain words: "a machine loses power".
[[nodiscard]] const char* words_of(cluster::Fault fault);

}  // namespace bascule::sim::rehearse
