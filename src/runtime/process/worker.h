#pragma once

#include <functional>

namespace bascule::process {

/// Runs `work` on a detached thread with a small stack and all signals blocked (signals are the loop's). For what waits
/// for the kernel or takes long; `work` owns all that it touches. False: there is no thread.
[[nodiscard]] bool start_worker(std::function<void()> work);

}  // namespace bascule::process
