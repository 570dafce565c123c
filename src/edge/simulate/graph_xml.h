#pragma once

#include <string>

#include "core/policy/plan.h"

namespace bascule::simulate {

/// The plan as Pacemaker's transition graph (`crm_simulate --save-graph`): one synapse for each action, with what it
/// waits for. Of the attributes only those that name an action are written.
[[nodiscard]] std::string graph_xml(const policy::Plan& plan);

}  // namespace bascule::simulate
