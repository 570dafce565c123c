#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "runtime/process/detail/descriptor.h"
#include "runtime/process/executor.h"

namespace bascule::process {

struct Spawned {
  pid_t pid = -1;
  Descriptor pidfd;
  Descriptor output;  ///< read ends, non-blocking
  Descriptor errors;
  Descriptor failure;  ///< holds an errno if exec failed; non-blocking
};

/// Starts the agent as a child in its own session, in the cgroup behind `cgroup` (-1: none). Only the failures of
/// making the process are errors here; that the program cannot be executed comes later through `failure`.
[[nodiscard]] Result<Spawned> spawn(const Launch& launch, const std::string& marker, int cgroup);

}  // namespace bascule::process
