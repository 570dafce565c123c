#include "runtime/watchdog/watchdog_device.h"

#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

namespace bascule::watchdog {

WatchdogDevice::~WatchdogDevice() { close_device(); }

void WatchdogDevice::close_device() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

int WatchdogDevice::open_device() {
  fd_ = open(path_.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO without a reader must not hold us up
  if (fd_ < 0) return errno;
  int timeout_s = 10;
  (void)ioctl(fd_, WDIOC_SETTIMEOUT, &timeout_s);  // refused by a FIFO and by devices with a fixed time
  return 0;
}

int WatchdogDevice::pet() {
  if (path_.empty()) return ENOENT;
  if (fd_ < 0)
    if (const int error = open_device(); error != 0) return error;
  if (write(fd_, "1", 1) == 1) return 0;
  const int error = errno;
  if (error == EAGAIN) return 0;  // a FIFO whose reader is slow is full of our pets
  close_device();
  return error;
}

void WatchdogDevice::disarm() {
  if (fd_ >= 0) (void)!write(fd_, "V", 1);
  close_device();
}

}  // namespace bascule::watchdog
