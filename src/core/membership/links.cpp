// Which of the paths between two nodes are alive, and which of them a message takes.
#include "core/membership/links.h"

#include <fmt/format.h>

#include <algorithm>

namespace bascule::membership {

Links::Links(const config::ClusterConfig& config, const std::string& self, Instant started_at)
    : silence_(silence_heartbeats * config.timing.heartbeat) {
  configure(config, self, started_at);
}

void Links::configure(const config::ClusterConfig& config, const std::string& self, Instant now) {
  const auto* own = config.node(self);
  std::map<std::string, std::vector<Link>> before;
  before.swap(nodes_);
  for (const auto& node : config.nodes) {
    if (own == nullptr || node.name == self) continue;
    auto& links = nodes_[node.name];
    const auto& known = before[node.name];
    const std::size_t shared = std::min(own->addresses.size(), node.addresses.size());
    for (std::size_t i = 0; i < shared; ++i) {
      const bool same = i < known.size() && known[i].address == node.addresses[i];
      links.push_back(same ? known[i] : Link{node.addresses[i], now, false, true});
    }
  }
}

void Links::heard(const std::string& node, std::size_t link, Instant now, std::vector<LinkEvent>& events) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end() || link >= found->second.size()) return;
  Link& here = found->second[link];
  here.heard_at = std::max(here.heard_at, now);
  here.ever_heard = true;
  if (!here.up) {
    here.up = true;
    events.push_back({true, node, link, fmt::format("{} is heard over {} again", node, here.address)});
  }
  for (std::size_t other = 0; other < found->second.size(); ++other) {
    Link& silent = found->second[other];
    if (!silent.up || now - silent.heard_at < silence_) continue;
    silent.up = false;
    events.push_back({false, node, other,
                      fmt::format("{} is heard over {}, but for {} ms not over {}", node, here.address,
                                  to_ms(now - silent.heard_at), silent.address)});
  }
}

LinkMask Links::choose(const std::string& node, bool bulky) const {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return 0;
  const auto& links = found->second;
  const auto all = static_cast<LinkMask>((1u << links.size()) - 1);
  if (!bulky) return all;
  const auto first = std::find_if(links.begin(), links.end(), [](const Link& link) { return link.up; });
  return first == links.end() ? all : static_cast<LinkMask>(1u << (first - links.begin()));
}

std::vector<LinkStatus> Links::status(const std::string& node, Instant now) const {
  std::vector<LinkStatus> result;
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return result;
  for (const Link& link : found->second) {
    const Duration age = std::max(Duration{0}, now - link.heard_at);
    result.push_back({link.address, link.up && link.ever_heard && age < silence_, link.ever_heard, age});
  }
  return result;
}

}  // namespace bascule::membership
