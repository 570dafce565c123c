#include <algorithm>
#include <array>

#include "core/transition/detail/state.h"

namespace bascule::transition {
namespace {

struct Edge {
  ServiceStateName from;
  ServiceStateName to;
};

using enum ServiceStateName;

/// Every change of state that there is; the drawing in README.md is this table.
constexpr std::array edges = {
    Edge{Unknown, Stopped},
    Edge{Unknown, Promoting},
    Edge{Unknown, Starting},
    Edge{Unknown, Started},
    Edge{Unknown, Stopping},
    Edge{Unknown, Held},
    Edge{Unknown, Killing},
    Edge{Stopped, Promoting},
    Edge{Stopped, Starting},
    Edge{Stopped, Killing},
    Edge{Promoting, Starting},
    Edge{Promoting, Started},
    Edge{Promoting, Stopping},
    Edge{Promoting, Held},
    Edge{Promoting, Killing},
    Edge{Starting, Started},
    Edge{Starting, Stopping},
    Edge{Starting, Held},
    Edge{Starting, Killing},
    Edge{Started, Stopping},
    Edge{Started, Held},
    Edge{Started, Killing},
    Edge{Stopping, Starting},
    Edge{Stopping, Stopped},
    Edge{Stopping, Failed},
    Edge{Stopping, Killing},
    Edge{Held, Promoting},
    Edge{Held, Starting},
    Edge{Held, Started},
    Edge{Held, Stopping},
    Edge{Held, Killing},
    Edge{Killing, Stopped},
    Edge{Killing, Failed},
    Edge{Failed, Stopped},
    Edge{Failed, Killing},
    Edge{Stopping, Promoting},
    // after a maintenance: what runs is looked at anew
    Edge{Started, Unknown},
    Edge{Stopped, Unknown},
    Edge{Starting, Unknown},
    Edge{Stopping, Unknown},
    Edge{Promoting, Unknown},
    Edge{Held, Unknown},
    // a failure that blocks
    Edge{Started, Blocked},
    Edge{Unknown, Blocked},
    Edge{Held, Blocked},
    Edge{Blocked, Promoting},
    Edge{Blocked, Starting},
    Edge{Blocked, Started},
    Edge{Blocked, Stopping},
    Edge{Blocked, Held},
    Edge{Blocked, Killing},
};

}  // namespace

bool allowed(ServiceStateName from, ServiceStateName to) {
  return std::any_of(edges.begin(), edges.end(), [&](const Edge& edge) { return edge.from == from && edge.to == to; });
}

const char* text(ServiceStateName name) {
  switch (name) {
    case Unknown:
      return "Unknown";
    case Stopped:
      return "Stopped";
    case Promoting:
      return "Promoting";
    case Starting:
      return "Starting";
    case Started:
      return "Started";
    case Blocked:
      return "Blocked";
    case Stopping:
      return "Stopping";
    case Held:
      return "Held";
    case Killing:
      return "Killing";
    case Failed:
      return "Failed";
  }
  return "Unknown";
}

const char* text(StepRun::Condition condition) {
  switch (condition) {
    case StepRun::Condition::Unknown:
      return "Unknown";
    case StepRun::Condition::Stopped:
      return "Stopped";
    case StepRun::Condition::Starting:
      return "Starting";
    case StepRun::Condition::Started:
      return "Started";
    case StepRun::Condition::Stopping:
      return "Stopping";
    case StepRun::Condition::Failed:
      return "Failed";
  }
  return "Unknown";
}

}  // namespace bascule::transition
