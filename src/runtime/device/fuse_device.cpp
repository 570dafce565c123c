#include "runtime/device/fuse_device.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bascule::device {
namespace {

constexpr std::uint64_t kDataInode = 2;
constexpr std::uint32_t kSector = 512;
constexpr std::uint32_t kDirectory = 4, kRegularFile = 8;  // DT_DIR, DT_REG
constexpr const char* kFileName = "data";
// The data of a WRITE lies behind kWriteHeadBytes; the kernel wants room for the largest one in every read.
static_assert(fuse::kMaxWriteBytes <= uring::BufferPool::kLargeBytes);

std::string mount_options(int descriptor) {
  return "fd=" + std::to_string(descriptor) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
}

}  // namespace

Result<std::unique_ptr<FuseDevice>> FuseDevice::mount(uring::Ring& ring, uring::BufferPool& pool, Volume& volume,
                                                      const std::string& mount_point, const std::string& source) {
  // What a killed predecessor left: EINVAL when there is nothing.
  while (umount2(mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  const int descriptor = ::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return fail_errno("the volume cannot be shown as a file", "/dev/fuse", errno);
  constexpr unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOATIME;
  if (::mount(source.c_str(), mount_point.c_str(), "fuse.bascule", flags, mount_options(descriptor).c_str()) != 0) {
    const int error_number = errno;
    ::close(descriptor);
    return fail_errno("the volume cannot be shown as a file", "mount " + mount_point, error_number);
  }
  return std::unique_ptr<FuseDevice>(new FuseDevice(ring, pool, volume, mount_point, descriptor));
}

FuseDevice::FuseDevice(uring::Ring& ring, uring::BufferPool& pool, Volume& volume, std::string mount_point,
                       int descriptor)
    : ring_(ring), pool_(pool), volume_(volume), mount_point_(std::move(mount_point)), descriptor_(descriptor) {
  watch_ = ring_.watch(descriptor_, POLLIN, [this](int result) {
    if (result > 0 && (result & POLLERR) == 0) read_requests();
  });
}

FuseDevice::~FuseDevice() {
  ring_.cancel(watch_);
  // MNT_FORCE aborts the connection. Closing would not: the ring still holds the descriptor for its watch.
  umount2(mount_point_.c_str(), MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW);
  ::close(descriptor_);
  if (scratch_ != 0) pool_.release(scratch_);
}

void FuseDevice::resume() {
  if (!stalled_) return;
  while (!waiting_.empty()) {
    if (!start_read(waiting_.front().unique, waiting_.front().read)) return;
    waiting_.pop_front();
  }
  read_requests();
}

void FuseDevice::read_requests() {
  stalled_ = !waiting_.empty();  // a read that waits for a buffer is resume()'s matter, whoever asks meanwhile
  while (waiting_.empty() && read_one()) {
  }
}

// False: nothing more to read now, or no buffer to read into.
bool FuseDevice::read_one() {
  if (scratch_ == 0) scratch_ = pool_.take(uring::BufferPool::Use::application, uring::BufferPool::kLargeBytes);
  if (scratch_ == 0) {
    stalled_ = true;
    return false;
  }
  const std::array<iovec, 2> parts = {iovec{head_.data(), fuse::kWriteHeadBytes},
                                      iovec{pool_.bytes(scratch_).data(), fuse::kMaxWriteBytes}};
  const ssize_t size = ::readv(descriptor_, parts.data(), parts.size());
  if (size < 0) return errno == EINTR || errno == ENOENT;  // ENOENT: the request was taken back while it was read
  handle(static_cast<std::size_t>(size));
  return true;
}

void FuseDevice::handle(std::size_t total) {
  std::size_t known = std::min(total, fuse::kWriteHeadBytes);
  auto request = fuse::decode_request(ByteView(head_).first(known), total);
  if (total > known && (!request || !std::holds_alternative<fuse::request::Write>(request->body))) {
    const std::size_t more = std::min(total, head_.size()) - known;
    std::memcpy(head_.data() + known, pool_.bytes(scratch_).data(), more);
    known += more;
    request = fuse::decode_request(ByteView(head_).first(known), total);
  }
  if (request) return handle(*request);
  constexpr std::size_t unique_at = 8;
  if (total < fuse::kInHeaderBytes) return;
  std::uint64_t unique = 0;
  std::memcpy(&unique, head_.data() + unique_at, sizeof unique);
  answer_error(unique, EINVAL);
}

void FuseDevice::handle(const fuse::Request& request) {
  struct Visitor {
    FuseDevice& self;
    const fuse::Request& whole;
    void operator()(const fuse::request::Init& init) const {
      if (init.major != fuse::kMajor || init.minor < fuse::kMinorOldest) return self.answer_error(whole.unique, EPROTO);
      self.answer(fuse::encode_init(whole.unique, init));
    }
    void operator()(const fuse::request::Lookup& lookup) const { self.lookup(whole, lookup); }
    void operator()(const fuse::request::GetAttributes&) const {
      self.answer(fuse::encode_attributes(whole.unique, self.attributes(whole.inode)));
    }
    void operator()(const fuse::request::Open& open) const { self.open(whole, open); }
    void operator()(const fuse::request::Read& read) const {
      if (self.start_read(whole.unique, read)) return;
      self.stalled_ = true;
      self.waiting_.push_back({whole.unique, read});
    }
    void operator()(const fuse::request::Write& write) const { self.start_write(whole.unique, write); }
    void operator()(const fuse::request::Fsync& sync) const { self.start_sync(whole.unique, sync.handle); }
    void operator()(const fuse::request::Allocate& allocate) const { self.start_allocate(whole.unique, allocate); }
    void operator()(const fuse::request::ReadDirectory& read) const { self.list(whole.unique, read); }
    void operator()(const fuse::request::StatFileSystem&) const {
      self.answer(fuse::encode_stat(whole.unique, self.volume_.size_bytes()));
    }
    void operator()(const fuse::request::Flush&) const { self.answer_error(whole.unique, 0); }
    void operator()(const fuse::request::Release&) const { self.answer_error(whole.unique, 0); }
    void operator()(const fuse::request::Destroy&) const { self.answer_error(whole.unique, 0); }
    void operator()(const fuse::request::Forget&) const {}
    void operator()(const fuse::request::Interrupt&) const {}  // the request is answered when it is done
    void operator()(const fuse::request::Access&) const { self.answer_error(whole.unique, ENOSYS); }
    void operator()(const fuse::request::Unsupported&) const { self.answer_error(whole.unique, ENOSYS); }
  };
  std::visit(Visitor{*this, request}, request.body);
}

fuse::Attributes FuseDevice::attributes(std::uint64_t inode) const {
  if (inode == fuse::kRootInode) return {inode, 0, S_IFDIR | 0500, 2};
  return {inode, volume_.size_bytes(), S_IFREG | 0600, 1};
}

void FuseDevice::lookup(const fuse::Request& request, const fuse::request::Lookup& lookup) {
  if (request.inode != fuse::kRootInode || lookup.name != kFileName) return answer_error(request.unique, ENOENT);
  answer(fuse::encode_entry(request.unique, attributes(kDataInode)));
}

void FuseDevice::open(const fuse::Request& request, const fuse::request::Open& open) {
  if (open.directory) return answer(fuse::encode_open(request.unique, 0, 0));
  if (!generation_open_) return answer_error(request.unique, EMEDIUMTYPE);  // what DRBD says on a secondary
  answer(fuse::encode_open(request.unique, generation_, fuse::kOpenDirectIo));
}

int FuseDevice::refuse(std::uint64_t handle, std::uint64_t offset, std::uint32_t size) const {
  if (!generation_open_ || handle != generation_) return EIO;
  if (offset % kSector != 0 || size % kSector != 0 || size > fuse::kMaxWriteBytes) return EINVAL;
  return 0;
}

bool FuseDevice::start_read(std::uint64_t unique, const fuse::request::Read& read) {
  const int refusal = refuse(read.handle, read.offset, read.size);
  if (refusal != 0) return answer_error(unique, refusal), true;
  const std::uint64_t end = volume_.size_bytes();
  const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(read.size, end - std::min(end, read.offset)));
  if (size == 0) return answer_error(unique, 0), true;  // the end of the file
  const auto buffer = pool_.take(uring::BufferPool::Use::application, size);
  if (buffer == 0) return false;
  submit({unique, size, Kind::read, buffer}, {Request::Kind::read, false, size, read.offset, buffer});
  return true;
}

void FuseDevice::start_write(std::uint64_t unique, const fuse::request::Write& write) {
  const int refusal = refuse(write.handle, write.offset, write.size);
  if (refusal != 0) return answer_error(unique, refusal);
  const std::uint64_t end = volume_.size_bytes();
  if (write.size == 0 || write.offset >= end || write.size > end - write.offset) return answer_error(unique, ENOSPC);
  const auto buffer = keep_written(write.size);
  submit({unique, write.size, Kind::write, buffer}, {Request::Kind::write, false, write.size, write.offset, buffer});
}

// A small write moves to a small buffer, so that the large ones stay free; a large one keeps what it was read into.
uring::BufferPool::Id FuseDevice::keep_written(std::uint32_t size) {
  if (size <= uring::BufferPool::kSmallBytes) {
    const auto small = pool_.take(uring::BufferPool::Use::application, size);
    if (small != 0) {
      std::memcpy(pool_.bytes(small).data(), pool_.bytes(scratch_).data(), size);
      return small;
    }
  }
  return std::exchange(scratch_, 0);
}

void FuseDevice::start_sync(std::uint64_t unique, std::uint64_t handle) {
  const int refusal = refuse(handle, 0, 0);
  if (refusal != 0) return answer_error(unique, refusal);
  submit({unique, 0, Kind::other, 0}, {Request::Kind::flush, false, 0, 0, 0});
}

// The loop device discards and unmaps by punching holes; it zeroes a range that shall stay allocated. The size of the
// file is the volume's: nothing else can be allocated.
void FuseDevice::start_allocate(std::uint64_t unique, const fuse::request::Allocate& allocate) {
  const bool punch = allocate.mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
  const bool zero = (allocate.mode & ~static_cast<std::uint32_t>(FALLOC_FL_KEEP_SIZE)) == FALLOC_FL_ZERO_RANGE;
  if (!punch && !zero) return answer_error(unique, EOPNOTSUPP);
  const int refusal = refuse(allocate.handle, allocate.offset, 0);
  if (refusal != 0) return answer_error(unique, refusal);
  const std::uint64_t end = volume_.size_bytes();
  if (allocate.length == 0 || allocate.length % kSector != 0) return answer_error(unique, EINVAL);
  if (allocate.offset >= end || allocate.length > end - allocate.offset) return answer_error(unique, ENOSPC);
  const auto kind = punch ? Request::Kind::zeroes_unmap : Request::Kind::zeroes;
  submit({unique, 0, Kind::other, 0}, {kind, false, allocate.length, allocate.offset, 0});
}

void FuseDevice::list(std::uint64_t unique, const fuse::request::ReadDirectory& read) {
  const std::vector<fuse::DirectoryEntry> entries = {
      {fuse::kRootInode, kDirectory, "."}, {fuse::kRootInode, kDirectory, ".."}, {kDataInode, kRegularFile, kFileName}};
  answer(fuse::encode_directory(unique, entries, read.offset, std::min(read.size, fuse::kMaxWriteBytes)));
}

void FuseDevice::submit(const Pending& pending, const Request& request) {
  if (free_.empty()) {
    pending_.emplace_back();
    free_.push_back(static_cast<std::uint32_t>(pending_.size() - 1));
  }
  const std::uint32_t tag = free_.back();
  free_.pop_back();
  pending_[tag] = pending;
  volume_.submit(*this, tag, request);
}

void FuseDevice::completed(std::uint64_t tag, int error_number) {
  const Pending done = pending_.at(tag);
  free_.push_back(static_cast<std::uint32_t>(tag));
  if (error_number != 0) {
    answer_error(done.unique, error_number);
  } else if (done.kind == Kind::read) {
    answer(fuse::encode_answer(done.unique, 0, done.size), pool_.bytes(done.buffer).first(done.size));
  } else if (done.kind == Kind::write) {
    answer(fuse::encode_written(done.unique, done.size));
  } else {
    answer_error(done.unique, 0);
  }
  if (done.buffer != 0) pool_.release(done.buffer);
}

// A failure means that the asker is gone (ENOENT) or that the file system is unmounted (ENODEV): nobody to tell.
void FuseDevice::answer(const Bytes& bytes, ByteView data) {
  const std::array<iovec, 2> parts = {iovec{const_cast<Byte*>(bytes.data()), bytes.size()},
                                      iovec{const_cast<Byte*>(data.data()), data.size()}};
  (void)!::writev(descriptor_, parts.data(), data.empty() ? 1 : 2);
}

}  // namespace bascule::device
