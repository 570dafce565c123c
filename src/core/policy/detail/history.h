#pragma once

#include <cstddef>
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
};

/// Whether `left` happened after `right`: on one node by call id, on two by time; pending ones by their transition.
[[nodiscard]] bool later_than(const cib::OperationResult& left, const cib::OperationResult& right,
                              bool same_node = true);
/// The results as they happened. What cannot be told stands as the latest written first, and where pending results make
/// "later" contradict itself the outcome is that of a merge sort which halves.
[[nodiscard]] std::vector<const cib::OperationResult*> in_order(const cib::ResourceHistory& history);
/// When, by the results in order, it last began to run as it does, and when it last stopped; -1: not recorded. Where
/// nothing tells its start the last change of role does, or else the first monitor that found it active, be it a probe.
struct Activity {
  std::ptrdiff_t start = -1;
  std::ptrdiff_t stop = -1;
};
[[nodiscard]] Activity activity(const std::vector<const cib::OperationResult*>& results);
/// A failure that is older than the resource's failure-timeout; its fail count is to be cleared.
[[nodiscard]] bool expired(Board& board, const History& history, const Outcome& outcome);
void migrated_away(Board& board, History& history, const Outcome& outcome);
void migration_failed(Board& board, History& history, const Outcome& outcome);
/// Recurring operations that run now, so that what is not wanted any more can be cancelled.
void remember_recurring(Board& board, const History& history);
/// What the role and the worst failure mean for the resource and the node.
void settle(Board& board, History& history);

}  // namespace bascule::policy::detail
