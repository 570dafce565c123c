#pragma once

#include <string>

#include "core/policy/plan.h"

namespace bascule::simulate {

/// What changes and why, one line each, for people: "  move web from alice to bob: alice is in standby".
[[nodiscard]] std::string changes_text(const policy::Plan& plan);
/// What is done, numbered, each with its reason; points in time are left out. `lines` as execute() made them.
[[nodiscard]] std::string steps_text(const policy::Plan& plan);

}  // namespace bascule::simulate
