#pragma once

#include <memory>

#include "core/policy/snapshot.h"

/// Which resource runs where, in which order things start and stop, whom to fence: a pure function of what was
/// observed, with Pacemaker 2.1's meaning (README.md names the steps).
namespace bascule::policy {

namespace detail {
struct Board;
}

/// What is to be done. The board has everything that was decided on the way.
class Plan {
 public:
  explicit Plan(std::unique_ptr<detail::Board> board);
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;
  [[nodiscard]] const detail::Board& board() const { return *board_; }

 private:
  std::unique_ptr<detail::Board> board_;
};

/// Only what is: nodes, resources, where they run; nothing is decided.
[[nodiscard]] Plan observe(const Snapshot& snapshot);
/// Where everything would be placed; no actions, so that nothing is known of what cannot start for want of another.
[[nodiscard]] Plan place(const Snapshot& snapshot);
/// Deterministic to the byte.
[[nodiscard]] Plan plan(const Snapshot& snapshot);

}  // namespace bascule::policy
