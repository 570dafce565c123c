#pragma once

#include <string>

#include "base/result.h"

namespace bascule::watchdog {

/// The hardware watchdog, or whatever stands in for it: a file that resets the machine when nobody writes to it.
class WatchdogDevice {
 public:
  /// `path` empty: there is none. Nothing is opened yet.
  explicit WatchdogDevice(std::string path) : path_(std::move(path)) {}
  WatchdogDevice(const WatchdogDevice&) = delete;
  WatchdogDevice& operator=(const WatchdogDevice&) = delete;
  /// Closes without the magic close: the device goes on counting.
  ~WatchdogDevice();

  /// Writes one byte; opens the device first if need be. 0 or an errno value.
  [[nodiscard]] int pet();
  /// The magic close ('V'): the device stops counting. Only when nothing is armed.
  void disarm();
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  [[nodiscard]] int open_device();
  void close_device();
  std::string path_;
  int fd_ = -1;
};

}  // namespace bascule::watchdog
