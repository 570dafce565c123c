#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/policy/plan.h"
#include "core/policy/score.h"

/// Why a resource runs where it does. Pure; README.md says how an answer is made.
namespace bascule::explain {

struct Question {
  std::string resource;
  std::string on;               ///< why does it run there; empty: not asked
  std::string not_on;           ///< why does it not run there; empty: not asked
  bool smallest_change = true;  ///< look for one, too
};

/// One summand of a score, in words.
struct Summand {
  policy::Score score = 0;
  std::string cause;
};

struct NodeAnswer {
  std::string node;
  bool chosen = false;
  std::string sentence;                ///< "alice: it runs there and stays: ..."
  std::optional<policy::Score> score;  ///< nothing: the node is not allowed at all
  std::vector<Summand> summands;       ///< added up, in this order, they are the score
};

/// A single change that would alter the decision, tried by planning on the changed cluster.
struct SmallestChange {
  std::string change;  ///< "end the standby of alice"
  std::string effect;  ///< "web runs on alice"
};

struct Answer {
  std::string resource;
  std::string sentence;
  std::vector<NodeAnswer> nodes;  ///< where it is or will be first, then by score
  std::optional<SmallestChange> smallest;
  std::string without_change;  ///< why there is no `smallest`
  int tried = 0;               ///< changes that were planned
};

/// An error names what is unknown, and what is most like it.
[[nodiscard]] Result<Answer> why(const policy::Snapshot& snapshot, const Question& question);

}  // namespace bascule::explain
