#pragma once

#include "core/ownership/detail/view.h"

namespace bascule::ownership::detail {

/// Fills in summary, problems and healthy, from the explanations that are there already.
void summarise(const View& view, Plan& plan);

}  // namespace bascule::ownership::detail
