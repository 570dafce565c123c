#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/recent_maximum.h"
#include "base/time.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

namespace bascule::membership {

/// What this node thinks of another one, by what arrived from it.
enum class Presence {
  online,
  suspect,  ///< five heartbeats without a word that was due, or not heard yet since this node started
  lost,     ///< config::Timing::lost_after() without a word, or longer for a node that is often silent for long
};
[[nodiscard]] const char* text(Presence presence);

struct LivenessEvent {
  enum class Kind { lost, back, restarted };
  Kind kind;
  std::string node;
  std::string text;  ///< a sentence

  bool operator==(const LivenessEvent&) const = default;
};

/// What a report says that was not known.
enum class News {
  old,      ///< it is older than what is known, or of an incarnation that was replaced; then it counts for nothing
  nothing,  ///< the node lives, and everything on it is as it was
  changed,
};

/// Who is there, as seen from this node. This is a hint for people and policy; safety rests on leases, never on this.
class Liveness {
 public:
  /// Where leases are ample, two nodes of which neither leads hear each other with every third heartbeat.
  static constexpr int report_heartbeats = 3;

  /// `self` is always online. All others are suspect until `started_at` + lease.
  Liveness(const config::ClusterConfig& config, std::string self, Instant started_at);

  /// Other nodes from now on; those that are new are suspect, those that are gone are not known any more.
  void configure(const config::ClusterConfig& config, Instant now);

  /// From now on `leader` leads (empty: nobody is known to). It hears everybody with each heartbeat, and all hear it;
  /// the others hear each other with every `report_heartbeats`-th one, and their silences are judged by that.
  void follow(const std::string& leader, Instant now);

  /// Any message arrived from `node`. Unknown names are ignored.
  void heard(const std::string& node, Instant now, std::vector<LivenessEvent>& events);
  /// A report arrived (from another node, or this node's own).
  News report(message::NodeReport report, Instant now, std::vector<LivenessEvent>& events);
  /// Time passed: tells who got lost.
  void tick(Instant now, std::vector<LivenessEvent>& events);

  [[nodiscard]] Presence presence(const std::string& node, Instant now) const;
  /// Since the last word of the node (0 for self); since the start of this object if it never spoke.
  [[nodiscard]] Duration age(const std::string& node, Instant now) const;
  /// The newest report, or null. Valid until the next report() of that node.
  [[nodiscard]] const message::NodeReport* newest_report(const std::string& node) const;
  /// Since the newest report arrived; Duration::max() without one.
  [[nodiscard]] Duration report_age(const std::string& node, Instant now) const;
  /// When tick() may have something to tell. Not later than that moment, and as a rule not much earlier.
  [[nodiscard]] Instant next_deadline() const { return look_at_; }

 private:
  struct Known {
    Instant heard_at{};
    Duration excused{};  ///< the longest pause that was usual since then
    RecentMaximum silences{seconds(10)};
    bool ever_heard = false;
    bool told_lost = false;
    std::optional<message::NodeReport> report;
    Instant report_at{};
    std::deque<std::uint64_t> replaced;  ///< earlier incarnations, newest last
  };
  /// Three of the longest silences that the node came back from lately, at least Timing::lost_after() and at most
  /// three times that; the usual pause is no part of a silence and comes on top.
  [[nodiscard]] Duration lost_after(const std::string& node, const Known& known, Instant now) const;

  /// How much longer than a heartbeat it is silent as a rule.
  [[nodiscard]] Duration pause_of(const std::string& node) const;

  std::string self_, leader_;
  Duration pause_;  ///< of nodes of which neither leads
  Duration suspect_after_;
  Duration lost_after_;
  std::map<std::string, Known> nodes_;
  Instant look_at_;  ///< nobody becomes lost before it
};

}  // namespace bascule::membership
