#pragma once

#include <string>

#include "base/result.h"

namespace bascule::device {

/// The source of what is mounted at `mount_point` (the topmost), or empty. Does not touch the mount itself.
[[nodiscard]] std::string source_of_mount(const std::string& mount_point);

/// Gives this process mounts of its own: it sees none that come later, and none that lie on loop devices. Without this,
/// a killed process that serves FUSE and is the last of its mount namespace would unmount, inside the kernel, a file
/// system that needs its own answers. Errors: not root.
[[nodiscard]] Result<void> leave_mount_namespace();

}  // namespace bascule::device
