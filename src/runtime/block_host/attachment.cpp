#include "runtime/block_host/attachment.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace bascule::block_host {

using device::LoopDevice;

Attachment::Attachment(uring::Ring& ring, uring::BufferPool& pool, uring::Offload& offload, device::Volume& volume,
                       std::string run_dir)
    : ring_(ring),
      pool_(pool),
      offload_(offload),
      volume_(volume),
      run_dir_(std::move(run_dir)),
      link_(run_dir_ + "/device/" + volume.name()) {}

// FUSE first: closing a loop device may write to it, and the thread that would answer is this one.
Attachment::~Attachment() {
  publish("");
  fuse_.reset();
}

Result<void> Attachment::mount() {
  publish("");
  const std::string mount_point = run_dir_ + "/fuse/" + volume_.name();
  std::error_code error;
  std::filesystem::create_directories(run_dir_ + "/device", error);
  if (!error) std::filesystem::create_directories(run_dir_ + "/fuse", error);
  // The mount point itself may be a dead mount, on which every look fails: only mkdir() tells nothing of it.
  ::mkdir(mount_point.c_str(), 0700);
  if (error) return fail("the volume cannot be shown as a file", mount_point, error.message());
  auto fuse = device::FuseDevice::mount(ring_, pool_, volume_, mount_point);
  if (!fuse) return tl::unexpected(fuse.error());
  fuse_ = std::move(*fuse);
  return {};
}

void Attachment::publish(const std::string& device) {
  device_ = device;
  ::unlink(link_.c_str());
  if (!device.empty()) (void)!::symlink(device.c_str(), link_.c_str());
}

void Attachment::attach(AttachDone done) {
  const std::uint64_t turn = ++turn_;
  state_ = State::Attaching;
  if (!fuse_) {
    state_ = State::Attached;
    return done({});
  }
  fuse_->begin_generation();
  auto loop = std::make_shared<LoopDevice>();
  auto result = std::make_shared<Result<void>>();
  offload_.run(
      [loop, result, file = fuse_->file()] {
        auto attached = LoopDevice::attach(file);
        if (attached)
          *loop = std::move(*attached);
        else
          *result = tl::unexpected(attached.error());
      },
      [this, turn, loop, result, done] { attached(turn, *result, loop, done); });
}

void Attachment::attached(std::uint64_t turn, const Result<void>& result, std::shared_ptr<LoopDevice> loop,
                          const AttachDone& done) {
  if (turn != turn_) {  // abandoned meanwhile; letting the device go may block
    offload_.run([loop] { *loop = LoopDevice(); }, [] {});
    return done(fail("the volume cannot be attached to a loop device", "", "it was demoted meanwhile"));
  }
  state_ = result ? State::Attached : State::Detached;
  if (result) {
    loop_ = std::move(loop);
    publish(loop_->path());
  } else {
    fuse_->end_generation();
  }
  done(result);
}

void Attachment::detach(DetachDone done) {
  const std::uint64_t turn = ++turn_;
  if (!loop_) {
    state_ = State::Detached;
    if (fuse_) fuse_->end_generation();
    return done(LoopDevice::Detached::yes);
  }
  state_ = State::Detaching;
  auto outcome = std::make_shared<LoopDevice::Detached>();
  offload_.run([loop = loop_, outcome] { *outcome = loop->detach(); },
               [this, turn, outcome, done] {
                 if (turn != turn_) return done(LoopDevice::Detached::yes);
                 const bool gone = *outcome == LoopDevice::Detached::yes;
                 state_ = gone ? State::Detached : State::Attached;
                 if (gone) {
                   loop_.reset();
                   fuse_->end_generation();
                   publish("");
                 }
                 done(*outcome);
               });
}

void Attachment::abandon() {
  ++turn_;
  state_ = State::Detached;
  publish("");
  if (fuse_) fuse_->end_generation();
  if (!loop_) return;
  // A detach that is still running holds the same device; whoever is last lets it go.
  offload_.run([loop = std::exchange(loop_, nullptr)]() mutable { loop.reset(); }, [] {});
}

}  // namespace bascule::block_host
