// Tries single changes until one alters the decision.
#include "core/explain/smallest.h"

#include <algorithm>
#include <memory>

#include "core/explain/candidates.h"
#include "core/explain/words.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there

/// How many changes are planned: an answer shall not take longer for a large cluster.
std::size_t limit_for(const Board& board) {
  const std::size_t cells = board.nodes.size() * board.resources.size() + 1;
  return std::clamp<std::size_t>(80'000 / cells, 2, 60);
}

bool reached(const std::vector<std::string>& now, const std::vector<std::string>& before, Goal::What what,
             const std::string& node) {
  if (what == Goal::What::run) return !now.empty();
  if (what == Goal::What::change) return now != before;
  const bool there = std::find(now.begin(), now.end(), node) != now.end();
  return there == (what == Goal::What::come);
}

std::string effect_text(const Board& board, const Subject& subject) {
  const std::vector<std::string> now = places(board, subject);
  return now.empty() ? subject.name + " runs nowhere" : subject.name + " runs on " + list_text(now, 8);
}

bool any_blocked(const Board& board, const Subject& subject) {
  return std::any_of(subject.leaves.begin(), subject.leaves.end(),
                     [&](ResourceId leaf) { return blocked_start(board, leaf) != nullptr; });
}

}  // namespace

void find_smallest(const policy::Snapshot& snapshot, const Board& board, const Subject& subject, Goal goal,
                   Answer& answer) {
  const std::vector<Candidate> all = candidates(board, subject, goal);
  const std::size_t limit = limit_for(board);
  const auto before = places(board, subject);
  const std::string node = goal.node == kNone ? std::string() : board.node(goal.node).name;
  // What cannot start only a whole plan knows; else the placement is enough.
  const bool whole = any_blocked(board, subject);
  const auto draft = std::make_shared<cib::Cib>(*snapshot.cib);
  for (std::size_t i = 0; i < all.size() && i < limit; ++i) {
    const Undo undo = all[i].edit(*draft);
    ++answer.tried;
    {
      const policy::Snapshot changed{draft, snapshot.now_s, false};
      const policy::Plan plan = whole ? policy::plan(changed) : policy::place(changed);
      const auto again = find_subject(plan.board(), subject.name);
      if (again && reached(places(plan.board(), *again), before, goal.what, node))
        answer.smallest = SmallestChange{all[i].text, effect_text(plan.board(), *again)};
    }
    undo();
    if (answer.smallest) return;
  }
  const std::string number = std::to_string(answer.tried);
  answer.without_change = all.empty()          ? "no single change comes into question"
                          : all.size() > limit ? "none of the " + number + " smallest changes that were tried alters it"
                                               : "no single change of " + number + " that were tried alters it";
}

}  // namespace bascule::explain
