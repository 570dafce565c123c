#pragma once

#include <string>

namespace bascule::mount {

struct MountOptions {
  unsigned long flags = 0;  ///< MS_*
  std::string data;         ///< what the file system itself understands
};

/// "noatime,nodev,data=ordered". What only mount(8) and its friends understand (noauto, nofail, x-...) is left out.
[[nodiscard]] MountOptions parse_mount_options(const std::string& written);

}  // namespace bascule::mount
