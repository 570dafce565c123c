#pragma once

#include <string>

#include "base/result.h"
#include "edge/cli/cib_input.h"
#include "edge/cli/json_view.h"

namespace bascule::cli {

/// What `bascule why` is asked.
struct WhyRequest {
  CibInput input;
  std::string resource;
  std::string on;      ///< a node; empty: not asked
  std::string not_on;  ///< a node; empty: not asked
};

/// What `bascule what-if` is asked.
struct WhatIfRequest {
  CibInput input;
  std::string phrase;  ///< "node alice fails"
  bool as_json = false;
};

[[nodiscard]] Result<json> run_what_if(const WhatIfRequest& request);
/// The answer has ok, what edge/explain says as JSON, notices, and text: what is printed.
[[nodiscard]] Result<json> run_why(const WhyRequest& request);

}  // namespace bascule::cli
