#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "wire/cib/model.h"

namespace bascule::simulate {

/// What a plan on a CIB says, in the forms that people and programs ask for.
struct Answer {
  std::string now;                   ///< the status, in crm_simulate's layout
  std::string summary;               ///< what changes, in crm_simulate's layout
  std::vector<std::string> actions;  ///< in an order that the plan allows
  std::string afterwards;            ///< the status when all of them have worked
  std::string graph;                 ///< as XML
  std::string scores;                ///< if they were asked for
  std::string changes;               ///< the same as `summary` for people, with reasons; if it was asked for
  std::string steps;                 ///< the actions for people, with reasons; if they were asked for
  nlohmann::json json;               ///< status, changes, transition, status afterwards; if it was asked for
  std::vector<std::string> notices;  ///< what the configuration says that means nothing
};

/// What takes time, and not everybody needs.
struct Wanted {
  bool scores = false;    ///< of each resource for each node, step by step
  bool readable = false;  ///< for people
  bool json = false;
  bool with_faults = false;  ///< as Pacemaker 2.1.5 would, its faults included: to compare with it
};

/// `now_s`: seconds since the epoch; rules and failure timeouts depend on it.
[[nodiscard]] Answer simulate(const cib::Cib& cib, std::int64_t now_s, const Wanted& wanted = {});

/// The whole answer in crm_simulate's layout.
[[nodiscard]] std::string pacemaker_text(const Answer& answer);
/// For people: what would be done, and how it is then.
[[nodiscard]] std::string readable_text(const Answer& answer);

}  // namespace bascule::simulate
