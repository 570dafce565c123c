#include "runtime/block_host/attachment.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "runtime/device/mounts.h"

namespace bascule::block_host {

using device::DeviceHelper;
using device::LoopDevice;

Result<std::unique_ptr<Attachment>> Attachment::prepare(const std::string& run_dir, const std::string& volume) {
  std::error_code error;
  std::filesystem::create_directories(run_dir + "/device", error);
  if (!error) std::filesystem::create_directories(run_dir + "/fuse", error);
  if (error) return fail("the run directory cannot be made", run_dir, error.message());
  DeviceHelper::Paths paths{std::filesystem::canonical(run_dir, error).string() + "/fuse/" + volume,
                            "bascule:" + volume + ":" + std::to_string(::getpid()), run_dir + "/device/" + volume};
  if (error) return fail("the run directory cannot be used", run_dir, error.message());
  // The mount point may be a dead mount, on which every look fails; mkdir() asks only the directory above.
  ::mkdir(paths.mount_point.c_str(), 0700);
  ::unlink(paths.link.c_str());
  auto helper = DeviceHelper::start(paths);
  if (!helper) return tl::unexpected(helper.error());
  return std::unique_ptr<Attachment>(new Attachment(std::move(paths), std::move(*helper)));
}

Attachment::~Attachment() = default;

Result<void> Attachment::mount(uring::Ring& ring, uring::BufferPool& pool, device::Volume& volume) {
  helper_->listen(ring);
  auto fuse = device::FuseDevice::mount(ring, pool, volume, paths_.mount_point, paths_.mount_source);
  if (!fuse) return tl::unexpected(fuse.error());
  if (const auto left = device::leave_mount_namespace(); !left) return left;
  fuse_ = std::move(*fuse);
  return {};
}

void Attachment::attach(AttachDone done) {
  const std::uint64_t turn = ++turn_;
  state_ = State::Attaching;
  if (!fuse_) {
    state_ = State::Attached;
    return done({});
  }
  fuse_->begin_generation();
  helper_->attach([this, turn, done = std::move(done)](const Result<std::string>& device) {
    if (turn == turn_) return attached(device, done);
    done(fail("the volume cannot be attached to a loop device", "", "it was demoted meanwhile"));
  });
}

void Attachment::attached(const Result<std::string>& device, const AttachDone& done) {
  state_ = device ? State::Attached : State::Detached;
  device_ = device.value_or("");
  if (device) return done({});
  fuse_->end_generation();
  done(tl::unexpected(device.error()));
}

void Attachment::detach(DetachDone done) {
  const std::uint64_t turn = ++turn_;
  if (!fuse_) {
    state_ = State::Detached;
    return done(LoopDevice::Detached::yes);
  }
  state_ = State::Detaching;
  helper_->detach([this, turn, done = std::move(done)](LoopDevice::Detached outcome) {
    if (turn != turn_) return done(LoopDevice::Detached::yes);
    const bool gone = outcome == LoopDevice::Detached::yes;
    state_ = gone ? State::Detached : State::Attached;
    if (gone) {
      fuse_->end_generation();
      device_.clear();
    }
    done(outcome);
  });
}

void Attachment::refresh_size(AttachDone done) {
  if (fuse_ && state_ != State::Detached) helper_->refresh_size(std::move(done));
}

void Attachment::abandon() {
  ++turn_;
  state_ = State::Detached;
  device_.clear();
  if (!fuse_) return;
  fuse_->end_generation();
  helper_->abandon();
}

}  // namespace bascule::block_host
