#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/sim/cluster/world.h"

namespace bascule::sim::rehearse {

/// What a run did to one service, or to the second copy of one volume.
struct Span {
  Duration gone{};   ///< together, as long as it was not there
  bool back = true;  ///< it was there at the end
};

/// One line of what happened, in its order.
struct StoryLine {
  Duration at{};     ///< since faults began to fall
  std::string who;   ///< a machine; empty: nobody in particular
  std::string text;  ///< a sentence without its stop, or with it
};

/// Stands beside a run with a clock for each service: it is there while one machine runs all of it without an error,
/// its addresses answer, and its volume takes writes. And for each volume: both copies are there while the agreed
/// in-sync set has both.
class Watch final : public cluster::Observer {
 public:
  /// `tells`: it also keeps the story.
  explicit Watch(bool tells) : tells_(tells) {}

  [[nodiscard]] const std::map<std::string, Span>& services() const { return services_; }
  [[nodiscard]] const std::map<std::string, Span>& copies() const { return copies_; }
  [[nodiscard]] const std::vector<StoryLine>& story() const { return story_; }

  [[nodiscard]] Duration interval() const override { return milliseconds(10); }
  void look(cluster::World& world) override;
  void trouble_begins(cluster::World& world) override;
  void trouble_ends(cluster::World& world) override;
  void rests(cluster::World& world) override;
  void struck(cluster::World& world, cluster::Fault fault) override;
  void said(cluster::World& world, const cluster::Machine& machine, const std::string& line) override;
  void told(cluster::World& world, const cluster::Machine& machine, const message::Event& event) override;
  void volume_told(cluster::World& world, const cluster::Machine& machine, const cluster::Volume& volume,
                   const replication::effect::Event& event) override;

 private:
  void tell(cluster::World& world, std::string who, std::string text);
  void note(cluster::World& world, Span& span, bool there, const std::string& what);

  bool tells_;
  bool watching_ = false;
  WorldTime began_{};
  std::map<std::string, Span> services_, copies_;
  std::vector<StoryLine> story_;
  std::set<std::string> told_;  ///< what was agreed is told by every node, and once here
};

}  // namespace bascule::sim::rehearse
