// The rules of the agreed configuration and of the tokens with which nodes join.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "core/store/detail/rules.h"

namespace bascule::store::detail {
namespace {

Applied refused(std::string why) { return {.changed = false, .accepted = false, .why = std::move(why), .events = {}}; }
Applied accepted(StoryEvent event) {
  return {.changed = true, .accepted = true, .why = {}, .events = {std::move(event)}};
}

std::string reason_not_to_configure(const ClusterState& state, const message::SetConfig& c) {
  if (c.text.empty()) return "the configuration is empty";
  if (c.text.size() > message::config_text_bytes_max)
    return fmt::format("the configuration has {} bytes, and {} are the most", c.text.size(),
                       message::config_text_bytes_max);
  if (c.adopts) return state.configurations.empty() ? "" : "there is an agreed configuration already";
  if (state.configurations.empty()) return "what the files say was not agreed on yet";
  if (c.base_version != state.configuration())
    return fmt::format("the configuration is at version {} by now, not {}: look at the difference again",
                       state.configuration(), c.base_version);
  return {};
}

/// What something still runs by is needed to stop it.
void forget_old_configurations(ClusterState& state) {
  std::set<std::uint64_t> in_use;
  for (const auto& [name, service] : state.services)
    if (service.owner) in_use.insert(service.configuration);
  const std::uint64_t newest = state.configuration();
  std::erase_if(state.configurations, [&](const ConfigurationVersion& one) {
    return one.version + configurations_kept <= newest && !in_use.contains(one.version);
  });
}

}  // namespace

Applied set_config(ClusterState& state, const message::SetConfig& c) {
  if (auto why = reason_not_to_configure(state, c); !why.empty()) return refused(std::move(why));
  const std::uint64_t version = c.adopts ? 0 : c.base_version + 1;
  state.configurations.push_back({version, c.text, c.reason, c.who, c.at_ms});
  state.highest_node_id = std::max(state.highest_node_id, c.highest_node_id);
  forget_old_configurations(state);
  return accepted({"configuration-applied",
                   std::to_string(version),
                   c.adopts
                       ? "the configuration of the files is agreed on"
                       : fmt::format("configuration {} is in force{}{}{}{}", version,
                                     c.who.empty() ? "" : ", given by ", c.who, c.reason.empty() ? "" : ": ", c.reason),
                   {}});
}

Applied issue_token(ClusterState& state, const message::IssueToken& c) {
  if (c.node.empty() || c.secret_hash.empty() || c.expires_at_ms <= c.at_ms) return refused("the token is not whole");
  if (state.tokens.contains(c.secret_hash)) return refused("there is such a token already");
  std::erase_if(state.tokens, [&](const auto& each) {
    return each.second.expires_at_ms <= c.at_ms || each.second.node == c.node;  // the newest of a node counts
  });
  if (state.tokens.size() >= tokens_max) return refused("there are too many tokens that nobody has used yet");
  state.tokens[c.secret_hash] = {c.node, c.expires_at_ms, false};
  return accepted({"token-issued", c.node, fmt::format("{} may join with a token", c.node), {}});
}

Applied use_token(ClusterState& state, const message::UseToken& c) {
  const auto found = state.tokens.find(c.secret_hash);
  if (found == state.tokens.end()) return refused("there is no such token");
  if (found->second.used) return refused("the token was used before; a token works once");
  if (found->second.expires_at_ms <= c.at_ms) return refused("the token has expired");
  found->second.used = true;
  const auto& node = found->second.node;
  return accepted({"token-used", node, fmt::format("{} was given the keys of the cluster, at {}", node, c.from), {}});
}

}  // namespace bascule::store::detail
