#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/cib/model.h"

/// Defaults of ours where Pacemaker's bite; README.md has the list.
namespace bascule::sources {

/// Changes the CIB as if its author had asked for our defaults wherever nothing else is said; what is said explicitly
/// always counts. Returns one line for each change, in words. `now_s`: seconds since the epoch.
[[nodiscard]] std::vector<std::string> apply_defaults(cib::Cib& cib, std::int64_t now_s);

}  // namespace bascule::sources
