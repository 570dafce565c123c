#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/cluster_config/config.h"

namespace bascule::membership {

/// Which links to send on: bit n is the nth address of the node.
using LinkMask = std::uint8_t;

struct LinkEvent {
  bool up = false;
  std::string node;
  std::size_t link = 0;  ///< from 0
  std::string text;      ///< a sentence

  bool operator==(const LinkEvent&) const = default;
};

struct LinkStatus {
  std::string address;  ///< of the other node
  bool up = false;
  bool ever_heard = false;
  Duration age{};  ///< since the last word over this link
};

/// The links between this node and each other one: the first address of both, the second of both, and so on. A link is
/// down when the node is heard, but for `silence_heartbeats` not over this link: that is an event and takes nothing
/// from anybody. When nothing at all is heard from a node, that is the node's matter (Liveness), and no link is blamed
/// for it.
class Links {
 public:
  static constexpr int silence_heartbeats = 10;

  Links(const config::ClusterConfig& config, const std::string& self, Instant started_at);

  /// Other nodes or other addresses from now on. What is as before is remembered.
  void configure(const config::ClusterConfig& config, const std::string& self, Instant now);

  /// Something proven to be the node's came over `link`, also if it was known from another link.
  void heard(const std::string& node, std::size_t link, Instant now, std::vector<LinkEvent>& events);
  /// Where to send: all links that both nodes have; what is `bulky` goes over the first that is up, or over all if none
  /// is.
  [[nodiscard]] LinkMask choose(const std::string& node, bool bulky) const;
  /// In the order of the addresses; empty for self and unknown nodes.
  [[nodiscard]] std::vector<LinkStatus> status(const std::string& node, Instant now) const;

 private:
  struct Link {
    std::string address;
    Instant heard_at{};
    bool ever_heard = false;
    bool up = true;  ///< until the node was heard without it
  };

  Duration silence_;
  std::map<std::string, std::vector<Link>> nodes_;
};

}  // namespace bascule::membership
