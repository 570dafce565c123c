#pragma once

#include <string>

#include "base/time.h"
#include "core/replication/engine.h"
#include "runtime/sim/cluster/scenario.h"
#include "wire/cluster_message/message.h"

namespace bascule::sim::cluster {

class Machine;
class Volume;
class World;

/// Looks at a run from outside, and changes nothing in it: with and without it a seed is the same run, but for its
/// event hash. It outlives the world.
class Observer {
 public:
  virtual ~Observer() = default;
  /// Looked so often.
  [[nodiscard]] virtual Duration interval() const = 0;
  virtual void look(World& world) = 0;
  /// Everything is as it should be; from now on faults fall.
  virtual void trouble_begins(World&) {}
  /// They fall no more, and what they broke is mended.
  virtual void trouble_ends(World&) {}
  /// All is well again, or something was broken, or it does not come to rest. What follows is for the checkers.
  virtual void rests(World&) {}
  virtual void struck(World&, Fault) {}
  /// What happens to a machine, in words.
  virtual void said(World&, const Machine&, const std::string&) {}
  virtual void told(World&, const Machine&, const message::Event&) {}
  virtual void volume_told(World&, const Machine&, const Volume&, const replication::effect::Event&) {}
};

}  // namespace bascule::sim::cluster
