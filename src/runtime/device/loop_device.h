#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace bascule::device {

inline constexpr const char* kCannotAttachLoop = "the volume cannot be attached to a loop device";

/// A loop device on a file of ours. Every call blocks, and its ioctls read the file: when the file is under FUSE, never
/// call from the thread that answers FUSE.
class LoopDevice {
 public:
  LoopDevice() = default;
  LoopDevice(LoopDevice&& other) noexcept;
  LoopDevice& operator=(LoopDevice&& other) noexcept;
  /// Lets the device go; it is detached when the last other opener closes it.
  ~LoopDevice();

  /// Direct I/O, 512-byte sectors, detached by the kernel with its last close. Takes another number when somebody is
  /// faster. Errors: not root, no loop devices.
  [[nodiscard]] static Result<LoopDevice> attach(const std::string& file);

  /// The file, under this path, has another size: so has the device, for whoever has it open as well. Nothing happens
  /// when it is not attached.
  [[nodiscard]] Result<void> refresh_size(const std::string& file);

  enum class Detached { yes, in_use };
  /// Detaches unless somebody else has it open; then it stays attached and nothing has changed.
  [[nodiscard]] Detached detach();

  [[nodiscard]] bool attached() const { return descriptor_ >= 0; }
  [[nodiscard]] const std::string& path() const { return path_; }  ///< "/dev/loop3"

 private:
  [[nodiscard]] bool still_ours(int descriptor) const;
  int descriptor_ = -1;
  std::string path_;
  std::uint64_t backing_device_ = 0, backing_inode_ = 0;
};

}  // namespace bascule::device
