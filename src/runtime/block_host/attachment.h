#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/device/device_helper.h"
#include "runtime/device/fuse_device.h"

namespace bascule::block_host {

/// The volume as a block device of this node while it is primary: FUSE file, loop device on it, and the symbolic link
/// RUN_DIR/device/VOLUME. Without FUSE (no root, no /dev/fuse) there is no device and everything else works.
///
///   Detached --attach--> Attaching --> Attached --detach--> Detaching --> Detached | Attached (somebody has it open)
///   any --abandon--> Detached: whoever still has the device open gets errors, for ever
class Attachment {
 public:
  enum class State { Detached, Attaching, Attached, Detaching };
  using AttachDone = std::function<void(const Result<void>&)>;
  using DetachDone = std::function<void(device::LoopDevice::Detached)>;

  /// Starts the device helper; so before the ring and everything else is there.
  [[nodiscard]] static Result<std::unique_ptr<Attachment>> prepare(const std::string& run_dir,
                                                                   const std::string& volume);
  ~Attachment();

  /// Mounts the FUSE file system, and leaves the mount namespace. Errors: why there will be no device.
  Result<void> mount(uring::Ring& ring, uring::BufferPool& pool, device::Volume& volume);
  void attach(AttachDone done);
  void detach(DetachDone done);
  void abandon();
  /// The volume has another size: an attached loop device takes it over.
  void refresh_size(AttachDone done);
  void resume() {
    if (fuse_) fuse_->resume();
  }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& device() const { return device_; }  ///< "/dev/loop3"; empty unless Attached

 private:
  Attachment(device::DeviceHelper::Paths paths, std::unique_ptr<device::DeviceHelper> helper)
      : paths_(std::move(paths)), helper_(std::move(helper)) {}
  void attached(const Result<std::string>& device, const AttachDone& done);

  device::DeviceHelper::Paths paths_;
  std::unique_ptr<device::DeviceHelper> helper_;
  std::unique_ptr<device::FuseDevice> fuse_;  // destroyed first: then nothing of the helper waits for us
  std::string device_;
  State state_ = State::Detached;
  std::uint64_t turn_ = 0;  ///< grows with each change of mind: what an earlier turn finishes is dropped
};

}  // namespace bascule::block_host
