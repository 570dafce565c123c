// Attributes that agents set: taken at once, agreed on in batches.

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/manager/detail/state.h"

namespace bascule::manager {

namespace {
constexpr Duration batch_for = milliseconds(20);
constexpr Duration retry_after = seconds(1);

bool counts_on(const std::optional<std::string>& value) {
  return value && (value->ends_with("++") || value->find("+=") != std::string::npos);
}
}  // namespace

/// An agent that waited for a majority would run into its timeout when there is none, and be taken for dead.
void Manager::State::agent_attribute(const input::AgentAttribute& set) {
  const std::string& node = set.node.empty() ? self->name : set.node;
  if (counts_on(set.value)) return propose(message::UpdateAttributes{node, true, {{set.name, *set.value}}, {}});
  const auto key = std::pair(node, set.name);
  const auto known = attribute_updates.find(key);
  if (known == attribute_updates.end()) {
    const auto agreed = store.state().nodes.find(node);
    std::optional<std::string> before;
    if (agreed != store.state().nodes.end() && agreed->second.transient_attributes.contains(set.name))
      before = agreed->second.transient_attributes.at(set.name);
    if (before == set.value || attribute_updates.size() >= message::attributes_max) return;
  }
  auto& update = attribute_updates[key];
  // As Pacemaker's dampening: the time runs from the first change, and the last value counts.
  const bool waits = known != attribute_updates.end() && update.proposal == 0;
  const Instant due = now + std::max(set.delay, batch_for);
  update.due = waits ? std::min(update.due, due) : due;
  update.proposal = 0;
  update.value = set.value;
}

Instant Manager::State::attributes_due() const {
  Instant due = never;
  for (const auto& [key, update] : attribute_updates) due = std::min(due, update.due);
  return due;
}

void Manager::State::propose_attributes() {
  retry_lost_attributes();
  std::set<std::string> nodes;
  for (const auto& [key, update] : attribute_updates)
    if (update.due <= now) nodes.insert(key.first);
  for (const auto& node : nodes) propose_attributes_of(node);
}

void Manager::State::propose_attributes_of(const std::string& node) {
  message::UpdateAttributes command{node, true, {}, {}};
  const auto id = prng.next();
  for (auto& [key, update] : attribute_updates) {
    if (key.first != node || update.due > now) continue;
    if (command.set.size() + command.remove.size() == message::attribute_changes_max) break;
    if (update.value)
      command.set[key.second] = *update.value;
    else
      command.remove.push_back(key.second);
    update.proposal = id;
    update.due = never;
  }
  propose(id, std::move(command));
}

/// Proposals are given up after a while without a majority; these values still hold.
void Manager::State::retry_lost_attributes() {
  for (auto& [key, update] : attribute_updates) {
    if (update.proposal == 0 || pending.contains(update.proposal)) continue;
    update.proposal = 0;
    update.due = now + retry_after;
  }
}

/// Also when it was refused: it would be refused again.
void Manager::State::attributes_applied(std::uint64_t proposal) {
  std::erase_if(attribute_updates, [proposal](const auto& one) { return one.second.proposal == proposal; });
}

std::string Manager::State::attributes_json() const {
  nlohmann::ordered_json all = nlohmann::ordered_json::object();
  for (const auto& node : config.nodes)
    all[node.name] = {{"permanent", nlohmann::ordered_json::object()}, {"transient", nlohmann::ordered_json::object()}};
  for (const auto& [name, node] : store.state().nodes) {
    all[name]["permanent"] = node.attributes;
    all[name]["transient"] = node.transient_attributes;
  }
  for (const auto& [key, update] : attribute_updates) {
    auto& transient = all[key.first]["transient"];
    if (update.value)
      transient[key.second] = *update.value;
    else
      transient.erase(key.second);
  }
  return all.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace bascule::manager
