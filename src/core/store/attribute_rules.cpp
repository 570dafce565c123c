#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/store/detail/rules.h"

/// Attributes of nodes, and what a boot takes away.
namespace bascule::store::detail {
namespace {

using Attributes = std::map<std::string, std::string>;

Applied not_taken(std::string why) {
  return {.changed = false, .accepted = false, .why = std::move(why), .events = {}};
}

constexpr std::int64_t score_max = 1'000'000;  // Pacemaker's INFINITY

/// A score as Pacemaker reads it; what is no number counts as 0.
std::int64_t score_of(const std::string& text) {
  if (text == "INFINITY" || text == "+INFINITY") return score_max;
  if (text == "-INFINITY") return -score_max;
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::clamp(number, -score_max, score_max);
}

std::string score_text(std::int64_t score) {
  if (score >= score_max) return "INFINITY";
  return score <= -score_max ? "-INFINITY" : std::to_string(score);
}

/// "value++" and "value+=N", where "value" is the word itself or the attribute's name.
std::optional<std::int64_t> increment_in(const std::string& name, const std::string& value) {
  const auto plus = value.find('+');
  if (plus == std::string::npos || (value.substr(0, plus) != "value" && value.substr(0, plus) != name))
    return std::nullopt;
  const auto rest = value.substr(plus);
  if (rest == "++") return 1;
  if (rest.size() > 2 && rest.starts_with("+=")) return score_of(rest.substr(2));
  return std::nullopt;
}

std::string value_after(const Attributes& attributes, const std::string& name, const std::string& value) {
  const auto by = increment_in(name, value);
  if (!by) return value;
  const auto before = attributes.find(name);
  return score_text(
      std::clamp(before == attributes.end() ? *by : score_of(before->second) + *by, -score_max, score_max));
}

std::string reason_not_to_update(const message::UpdateAttributes& c) {
  if (c.node.empty()) return "no node is named";
  if (c.set.size() + c.remove.size() > message::attribute_changes_max) return "too many attributes at once";
  for (const auto& [name, value] : c.set) {
    if (name.empty() || name.size() > message::attribute_name_bytes_max)
      return fmt::format("the name of an attribute has 1 to {} bytes", message::attribute_name_bytes_max);
    if (value.size() > message::attribute_value_bytes_max)
      return fmt::format("the value of {} is longer than {} bytes", name, message::attribute_value_bytes_max);
  }
  return {};
}

}  // namespace

Applied update_attributes(ClusterState& state, const message::UpdateAttributes& c) {
  if (auto why = reason_not_to_update(c); !why.empty()) return not_taken(std::move(why));
  const auto known = state.nodes.find(c.node);
  const NodeState node = known == state.nodes.end() ? NodeState{} : known->second;
  const Attributes& before = c.transient ? node.transient_attributes : node.attributes;
  Attributes after = before;
  for (const auto& name : c.remove) after.erase(name);
  for (const auto& [name, value] : c.set) after[name] = value_after(before, name, value);
  if (after.size() > message::attributes_max && after.size() > before.size())
    return not_taken(fmt::format("{} would have more than {} attributes", c.node, message::attributes_max));
  if (after == before) return {.changed = false, .accepted = true, .why = {}, .events = {}};
  auto& changed = state.nodes[c.node];
  (c.transient ? changed.transient_attributes : changed.attributes) = std::move(after);
  return {.changed = true, .accepted = true, .why = {}, .events = {}};
}

Applied note_boot(ClusterState& state, const message::NoteBoot& c) {
  if (c.node.empty() || c.boot.empty()) return not_taken("no node or no boot is named");
  const auto known = state.nodes.find(c.node);
  if (known != state.nodes.end() && known->second.boot == c.boot)
    return {.changed = false, .accepted = true, .why = {}, .events = {}};
  auto& node = state.nodes[c.node];
  const bool first = node.boot.empty();
  node.boot = c.boot;
  if (!first) node.transient_attributes.clear();
  Applied applied{.changed = true, .accepted = true, .why = {}, .events = {}};
  if (first) return applied;
  for (auto& [name, service] : state.services)
    if (service.failures.erase(c.node) != 0)
      applied.events.push_back({"failures-faded",
                                name,
                                fmt::format("the failures of {} on {} went with its boot", name, c.node),
                                {{"node", c.node}}});
  return applied;
}

}  // namespace bascule::store::detail
