#include "runtime/mount/mount_options.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace bascule::mount {
namespace {

struct Flag {
  std::string_view name;
  unsigned long bit;
  bool sets;
};

constexpr std::array flags = {
    Flag{"ro", MS_RDONLY, true},
    Flag{"rw", MS_RDONLY, false},
    Flag{"nosuid", MS_NOSUID, true},
    Flag{"suid", MS_NOSUID, false},
    Flag{"nodev", MS_NODEV, true},
    Flag{"dev", MS_NODEV, false},
    Flag{"noexec", MS_NOEXEC, true},
    Flag{"exec", MS_NOEXEC, false},
    Flag{"sync", MS_SYNCHRONOUS, true},
    Flag{"async", MS_SYNCHRONOUS, false},
    Flag{"dirsync", MS_DIRSYNC, true},
    Flag{"noatime", MS_NOATIME, true},
    Flag{"atime", MS_NOATIME, false},
    Flag{"nodiratime", MS_NODIRATIME, true},
    Flag{"diratime", MS_NODIRATIME, false},
    Flag{"relatime", MS_RELATIME, true},
    Flag{"norelatime", MS_RELATIME, false},
    Flag{"strictatime", MS_STRICTATIME, true},
    Flag{"nostrictatime", MS_STRICTATIME, false},
    Flag{"lazytime", MS_LAZYTIME, true},
    Flag{"nolazytime", MS_LAZYTIME, false},
    Flag{"silent", MS_SILENT, true},
    Flag{"loud", MS_SILENT, false},
    Flag{"mand", MS_MANDLOCK, true},
    Flag{"nomand", MS_MANDLOCK, false},
};

/// For fstab, systemd and mount(8); the kernel would refuse them.
bool is_for_others(std::string_view option) {
  static constexpr std::array names = {"defaults", "auto",  "noauto", "nofail", "_netdev", "user",
                                       "nouser",   "users", "owner",  "group",  "comment"};
  return option.empty() || option.starts_with("x-") || option.starts_with("X-") || option.starts_with("comment=") ||
         std::find(names.begin(), names.end(), option) != names.end();
}

}  // namespace

MountOptions parse_mount_options(const std::string& written) {
  MountOptions options;
  std::string_view rest(written);
  while (!rest.empty()) {
    const auto comma = std::min(rest.find(','), rest.size());
    const auto option = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const auto flag = std::find_if(flags.begin(), flags.end(), [&](const Flag& one) { return one.name == option; });
    if (flag != flags.end())
      options.flags = flag->sets ? options.flags | flag->bit : options.flags & ~flag->bit;
    else if (!is_for_others(option))
      options.data += (options.data.empty() ? "" : ",") + std::string(option);
  }
  return options;
}

}  // namespace bascule::mount
