#include "runtime/device/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

namespace bascule::device {
namespace {

constexpr unsigned kLoopMajor = 7;

struct Descriptor {
  explicit Descriptor(int number_) : number(number_) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  int release() { return std::exchange(number, -1); }
  int number;
};

// In a container /dev may lack nodes for numbers the kernel has just made.
int open_node(const std::string& path, unsigned number) {
  int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT && mknod(path.c_str(), S_IFBLK | 0600, makedev(kLoopMajor, number)) == 0)
    descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  return descriptor;
}

loop_config configuration(int backing, const std::string& file) {
  loop_config config{};
  config.fd = static_cast<__u32>(backing);
  config.info.lo_flags = LO_FLAGS_DIRECT_IO | LO_FLAGS_AUTOCLEAR;
  std::strncpy(reinterpret_cast<char*>(config.info.lo_file_name), file.c_str(), LO_NAME_SIZE - 1);
  return config;
}

}  // namespace

LoopDevice::LoopDevice(LoopDevice&& other) noexcept { *this = std::move(other); }

LoopDevice& LoopDevice::operator=(LoopDevice&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  std::swap(backing_device_, other.backing_device_);
  std::swap(backing_inode_, other.backing_inode_);
  return *this;
}

LoopDevice::~LoopDevice() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<LoopDevice> LoopDevice::attach(const std::string& file) {
  const Descriptor control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (control.number < 0) return fail_errno(kCannotAttachLoop, "/dev/loop-control", errno);
  const Descriptor backing(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (backing.number < 0) return fail_errno(kCannotAttachLoop, file, errno);
  struct stat fresh {};
  if (::fstat(backing.number, &fresh) != 0)
    return fail_errno(kCannotAttachLoop, file, errno);  // FUSE learns the size of today
  const loop_config config = configuration(backing.number, file);
  constexpr int attempts = 64;  // the free number may be taken by somebody else before we configure it
  for (int attempt = 0; attempt < attempts; ++attempt) {
    const int number = ioctl(control.number, LOOP_CTL_GET_FREE);
    if (number < 0) return fail_errno(kCannotAttachLoop, "/dev/loop-control", errno);
    LoopDevice device;
    device.path_ = "/dev/loop" + std::to_string(number);
    Descriptor node(open_node(device.path_, static_cast<unsigned>(number)));
    if (node.number < 0) return fail_errno(kCannotAttachLoop, device.path_, errno);
    if (ioctl(node.number, LOOP_CONFIGURE, &config) == 0) {
      loop_info64 information{};
      if (ioctl(node.number, LOOP_GET_STATUS64, &information) != 0)
        return fail_errno(kCannotAttachLoop, device.path_, errno);
      device.backing_device_ = information.lo_device;
      device.backing_inode_ = information.lo_inode;
      device.descriptor_ = node.release();
      return device;
    }
    if (errno != EBUSY) return fail_errno(kCannotAttachLoop, device.path_, errno);
  }
  return fail(kCannotAttachLoop, "/dev/loop-control", "every free device was taken by somebody else");
}

// The loop driver takes the size that the kernel last heard of; asking FUSE for it refreshes that.
Result<void> LoopDevice::refresh_size(const std::string& file) {
  if (descriptor_ < 0) return {};
  constexpr const char* what = "the loop device cannot take over the new size";
  struct stat fresh {};
  if (::stat(file.c_str(), &fresh) != 0) return fail_errno(what, file, errno);
  if (ioctl(descriptor_, LOOP_SET_CAPACITY, 0) != 0) return fail_errno(what, path_, errno);
  return {};
}

bool LoopDevice::still_ours(int descriptor) const {
  loop_info64 information{};
  if (ioctl(descriptor, LOOP_GET_STATUS64, &information) != 0) return false;
  return information.lo_device == backing_device_ && information.lo_inode == backing_inode_;
}

// The kernel does not say how many have the device open. But it detaches with the last close: so close, and look.
LoopDevice::Detached LoopDevice::detach() {
  if (descriptor_ < 0) return Detached::yes;
  constexpr int looks = 5;  // something like udev may have it open for a moment
  for (int look = 0; look < looks; ++look) {
    fsync(descriptor_);
    ::close(descriptor_);
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor_ < 0) return Detached::yes;
    if (!still_ours(descriptor_)) {
      ::close(std::exchange(descriptor_, -1));
      return Detached::yes;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return Detached::in_use;
}

}  // namespace bascule::device
