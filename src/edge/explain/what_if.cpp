// The answer to "what if": what would be done, interrupted, and without a place.
#include "edge/explain/what_if.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/explain/causes.h"
#include "core/explain/impact.h"
#include "core/explain/words.h"
#include "core/policy/board.h"
#include "edge/simulate/readable_text.h"
#include "edge/simulate/transition_json.h"

namespace bascule::explain {
namespace {

using nlohmann::json;

std::string happening(const std::vector<Injection>& happens) {
  std::string text;
  for (const Injection& each : happens) text += (text.empty() ? "" : " and ") + text_of(each);
  return text;
}

std::string duration_text(const Interruption& each) {
  if (each.none) return "not interrupted";
  if (!each.measured) return "unknown, never measured: " + list_text(each.unmeasured, 4);
  if (each.unmeasured.empty()) return length_text(each.length_ms);
  return "at least " + length_text(each.length_ms) + ", never measured: " + list_text(each.unmeasured, 4);
}

/// Nobody can know from here whether the nodes that are left have quorum.
std::string about_quorum(const policy::detail::Board& board, const std::vector<Injection>& happens) {
  const bool loses = std::any_of(happens.begin(), happens.end(), [](const Injection& each) {
    return each.verb == Injection::Verb::node_fail || each.verb == Injection::Verb::node_down;
  });
  const bool told = std::any_of(happens.begin(), happens.end(), [](const Injection& each) {
    return each.verb == Injection::Verb::quorum_lost || each.verb == Injection::Verb::quorum_regained;
  });
  if (!loses || told || !board.properties.have_quorum) return "";
  return "It is taken that the others keep quorum; add \"and quorum is lost\" for the other case.\n";
}

std::string text_for(const policy::Plan& plan, const Impact& impact, const std::vector<Injection>& happens) {
  std::string text = "If " + happening(happens) + "\n\n" + simulate::changes_text(plan);
  if (!impact.interruptions.empty()) text += "\nInterrupted\n";
  for (const Interruption& each : impact.interruptions)
    text += "  " + each.resource + " " + each.what + ": " + duration_text(each) + "\n";
  if (!impact.losses.empty()) text += "\nRuns in fewer places\n";
  for (const std::string& each : impact.losses) text += "  " + each + "\n";
  if (!impact.stranded.empty()) text += "\nHas nowhere to go\n";
  for (const Stranded& each : impact.stranded) text += "  " + each.resource + ": " + each.reason + "\n";
  if (impact.interruptions.empty() && impact.stranded.empty() && impact.losses.empty())
    text += "\nNothing that runs is interrupted.\n";
  const std::string quorum = about_quorum(plan.board(), happens);
  return quorum.empty() ? text : text + "\n" + quorum;
}

json json_for(const policy::Plan& plan, const Impact& impact, const std::vector<Injection>& happens) {
  json interrupted = json::array();
  for (const Interruption& each : impact.interruptions)
    interrupted.push_back({{"resource", each.resource},
                           {"what", each.what},
                           {"interrupted", !each.none},
                           {"length_ms", each.measured ? json(each.none ? 0 : each.length_ms) : json(nullptr)},
                           {"complete", each.measured && each.unmeasured.empty()},
                           {"not_measured", each.unmeasured}});
  json stranded = json::array();
  for (const Stranded& each : impact.stranded)
    stranded.push_back({{"resource", each.resource}, {"reason", each.reason}});
  json told = json::array();
  for (const Injection& each : happens) told.push_back(text_of(each));
  return {{"ok", true},
          {"happens", told},
          {"changes", simulate::changes_json(plan)},
          {"transition", simulate::transition_json(plan)},
          {"interrupted", interrupted},
          {"stranded", stranded},
          {"losses", impact.losses}};
}

}  // namespace

WhatIf what_if(const policy::Snapshot& snapshot, const std::vector<Injection>& happens, bool as_json) {
  const policy::Plan before = policy::observe(snapshot);
  auto changed = std::make_shared<cib::Cib>(*snapshot.cib);
  for (const Injection& each : happens) apply(*changed, each, snapshot.now_s);
  const bool explain = affords_ledger(*snapshot.cib);
  const policy::Plan plan = policy::plan({std::move(changed), snapshot.now_s, explain});
  const Impact impact = impact_of(before, plan);
  WhatIf answer;
  if (as_json)
    answer.json = json_for(plan, impact, happens);
  else
    answer.text = text_for(plan, impact, happens);
  return answer;
}

}  // namespace bascule::explain
