// The first line of `status`, and what is wrong.
#include "core/ownership/detail/summary.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/ownership/detail/placement.h"
#include "core/ownership/detail/relations.h"
#include "core/store/operations.h"

namespace bascule::ownership::detail {
namespace {

std::string with_hint(const Explanation& explanation) {
  return explanation.hint.empty() ? explanation.why : explanation.why + " (" + explanation.hint + ")";
}

std::vector<std::string> absent_nodes(const View& view) {
  std::vector<std::string> names;
  for (const auto& node : view.snapshot().config.nodes)
    if (!view.online(node.name)) names.push_back(node.name);
  return names;
}

bool majority_without(const View& view, const std::string& failing) {
  const auto& config = view.snapshot().config;
  if (config.two_nodes() && !config.fences_of(failing).empty())  // the other one fences it and goes on alone
    return std::any_of(config.nodes.begin(), config.nodes.end(),
                       [&](const auto& node) { return node.name != failing && view.online(node.name); });
  const auto& nodes = view.snapshot().config.nodes;
  const auto left = std::count_if(nodes.begin(), nodes.end(),
                                  [&](const auto& node) { return node.name != failing && view.online(node.name); });
  return 2 * static_cast<std::size_t>(left) > nodes.size();
}

std::vector<const config::Service*> services_on(const View& view, const std::string& node) {
  std::vector<const config::Service*> services;
  for (const auto& service : view.snapshot().config.services)
    if (!service.copy && view.wants_started(service) && view.service(service.name).owner == node)
      services.push_back(&service);
  return services;
}

/// A copy is missed only where it could be: not on a node that is away or in standby.
bool is_missed(const View& view, const config::Service& service) {
  if (!view.wants_started(service) || view.runs(service)) return false;
  return !is_pinned(service) || (view.online(service.copy->node) && !view.standby(service.copy->node));
}

struct Forecast {
  std::string text;
  bool good = true;
};

/// What would happen if `node`, which runs something, failed now.
Forecast if_fails(const View& view, const std::string& node, const std::vector<const config::Service*>& services) {
  const auto start = fmt::format("If {} fails now, ", node);
  if (!majority_without(view, node)) {
    auto absent = absent_nodes(view);
    const auto why =
        absent.empty() ? "" : fmt::format(" ({} {} away)", listed(absent), absent.size() == 1 ? "is" : "are");
    return {start + "everything stops: those who are left are no majority" + why + ".", false};
  }
  for (const auto* service : services)
    if (const auto* scope = store::in_maintenance(view.snapshot().state, service->name, node))
      return {fmt::format("{}{} stays down: {} is in maintenance.", start, service->name, store::scope_text(*scope)),
              true};
  std::set<std::string> heirs;
  const View then = without(view, node);
  for (const auto* service : services) {
    const auto heir = then.future(service->name);
    if (!heir)
      return {fmt::format("{}{} stops: {}.", start, service->name, why_no_place(then, *service, node).why), false};
    heirs.insert(*heir);
  }
  return {fmt::format("{}{} {} over.", start, listed(to_vector(heirs)), heirs.size() == 1 ? "takes" : "take"), true};
}

std::vector<Forecast> forecasts(const View& view) {
  std::vector<Forecast> all;
  for (const auto& node : view.snapshot().config.nodes)
    if (const auto services = services_on(view, node.name); !services.empty() && view.online(node.name))
      all.push_back(if_fails(view, node.name, services));
  return all;
}

void find_services_down(const View& view, Plan& plan) {
  for (const auto& service : view.snapshot().config.services)
    if (is_missed(view, service))
      plan.problems.push_back(fmt::format("{} does not run: {}", service.name, with_hint(plan.services[service.name])));
}

void find_troubled_services(const View& view, Plan& plan) {
  for (const auto& service : view.snapshot().config.services)
    if (view.runs(service) && view.wants_started(service) && !plan.services[service.name].why.empty())
      plan.problems.push_back(fmt::format("{}: {}", service.name, with_hint(plan.services[service.name])));
}

/// What runs, and still says that something is wrong.
void find_warnings(const View& view, Plan& plan) {
  for (const auto& service : view.snapshot().config.services) {
    const auto* report = view.runs(service) ? view.report(*view.service(service.name).owner, service.name) : nullptr;
    if (report == nullptr) continue;
    for (const auto& step : report->steps)
      if (!step.warning.empty()) plan.problems.push_back(fmt::format("{} runs, but: {}", service.name, step.warning));
  }
}

void find_problems(const View& view, Plan& plan) {
  if (!view.snapshot().leader_known)
    plan.problems.push_back(
        fmt::format("{} sees no leader: there is no majority, so nothing can be decided", view.snapshot().self));
  for (const auto& [scope, maintenance] : view.snapshot().state.maintenance)
    plan.problems.push_back(
        fmt::format("{} is in maintenance, so nothing is started, stopped, moved or recovered there "
                    "(bascule maintenance off{})",
                    store::scope_text(scope), store::scope_option(scope)));
  if (view.snapshot().state.halted) plan.problems.push_back("everything is stopped (bascule start --all)");
  find_services_down(view, plan);
  find_troubled_services(view, plan);
  find_warnings(view, plan);
  for (const auto& [name, explanation] : plan.volumes)
    if (!explanation.why.empty()) plan.problems.push_back(fmt::format("volume {}: {}", name, with_hint(explanation)));
  for (const auto& name : absent_nodes(view)) plan.problems.push_back(name + " is not online");
  for (const auto& node : view.snapshot().config.nodes)
    if (view.standby(node.name))
      plan.problems.push_back(fmt::format("{} ({})", view.standby_reason(node.name), view.standby_hint(node.name)));
  for (const auto& forecast : forecasts(view))
    if (!forecast.good) plan.problems.push_back(forecast.text.substr(0, forecast.text.size() - 1));
}

std::string about_services(const View& view) {
  const auto& services = view.snapshot().config.services;
  if (services.empty()) return "No service is configured.";
  const auto wanted =
      std::count_if(services.begin(), services.end(), [&](const auto& s) { return view.wants_started(s); });
  const auto running = std::count_if(services.begin(), services.end(),
                                     [&](const auto& s) { return view.wants_started(s) && view.runs(s); });
  if (view.snapshot().state.halted) return "Everything is stopped by hand.";
  if (wanted == 0) return "No service is to run.";
  if (wanted == 1) return running == 1 ? "The service runs." : "The service does not run.";
  if (running == wanted) return fmt::format("All {} services run.", wanted);
  return fmt::format("{} of {} services run.", running, wanted);
}

/// The worst volume speaks for all.
std::string about_data(const View& view) {
  std::optional<std::pair<std::size_t, std::size_t>> worst;
  for (const auto& volume : view.snapshot().config.volumes) {
    const auto& in_sync = view.volume(volume.name).in_sync;
    const auto copies = static_cast<std::size_t>(
        std::count_if(in_sync.begin(), in_sync.end(), [&](const auto& node) { return view.online(node); }));
    if (!worst || copies < worst->first) worst = {copies, places(view, volume).size()};
  }
  return worst ? fmt::format(" Data on {} of {} nodes.", worst->first, worst->second) : "";
}

bool any_service_down(const View& view) {
  const auto& services = view.snapshot().config.services;
  return std::any_of(services.begin(), services.end(), [&](const auto& s) { return is_missed(view, s); });
}

}  // namespace

void summarise(const View& view, Plan& plan) {
  find_problems(view, plan);
  plan.healthy = plan.problems.empty();
  plan.summary = about_services(view) + about_data(view);
  if (!view.snapshot().leader_known || any_service_down(view)) {
    plan.summary += " " + plan.problems.front() + ".";
    return;
  }
  for (const auto& forecast : forecasts(view)) plan.summary += " " + forecast.text;
}

}  // namespace bascule::ownership::detail
