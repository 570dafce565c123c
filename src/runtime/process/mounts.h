#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "runtime/process/log.h"

namespace bascule::process {

struct Mount {
  unsigned major = 0, minor = 0;
  std::string source;  ///< "/dev/loop0"
  std::string target;  ///< "/srv/data", octal escapes undone
  std::string type;    ///< "ext4"
};

/// The lines of /proc/self/mountinfo, in mount order; lines that are not whole are left out.
[[nodiscard]] std::vector<Mount> parse_mountinfo(std::string_view text);

/// Everything that is mounted in this mount namespace, in mount order.
[[nodiscard]] std::vector<Mount> all_mounts();

/// What of `device` (a block device or a symbolic link to one) is mounted in this mount namespace, in mount order: by
/// device number, and by name, since the device may be gone already.
[[nodiscard]] std::vector<Mount> mounts_of(const std::string& device);

struct UnmountResult {
  bool clean = false;  ///< nothing was mounted, or all of it went without MNT_DETACH
  std::vector<std::string> targets;
};

/// Unmounts in a process of its own, since umount(2) can block for as long as writes are held, and who waits for that
/// cannot be killed.
class Unmounter {
 public:
  Unmounter(boost::asio::io_context& io, Log log);
  /// Processes that hang in the kernel are left to it.
  ~Unmounter();
  Unmounter(const Unmounter&) = delete;
  Unmounter& operator=(const Unmounter&) = delete;

  /// Last mounted first. What is busy, or takes longer than `patience`, is detached (MNT_DETACH). `done` is called
  /// once, from the io_context. An Unmount of a device that is under way already joins it.
  void unmount_all(const std::string& device, Duration patience, std::function<void(const UnmountResult&)> done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bascule::process
