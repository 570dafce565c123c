#pragma once

#include <cstddef>
#include <vector>

#include "edge/cli/cib_input.h"
#include "edge/explain/decision.h"

namespace bascule::cli {

/// Whether `snapshot` names a file with decisions of a manager, and no snapshot of a CIB. False also for what cannot be
/// read.
[[nodiscard]] bool holds_decisions(const CibInput& input);

/// One of a file's decisions.
struct PickedDecision {
  decisions::Record record;
  std::size_t number = 0, of = 0;  ///< its place, from 1
};

/// The decision that `input` is about: its `decision`, from 1; 0: the newest. A last line that a dying machine left
/// torn does not count.
[[nodiscard]] Result<PickedDecision> pick_decision(const CibInput& input);

/// Taken again, with what is injected.
[[nodiscard]] Result<explain::Replayed> replay_decision(const CibInput& input);

/// How many of the file's decisions are the same when they are taken again, and which are not.
struct ReplayedAll {
  std::size_t of = 0;
  std::vector<std::size_t> others;  ///< numbers of those that are decided in another way, from 1
};
[[nodiscard]] Result<ReplayedAll> replay_all(const CibInput& input);

}  // namespace bascule::cli
