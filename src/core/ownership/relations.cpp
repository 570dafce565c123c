#include "core/ownership/detail/relations.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/ownership/detail/placement.h"
#include "core/ownership/relations.h"

namespace bascule::ownership::detail {
namespace {

using Service = config::Service;
using Services = std::vector<const Service*>;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool names_it(const std::vector<std::string>& names, const Service& service) {
  return contains(names, service.name) || (service.copy && contains(names, service.copy->of + "@*"));
}

void append_behind_its_own(const config::ClusterConfig& config, const Service& service, std::set<std::string>& seen,
                           Services& order) {
  if (!seen.insert(service.name).second) return;
  for (const auto* names : {&service.after, &service.with, &service.apart})
    for (const auto& name : *names)
      for (const auto* other : config.related(name)) append_behind_its_own(config, *other, seen, order);
  order.push_back(&service);
}

std::string with_why(const std::string& text, const std::string& why) { return why.empty() ? text : text + ": " + why; }

std::string reason_not_with(const View& view, const std::string& name, const std::string& node) {
  const auto others = view.snapshot().config.related(name);
  if (others.empty()) return {};
  for (const auto* other : others)
    if (view.future(other->name) == node) return {};
  if (others.front()->copy) {
    const auto here = those_that_count(view, name, node);
    return with_why(fmt::format("no copy of {} is to run on {}", config::written_name(name), node),
                    here.size() == 1 ? view.future_why(here.front()->name) : "");
  }
  const auto at = view.future(name);
  return at ? fmt::format("it belongs to {}, which is on {}", name, *at)
            : with_why(fmt::format("it belongs to {}, which is nowhere", name), view.future_why(name));
}

std::string reason_not_apart(const View& view, const std::string& name, const std::string& node) {
  for (const auto* other : view.snapshot().config.related(name))
    if (view.future(other->name) == node) return fmt::format("{} is on {}, and it is to be apart", other->name, node);
  return {};
}

/// Of a number of copies that are nobody's in particular none drives another one away.
std::string reason_beside_a_copy(const View& view, const Service& service, const std::string& node) {
  if (!service.copy || is_pinned(service) || view.service(service.name).owner == node) return {};
  for (const auto* other : view.snapshot().config.services_of(service.copy->of))
    if (other != &service && view.service(other->name).owner == node)
      return fmt::format("{} is on {}", other->name, node);
  return {};
}

std::string reason_not_after(const View& view, const std::string& name, const std::string& node) {
  const auto others = those_that_count(view, name, node);
  if (others.empty()) return {};
  for (const auto* other : others)
    if (view.future(other->name)) return {};
  const auto& shown = others.size() == 1 ? others.front()->name : config::written_name(name);
  return with_why(fmt::format("it comes after {}, which is not to run now", shown),
                  view.future_why(others.front()->name));
}

/// Scores are the agents' own words: "10", "INFINITY", "-INFINITY".
std::optional<int> score_of(const std::string& text) {
  constexpr int infinity = 1'000'000;
  if (text == "INFINITY" || text == "+INFINITY") return infinity;
  if (text == "-INFINITY") return -infinity;
  const bool negative = text.starts_with('-');
  const auto digits = text.substr(negative || text.starts_with('+') ? 1 : 0);
  if (digits.empty() || digits.size() > 7 ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  return (negative ? -1 : 1) * std::min(std::stoi(digits), infinity);
}

/// An agent that says nothing cannot be promoted, as with Pacemaker. Who is promoted stays it until it says less.
std::string reason_not_promoted(const View& view, const Service& role, const std::string& node) {
  const auto score = promotion_score(view, role, node);
  if (score && *score >= 0) return {};
  if (score) return fmt::format("its promotion score on {} is {}", node, *score);
  if (view.service(role.name).owner == node) return {};
  return fmt::format("the copy on {} has no promotion score yet", node);
}

/// Where it will be when what is decided was carried out.
std::optional<std::string> future_of(const View& view, const Service& service, const Outcome& outcome) {
  if (outcome.decision) {
    if (const auto* grant = std::get_if<message::GrantOwnership>(&outcome.decision->command)) return grant->node;
    return std::nullopt;
  }
  const auto& state = view.service(service.name);
  return state.owner && view.online(*state.owner) && !state.stop_requested ? state.owner : std::nullopt;
}

bool counts_on(const View& view, const Service& dependent, const Service& service) {
  const auto& owner = view.service(dependent.name).owner;
  for (const auto& name : dependent.after) {
    const auto others = those_that_count(view, name, owner.value_or(""));
    if (std::find(others.begin(), others.end(), &service) == others.end()) continue;
    const bool another = std::any_of(others.begin(), others.end(), [&](const Service* one) {
      return one != &service && view.future(one->name).has_value();
    });
    if (!another) return true;
  }
  return false;
}

}  // namespace

Services in_order_of_relations(const config::ClusterConfig& config) {
  std::set<std::string> seen;
  Services order;
  for (const auto& service : config.services) append_behind_its_own(config, service, seen, order);
  return order;
}

Services those_that_count(const View& view, const std::string& others, const std::string& node) {
  auto related = view.snapshot().config.related(others);
  for (const auto* one : related)
    if (one->copy && (one->copy->node == node || view.service(one->name).owner == node)) return {one};
  return related;
}

std::string reason_of_relations(const View& view, const Service& service, const std::string& node) {
  for (const auto& name : service.with)
    if (auto reason = reason_not_with(view, name, node); !reason.empty()) return reason;
  if (auto reason = reason_beside_a_copy(view, service, node); !reason.empty()) return reason;
  for (const auto& name : service.apart)
    if (auto reason = reason_not_apart(view, name, node); !reason.empty()) return reason;
  for (const auto& name : service.after)
    if (auto reason = reason_not_after(view, name, node); !reason.empty()) return reason;
  return service.is_role ? reason_not_promoted(view, service, node) : "";
}

const Service* who_stops_before(const View& view, const Service& service) {
  for (const auto& one : view.snapshot().config.services) {
    const auto& owner = view.service(one.name).owner;
    if (owner && view.online(*owner) && names_it(one.after, service) && counts_on(view, one, service)) return &one;
  }
  return nullptr;
}

std::map<std::string, Outcome> decide_services(View& view) {
  std::map<std::string, Outcome> outcomes;
  const auto order = in_order_of_relations(view.snapshot().config);
  for (const auto* service : order) {
    auto outcome = decide(view, *service);
    view.settle(service->name, future_of(view, *service, outcome), outcome.explanation.why);
    outcomes.emplace(service->name, std::move(outcome));
  }
  for (const auto* service : order) {
    auto& outcome = outcomes.at(service->name);
    if (!outcome.decision || !std::holds_alternative<message::RequestStop>(outcome.decision->command)) continue;
    const auto* first = who_stops_before(view, *service);
    if (first == nullptr) continue;
    outcome.decision.reset();
    outcome.explanation.why = fmt::format("it stops as soon as {}, which comes after it, has stopped: {}", first->name,
                                          outcome.explanation.why);
  }
  return outcomes;
}

View without(const View& view, const std::string& node) {
  View after = view;
  for (const auto* service : in_order_of_relations(view.snapshot().config))
    if (after.future(service->name) == node) after.settle(service->name, best_place(after, *service, node), "");
  return after;
}

std::optional<int> promotion_score(const View& view, const Service& role, const std::string& node) {
  const auto found = view.snapshot().state.nodes.find(node);
  if (found == view.snapshot().state.nodes.end() || role.steps.empty()) return std::nullopt;
  const std::string name = "master-" + role.name + "_" + role.steps.front().name;
  for (const auto* attributes : {&found->second.transient_attributes, &found->second.attributes})
    if (const auto score = attributes->find(name); score != attributes->end()) return score_of(score->second);
  return std::nullopt;
}

}  // namespace bascule::ownership::detail

namespace bascule::ownership {
namespace {

/// By its owner's own word that it is not there: one that is silent, held or left as it is may well run.
bool certainly_does_not_run(const detail::View& view, const config::Service& service) {
  const auto& state = view.service(service.name);
  if (!state.owner || state.restarts_asked > state.restarts_done) return true;
  const auto* report = view.online(*state.owner) ? view.report(*state.owner, service.name) : nullptr;
  if (report == nullptr || report->epoch != state.epoch) return false;
  static const std::set<std::string> running{"Started", "Held", "Blocked", "Unknown"};
  return !running.contains(report->state);
}

bool runs_for_others(const detail::View& view, const config::Service& service) {
  const auto& state = view.service(service.name);
  if (!state.owner || state.restarts_asked > state.restarts_done) return false;
  const auto* report = view.online(*state.owner) ? view.report(*state.owner, service.name) : nullptr;
  return report != nullptr && report->epoch == state.epoch &&
         (report->state == "Started" || report->state == "Blocked");
}

}  // namespace

Gate gate(const Snapshot& snapshot, const config::Service& service, const std::string& node) {
  const detail::View view(snapshot);
  Gate gate;
  for (const auto& name : service.after) {
    const auto others = detail::those_that_count(view, name, node);
    if (others.empty()) continue;
    const auto runs = [&](const config::Service* one) { return runs_for_others(view, *one); };
    if (std::any_of(others.begin(), others.end(), runs)) continue;
    const auto gone = [&](const config::Service* one) { return certainly_does_not_run(view, *one); };
    gate.pause = gate.pause || std::all_of(others.begin(), others.end(), gone);
    const auto& shown = others.size() == 1 ? others.front()->name : config::written_name(name);
    if (gate.waits_for.empty()) gate.waits_for = fmt::format("waiting for {}, which it comes after, to run", shown);
  }
  return gate;
}

bool others_are_down(const Snapshot& snapshot, const config::Service& service) {
  detail::View view(snapshot);
  for (const auto& one : snapshot.config.services)
    view.settle(one.name, runs_for_others(view, one) ? view.service(one.name).owner : std::nullopt, "");
  const auto* first = detail::who_stops_before(view, service);
  if (first == nullptr) return true;
  const auto& state = view.service(first->name);
  const auto* report = view.report(*state.owner, first->name);
  return report == nullptr || report->epoch != state.epoch || report->state == "Stopped" || report->state == "Failed";
}

}  // namespace bascule::ownership
