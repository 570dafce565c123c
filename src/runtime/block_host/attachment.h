#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/device/fuse_device.h"
#include "runtime/device/loop_device.h"
#include "runtime/uring/offload.h"

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

  Attachment(uring::Ring& ring, uring::BufferPool& pool, uring::Offload& offload, device::Volume& volume,
             std::string run_dir);
  ~Attachment();

  /// Mounts the FUSE file system. Errors: why there will be no device.
  Result<void> mount();
  void attach(AttachDone done);
  void detach(DetachDone done);
  void abandon();
  void resume() {
    if (fuse_) fuse_->resume();
  }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const std::string& device() const { return device_; }  ///< "/dev/loop3"; empty unless Attached

 private:
  void attached(std::uint64_t turn, const Result<void>& result, std::shared_ptr<device::LoopDevice> loop,
                const AttachDone& done);
  void publish(const std::string& device);

  uring::Ring& ring_;
  uring::BufferPool& pool_;
  uring::Offload& offload_;
  device::Volume& volume_;
  std::string run_dir_, link_, device_;
  std::unique_ptr<device::FuseDevice> fuse_;
  std::shared_ptr<device::LoopDevice> loop_;
  State state_ = State::Detached;
  std::uint64_t turn_ = 0;  ///< grows with each change of mind: what an earlier turn finishes is dropped
};

}  // namespace bascule::block_host
