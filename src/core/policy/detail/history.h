#pragma once

#include <cstdint>
#include <vector>

#include "core/policy/board.h"

namespace bascule::policy::detail {

/// One recorded result, and what it is worth.
struct Outcome {
  /// op-status of the history.
  enum Status : int {
    pending = -1,
    done = 0,
    cancelled = 1,
    timeout = 2,
    not_supported = 3,
    error = 4,
    error_hard = 5,
    error_fatal = 6,
    not_installed = 7,
    not_connected = 8,
    invalid = 9
  };
  const cib::OperationResult* result = nullptr;
  int status = done;
  int rc = 0;
  int expected = 0;  ///< -1: nothing was
  bool on_fail_cleared = false;
};

/// The history of one resource on one node while it is read, oldest result first.
struct History {
  ResourceId resource = kNone;
  NodeId node = kNone;
  OnFail on_fail = OnFail::ignore;  ///< the worst that no success has made good
  const cib::OperationResult* last_failure = nullptr;
  std::vector<const cib::OperationResult*> results;
  std::vector<const cib::OperationResult*> rescheduled;  ///< recurring, their failure has expired
};

/// Whether `left` happened after `right` on the same node: by call id; pending and clones' results by time.
[[nodiscard]] bool later_than(const cib::OperationResult& left, const cib::OperationResult& right);
/// A failure that is older than the resource's failure-timeout; its fail count is to be cleared.
[[nodiscard]] bool expired(Board& board, const History& history, const Outcome& outcome);
void migrated_away(Board& board, History& history, const Outcome& outcome);
void migration_failed(Board& board, History& history, const Outcome& outcome);
/// Recurring operations that run now, so that what is not wanted any more can be cancelled.
void remember_recurring(Board& board, const History& history);
/// What the role and the worst failure mean for the resource and the node.
void settle(Board& board, History& history);

}  // namespace bascule::policy::detail
