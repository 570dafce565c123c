#pragma once

#include <string>
#include <vector>

#include "core/policy/plan.h"
#include "wire/cib/model.h"

namespace bascule::simulate {

/// What happens when a plan is carried out and everything works.
struct Execution {
  std::vector<std::string> lines;  ///< "Resource action: web   start on alice", in an order that the plan allows
  cib::Cib after;                  ///< with the results in its status
};

[[nodiscard]] Execution execute(const policy::Plan& plan, const cib::Cib& before);

}  // namespace bascule::simulate
