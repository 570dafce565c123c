#pragma once

#include "core/policy/detail/view.h"

namespace bascule::policy::detail {

/// Fills in summary, problems and healthy, from the explanations that are there already.
void summarise(const View& view, Plan& plan);

}  // namespace bascule::policy::detail
