#include "runtime/device/mounts.h"

#include <sched.h>
#include <sys/mount.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <vector>

namespace bascule::device {
namespace {

struct Mount {
  std::string mount_point, source;
};

// proc(5): ID parent major:minor root MOUNT_POINT options [optional ...] - type SOURCE super-options. Paths with blanks
// are escaped; ours have none that matter here.
std::vector<Mount> mounts() {
  std::vector<Mount> found;
  std::ifstream file("/proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string word;
    Mount mount;
    for (int i = 0; i < 5 && words >> mount.mount_point; ++i) {
    }
    while (words >> word && word != "-") {
    }
    words >> word >> mount.source;
    found.push_back(mount);
  }
  return found;
}

}  // namespace

std::string source_of_mount(const std::string& mount_point) {
  std::string source;
  for (const Mount& mount : mounts())
    if (mount.mount_point == mount_point) source = mount.source;
  return source;
}

Result<void> leave_mount_namespace() {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return fail_errno("no mounts of its own for this process", "unshare", errno);
  for (const Mount& mount : mounts())
    if (mount.source.starts_with("/dev/loop")) umount2(mount.mount_point.c_str(), MNT_DETACH);
  return {};
}

}  // namespace bascule::device
