#pragma once

#include <string>

#include "base/result.h"

namespace bascule::files {

/// True when nothing is on this file or block device as far as a look at it tells: its first 4 MiB, its last MiB, the
/// place of ext4's second superblock, and 64 KiB at each 64th of it are zero. Errors: it cannot be read.
[[nodiscard]] Result<bool> is_blank(const std::string& path);

/// Makes a file system on a blank device; what holds anything stays as it is. Blocking: for a process of its own.
/// `type`: ext4 or xfs. True when it was made.
[[nodiscard]] Result<bool> make_filesystem(const std::string& device, const std::string& type);

}  // namespace bascule::files
