// Where a service or a volume may go, and why not elsewhere.
#include "core/ownership/detail/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/ownership/detail/relations.h"
#include "core/store/operations.h"

namespace bascule::ownership::detail {
namespace {

std::string braced(const std::set<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return "{" + text + "}";
}

bool may_be_primary(const std::string& disk) { return disk == "UpToDate" || disk == "Consistent"; }

/// Too many failures, and nothing worse: where there is no other place it may be tried again.
bool only_failed_too_often(const store::ServiceFailure& failure) {
  return failure.reaction == "restart" && !failure.start_failed;
}

/// The failure that bans it from the node, and of which copy it is; null: none.
const config::Service* who_bans(const View& view, const config::Service& service, const std::string& node) {
  auto all = std::vector<const config::Service*>{&service};
  if (service.copy && !is_pinned(service)) all = view.snapshot().config.services_of(service.copy->of);
  for (const auto* one : all) {
    const auto& failures = view.service(one->name).failures;
    const auto found = failures.find(node);
    if (found == failures.end()) continue;
    const auto& failure = found->second;
    if (!only_failed_too_often(failure) || failure.count >= std::max<std::uint32_t>(service.migration_threshold, 1))
      return one;
  }
  return nullptr;
}

std::string reason_of_ban(const View& view, const config::Service& service, const std::string& node) {
  const auto* who = who_bans(view, service, node);
  if (who == nullptr) return {};
  const auto& failure = view.service(who->name).failures.at(node);
  if (failure.reaction != "restart") return fmt::format("{} failed on {}: {}", who->name, node, failure.text);
  if (failure.start_failed) return fmt::format("{} failed to start on {}: {}", who->name, node, failure.text);
  return fmt::format("{} failed {} times on {}, last: {}", who->name, failure.count, node, failure.text);
}

/// Something that belongs to it could not be there, or is there and wants to be apart from it.
int unwelcome(const View& view, const config::Service& service, const std::string& node) {
  int count = 0;
  const auto names_it = [&](const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), service.name) != names.end();
  };
  for (const auto& other : view.snapshot().config.services) {
    if (names_it(other.with) && banned(view, other, node)) ++count;
    if (names_it(other.apart) && view.service(other.name).owner == node) ++count;
  }
  return count;
}

/// Smaller is better.
auto rank(const View& view, const config::Service& service, const std::string& node) {
  const auto& state = view.service(service.name);
  const int score = service.is_role ? promotion_score(view, service, node).value_or(0) : 0;
  return std::make_tuple(state.move_from == node, state.move_to != node, unwelcome(view, service, node), -score,
                         service.preferred_node != node, state.last_owner != node, node);
}

/// The one case in which a machine that could start is not enough: only lost nodes have every acknowledged write.
std::optional<Explanation> stale_story(const View& view, const config::Service& service,
                                       const std::optional<std::string>& except) {
  if (!service.volume || !view.volume(*service.volume).initialised) return std::nullopt;
  const auto& in_sync = view.volume(*service.volume).in_sync;
  const auto here = [&](const std::string& node) { return view.online(node) && node != except; };
  if (std::any_of(in_sync.begin(), in_sync.end(), here)) return std::nullopt;
  std::vector<std::string> stale;
  for (const auto& node : places(view, service))
    if (here(node)) stale.push_back(node);
  const bool current_is_here = except && view.online(*except);
  if (stale.empty() && current_is_here) return std::nullopt;
  const auto current = to_vector(in_sync);
  const auto hint =
      current_is_here
          ? fmt::format("wait until {} has a complete copy of {}", listed(stale, "or"), *service.volume)
          : fmt::format("start {} again, {} comes back with it; nothing was lost", listed(current, "or"), service.name);
  if (stale.empty()) return Explanation{fmt::format("no node with a copy of {} is online", *service.volume), hint};
  return Explanation{fmt::format("{}: the copy of {} is older than that of {}: {} is not in the in-sync set {}",
                                 *service.volume, listed(stale), listed(current), listed(stale), braced(in_sync)),
                     hint};
}

std::string hint_of(const View& view, const config::Service& service, const std::vector<std::string>& nodes) {
  for (const auto& node : nodes) {
    if (!view.online(node)) return fmt::format("start {} again", node);
    if (view.standby(node)) return view.standby_hint(node);
    if (!reason_of_ban(view, service, node).empty())
      return fmt::format("remove the cause, then: bascule clear {}", service.name);
    if (!reason_of_relations(view, service, node).empty()) return "";
    if (service.volume && !view.volume(*service.volume).in_sync.contains(node))
      return fmt::format("wait until {} has a complete copy of {}", node, *service.volume);
  }
  return nodes.empty() ? "" : fmt::format("see: bascule volume status {}", service.volume.value_or(""));
}

/// The chosen first copy of a volume on which nobody has written yet. Once somebody owned it, a disk that says it was
/// just created may be a new disk in the place of the only current one: then every other copy has to be new as well.
bool first_copy(const View& view, const std::string& volume, const std::string& node) {
  const auto just_created = [&](const std::string& name) {
    const auto* replica = view.online(name) ? view.replica(name, volume) : nullptr;
    return replica != nullptr && replica->attached && replica->just_created;
  };
  const auto& state = view.volume(volume);
  if (!just_created(node) || state.in_sync != std::set{node}) return false;
  const auto* configured = view.snapshot().config.volume(volume);
  if (state.epoch == 0 || configured == nullptr) return state.epoch == 0;
  const auto nodes = places(view, *configured);
  return std::all_of(nodes.begin(), nodes.end(), just_created);
}

}  // namespace

bool banned(const View& view, const config::Service& service, const std::string& node) {
  return who_bans(view, service, node) != nullptr;
}

std::vector<std::string> places(const View& view, const config::Volume& volume) {
  std::vector<std::string> nodes;
  for (const auto& node : view.snapshot().config.nodes)
    if (node.role == config::NodeRole::data && volume.disk.contains(node.name)) nodes.push_back(node.name);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

std::vector<std::string> places(const View& view, const config::Service& service) {
  if (service.volume) {
    const auto* volume = view.snapshot().config.volume(*service.volume);
    return volume == nullptr ? std::vector<std::string>{} : places(view, *volume);
  }
  std::vector<std::string> nodes;
  for (const auto& node : view.snapshot().config.nodes)
    if (node.role == config::NodeRole::data && (!is_pinned(service) || service.copy->node == node.name))
      nodes.push_back(node.name);
  std::sort(nodes.begin(), nodes.end());
  return nodes;
}

std::string reason_against_copy(const View& view, const std::string& volume, const std::string& node) {
  const auto& state = view.volume(volume);
  if (!view.online(node)) return node + " is not online";
  if (!state.initialised) return fmt::format("{} has no data yet: no first copy was chosen", volume);
  if (!state.in_sync.contains(node))
    return fmt::format("the copy of {} on {} is not in the in-sync set {}", volume, node, braced(state.in_sync));
  const auto* replica = view.replica(node, volume);
  if (replica == nullptr || !replica->attached)
    return fmt::format("the disk of {} on {} is not attached", volume, node);
  if (!may_be_primary(replica->disk) && !first_copy(view, volume, node))
    return fmt::format("the disk of {} on {} is {}", volume, node, replica->disk);
  return {};
}

std::string reason_against(const View& view, const config::Service& service, const std::string& node,
                           bool failures_count) {
  if (!view.online(node)) return node + " is not online";
  if (view.standby(node)) return view.standby_reason(node);
  if (view.snapshot().state.maintenance.contains(store::node_scope(node))) return node + " is in maintenance";
  if (auto ban = reason_of_ban(view, service, node); !ban.empty() && failures_count) return ban;
  if (auto others = reason_of_relations(view, service, node); !others.empty()) return others;
  return service.volume ? reason_against_copy(view, *service.volume, node) : "";
}

std::optional<std::string> best_place(const View& view, const config::Service& service,
                                      const std::optional<std::string>& except) {
  std::optional<std::string> best;
  for (const auto& node : places(view, service)) {
    if (node == except || !reason_against(view, service, node).empty()) continue;
    if (!best || rank(view, service, node) < rank(view, service, *best)) best = node;
  }
  return best;
}

std::optional<std::string> last_resort(const View& view, const config::Service& service) {
  if (is_pinned(service)) return std::nullopt;  // the other copies serve
  std::optional<std::string> best;
  for (const auto& node : places(view, service)) {
    const auto* who = who_bans(view, service, node);
    if (who == nullptr || !only_failed_too_often(view.service(who->name).failures.at(node))) continue;
    if (!reason_against(view, service, node, false).empty()) continue;
    if (!best || rank(view, service, node) < rank(view, service, *best)) best = node;
  }
  return best;
}

Explanation why_no_place(const View& view, const config::Service& service, const std::optional<std::string>& except) {
  if (auto stale = stale_story(view, service, except)) return *stale;
  std::vector<std::string> nodes = places(view, service);
  std::erase_if(nodes, [&](const auto& node) { return node == except; });
  if (nodes.empty()) return {fmt::format("no other node is configured that could run {}", service.name), ""};
  std::string reasons;
  for (const auto& node : nodes) {
    const auto reason = reason_against(view, service, node);
    if (!reason.empty() && reasons.find(reason) == std::string::npos) reasons += (reasons.empty() ? "" : "; ") + reason;
  }
  return {reasons, hint_of(view, service, nodes)};
}

}  // namespace bascule::ownership::detail
