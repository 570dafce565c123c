#pragma once

#include <sys/types.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/device/loop_device.h"
#include "runtime/uring/ring.h"

namespace bascule::device {

/// A child process that does with the block device what may block: attach and detach the loop device, and clean up
/// after us. It must be a process and not a thread: a thread that waits for the volume inside the kernel keeps the
/// files of its process open, /dev/fuse among them, and a killed process would then wait for its own answer for ever.
///
/// It ends when this process ends, in whatever way: then it lets the loop device go, removes the link to it, and
/// unmounts the FUSE file system if that is still ours.
class DeviceHelper {
 public:
  struct Paths {
    std::string mount_point;
    std::string mount_source;  ///< tells our mount from a successor's at the same place
    std::string link;          ///< RUN_DIR/device/VOLUME
  };
  using AttachDone = std::function<void(const Result<std::string>&)>;  ///< "/dev/loop3"
  using RefreshDone = std::function<void(const Result<void>&)>;
  using DetachDone = std::function<void(LoopDevice::Detached)>;

  /// Call it before the ring, /dev/fuse and threads exist, in the mount namespace where the device shall be seen.
  [[nodiscard]] static Result<std::unique_ptr<DeviceHelper>> start(const Paths& paths);
  /// Ends the child and waits a little for it.
  ~DeviceHelper();
  DeviceHelper(const DeviceHelper&) = delete;
  DeviceHelper& operator=(const DeviceHelper&) = delete;

  /// From now on answers come in Ring::dispatch().
  void listen(uring::Ring& ring);

  // Carried out one after the other. When the child is gone, attach fails and detach succeeds: it took the device
  // along.
  void attach(AttachDone done);
  void detach(DetachDone done);
  /// The file has another size; without a loop device nothing happens.
  void refresh_size(RefreshDone done);
  /// Lets the device go, whoever has it open.
  void abandon();

 private:
  struct Waiting {
    AttachDone attached;
    DetachDone detached;
    RefreshDone refreshed;
  };

  DeviceHelper(int socket, pid_t child) : socket_(socket), child_(child) {}
  void ask(char command, Waiting waiting);
  void receive();
  void answer(Waiting waiting, const std::string& reply);
  void lost();

  int socket_;
  pid_t child_;
  uring::Ring* ring_ = nullptr;
  uring::OperationHandle watch_ = 0;
  std::deque<Waiting> waiting_;
  bool lost_ = false;
};

}  // namespace bascule::device
