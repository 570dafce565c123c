#include "runtime/mount/mount_watch.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

namespace bascule::mount {

Result<void> MountWatch::open() {
  const int number = ::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (number < 0) return fail_errno("mounts cannot be watched", "/proc/self/mountinfo", errno);
  table_.assign(number);
  listen();
  return {};
}

/// proc(5): a change of the table is an exceptional condition (POLLPRI), told once each.
void MountWatch::listen() {
  table_.async_wait(boost::asio::posix::stream_descriptor::wait_error, [this](const boost::system::error_code& error) {
    if (error) return;
    changed_();
    listen();
  });
}

}  // namespace bascule::mount
