#pragma once

#include <string>

#include "base/result.h"
#include "edge/cli/cib_input.h"
#include "edge/cli/json_view.h"

namespace bascule::cli {

/// What `bascule simulate` is asked for.
struct SimulateRequest {
  CibInput input;
  std::string format = "text";  ///< text or pacemaker
  bool as_json = false;         ///< status, changes, transition with reasons and order, status afterwards
  bool scores = false;          ///< each resource's score for each node
  std::string graph;            ///< a file for the transition graph; empty: none
  bool all_decisions = false;   ///< of a file with decisions of a manager, each one
};

/// Plans and pretends that everything works. The answer has ok, actions, notices, and text: what is printed
/// (or, as JSON, what edge/simulate/transition_json.h makes). Of decisions of a manager: takes them again; the answer
/// has ok, notices, text, and what edge/explain/decision.h makes; or, of all of them, `of` and `others`.
[[nodiscard]] Result<json> run_simulate(const SimulateRequest& request);

}  // namespace bascule::cli
