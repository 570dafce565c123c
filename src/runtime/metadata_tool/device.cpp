#include "runtime/metadata_tool/device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

namespace bascule::metadata_tool {
namespace {

constexpr const char* kCannotUseDevice = "the device with the metadata cannot be used";
constexpr std::size_t kPiece = 1 << 20;

using files::Descriptor;
using files::FileSystem;

Descriptor open_device(FileSystem& files, const std::string& path, bool block_device, Device::Access access) {
  const int flags = access == Device::Access::Read ? O_RDONLY : O_RDWR | (block_device ? O_EXCL : 0);
  return {files, files.open(path, flags, 0)};
}

Result<std::uint64_t> size_of(int descriptor, const std::string& path, const struct stat& status) {
  std::uint64_t bytes = static_cast<std::uint64_t>(status.st_size);
  if (S_ISBLK(status.st_mode) && ioctl(descriptor, BLKGETSIZE64, &bytes) != 0)
    return fail_errno(kCannotUseDevice, path, errno);
  return bytes;
}

}  // namespace

Result<Device> Device::open(const std::string& path, Access access, FileSystem& files) {
  struct stat status {};
  if (files.status(path, status) != 0) return fail_errno(kCannotUseDevice, path, errno);
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    return fail(kCannotUseDevice, path, "it is neither a file nor a block device");
  Device device;
  device.path_ = path;
  device.file_ = open_device(files, path, S_ISBLK(status.st_mode), access);
  if (!device.file_.is_open() && errno == EBUSY)
    return fail(kCannotUseDevice, path, "it is in use", "is it mounted, or is its volume up?");
  if (!device.file_.is_open()) return fail_errno(kCannotUseDevice, path, errno);
  if (access == Access::Write && files.lock(device.file_.number()) != 0)
    return fail(kCannotUseDevice, path, "another process uses it", "is bascule-blockd running for it?");
  const auto bytes = size_of(device.file_.number(), path, status);
  if (!bytes) return tl::unexpected(bytes.error());
  device.bytes_ = *bytes;
  return device;
}

Result<Bytes> Device::read(std::uint64_t offset, std::uint64_t length) const {
  if (offset > bytes_ || length > bytes_ - offset)
    return fail(kCannotUseDevice, path_, fmt::format("it ends before byte {}", offset + length));
  Bytes out(length);
  for (std::uint64_t at = 0; at < length;) {
    const ssize_t got = file_.files().read_at(file_.number(), std::span(out).subspan(at), offset + at);
    if (got < 0) return fail_errno(kCannotUseDevice, path_, errno);
    if (got == 0) return fail(kCannotUseDevice, path_, fmt::format("it ends before byte {}", offset + length));
    at += static_cast<std::uint64_t>(got);
  }
  return out;
}

Result<Bytes> Device::read_padded(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t there = offset >= bytes_ ? 0 : std::min(length, bytes_ - offset);
  auto out = read(std::min(offset, bytes_), there);
  if (out) out->resize(length, 0);
  return out;
}

Result<void> Device::write(std::uint64_t offset, ByteView bytes) const {
  if (offset > bytes_ || bytes.size() > bytes_ - offset)
    return fail(kCannotUseDevice, path_, fmt::format("it ends before byte {}", offset + bytes.size()));
  if (!files::write_all(file_, offset, bytes)) return fail_errno(kCannotUseDevice, path_, errno);
  return {};
}

Result<void> Device::zero(std::uint64_t offset, std::uint64_t length) const {
  const Bytes zeros(std::min<std::uint64_t>(kPiece, length), 0);
  for (std::uint64_t at = 0; at < length; at += zeros.size()) {
    const std::uint64_t size = std::min<std::uint64_t>(zeros.size(), length - at);
    if (auto written = write(offset + at, ByteView(zeros).first(size)); !written) return written;
  }
  return {};
}

Result<void> Device::run(const drbd_metadata::Steps& steps) const {
  using Kind = drbd_metadata::Step::Kind;
  for (const drbd_metadata::Step& step : steps) {
    if (step.kind == Kind::Flush && file_.files().sync(file_.number()) != 0)
      return fail_errno(kCannotUseDevice, path_, errno);
    const auto done = step.kind == Kind::Write  ? write(step.offset, step.bytes)
                      : step.kind == Kind::Zero ? zero(step.offset, step.length)
                                                : Result<void>{};
    if (!done) return done;
  }
  return {};
}

}  // namespace bascule::metadata_tool
