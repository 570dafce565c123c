#pragma once

#include <functional>
#include <string>

namespace bascule::process {

/// Takes one line without a newline. The room logs through it only; an empty function drops the lines.
using Log = std::function<void(const std::string& line)>;

}  // namespace bascule::process
