#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/result.h"
#include "runtime/uring/ring.h"

namespace bascule::uring {

/// Runs calls that block (mounting, loop devices, name lookups) on threads of their own, one each, and reports on the
/// event thread. For rare things only.
class Offload {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Offload>> create(Ring& ring);
  /// Waits for what still runs; its `done` is not called.
  ~Offload();
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  /// `work` runs on another thread; then `done` runs from Ring::dispatch().
  void run(std::function<void()> work, std::function<void()> done);
  [[nodiscard]] bool busy() const { return !jobs_.empty(); }

 private:
  struct Job;
  Offload(Ring& ring, int descriptor);
  void collect();

  Ring& ring_;
  int descriptor_;
  OperationHandle watch_ = 0;
  std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace bascule::uring
