#include "runtime/block_host/backing.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <utility>

#include "wire/drbd_metadata/signature.h"

namespace bascule::block_host {
namespace {

constexpr const char* kCannotUseDisk = "the disk of the volume cannot be used";
constexpr std::size_t kPiece = 1 << 20;
constexpr Duration kAskAgain = milliseconds(5);

struct AlignedMemory {
  explicit AlignedMemory(std::size_t size)
      : memory(static_cast<Byte*>(std::aligned_alloc(kAlignment, size)), &std::free) {
    BASCULE_ASSERT(memory != nullptr);
  }
  std::unique_ptr<Byte, decltype(&std::free)> memory;
};

bool lock_range(int descriptor, int command, short type, const Backing::Piece& range) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = static_cast<off_t>(range.offset);
  lock.l_len = static_cast<off_t>(range.length);
  return ::fcntl(descriptor, command, &lock) == 0;
}

// Not all volumes of a shared device can have it with O_EXCL, but each can ask whether somebody else has it so (it is
// mounted, or in use by the kernel's DRBD). They ask one after the other, as asking looks like having.
bool is_claimed(const std::string& path, int descriptor) {
  constexpr Backing::Piece kTurn{1ULL << 62, 1};
  (void)lock_range(descriptor, F_OFD_SETLKW, F_WRLCK, kTurn);
  const int probe = ::open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC);
  const bool busy = probe < 0 && errno == EBUSY;
  if (probe >= 0) ::close(probe);
  (void)lock_range(descriptor, F_OFD_SETLK, F_UNLCK, kTurn);
  return busy;
}

// The lock on the whole keeps out who wants the whole, that on the piece who wants the same piece.
bool is_ours(const std::string& path, int descriptor, bool block_device, const std::optional<Backing::Piece>& piece) {
  if (!piece) return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
  return ::flock(descriptor, LOCK_SH | LOCK_NB) == 0 && lock_range(descriptor, F_OFD_SETLK, F_WRLCK, *piece) &&
         !(block_device && is_claimed(path, descriptor));
}

// O_EXCL keeps mounted block devices away; O_DIRECT is given up where the file system has none.
int open_device(const std::string& path, bool exclusive) {
  const int flags = O_RDWR | O_CLOEXEC | (exclusive ? O_EXCL : 0);
  const int direct = ::open(path.c_str(), flags | O_DIRECT);
  return direct >= 0 || errno != EINVAL ? direct : ::open(path.c_str(), flags);
}

}  // namespace

Backing::Backing(Backing&& other) noexcept { *this = std::move(other); }

Backing& Backing::operator=(Backing&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(bytes_, other.bytes_);
  std::swap(path_, other.path_);
  std::swap(is_file_, other.is_file_);
  return *this;
}

Backing::~Backing() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// Opens and locks it. False, and errno: EBUSY or EWOULDBLOCK when somebody else has it.
bool Backing::claim(const std::optional<Piece>& piece) {
  descriptor_ = open_device(path_, !is_file_ && !piece);
  if (descriptor_ < 0) return false;
  errno = 0;
  if (is_ours(path_, descriptor_, !is_file_, piece)) return true;
  const int why = errno == 0 || errno == EAGAIN || errno == EACCES ? EWOULDBLOCK : errno;
  ::close(std::exchange(descriptor_, -1));
  errno = why;
  return false;
}

Result<Backing> Backing::open(const std::string& path, std::optional<Piece> piece, Duration patience) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return fail(kCannotUseDisk, path, "it does not exist", "make it with: bascule volume create");
    return fail_errno(kCannotUseDisk, path, errno);
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
    return fail(kCannotUseDisk, path, "it is neither a file nor a block device");
  Backing backing;
  backing.path_ = path;
  backing.is_file_ = S_ISREG(status.st_mode);
  const auto limit = std::chrono::steady_clock::now() + patience;
  while (!backing.claim(piece)) {
    if (errno != EBUSY && errno != EWOULDBLOCK) return fail_errno(kCannotUseDisk, path, errno);
    if (std::chrono::steady_clock::now() >= limit)
      return fail(kCannotUseDisk, path, "another process uses it", "is bascule-blockd running for it already?");
    std::this_thread::sleep_for(kAskAgain);  // nothing tells when it is free
  }
  if (const auto measured = backing.measure(); !measured) return tl::unexpected(measured.error());
  return backing;
}

Result<void> Backing::measure() {
  if (!is_file_) {
    if (ioctl(descriptor_, BLKGETSIZE64, &bytes_) != 0) return fail_errno(kCannotUseDisk, path_, errno);
    return {};
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return fail_errno(kCannotUseDisk, path_, errno);
  bytes_ = static_cast<std::uint64_t>(status.st_size);
  return {};
}

Result<Bytes> Backing::read(std::uint64_t offset, std::uint64_t length) const {
  Bytes out(length);
  const AlignedMemory piece(kPiece);
  for (std::uint64_t at = 0; at < length;) {
    const std::size_t want = std::min<std::uint64_t>(kPiece, (length - at + kAlignment - 1) / kAlignment * kAlignment);
    const ssize_t got = ::pread(descriptor_, piece.memory.get(), want, static_cast<off_t>(offset + at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(kCannotUseDisk, path_, errno);
    const std::uint64_t useful = std::min<std::uint64_t>(static_cast<std::uint64_t>(got), length - at);
    if (useful == 0) return fail(kCannotUseDisk, path_, "it ends before byte " + std::to_string(offset + length));
    std::copy_n(piece.memory.get(), useful, out.begin() + static_cast<std::ptrdiff_t>(at));
    at += useful;
  }
  return out;
}

Result<void> Backing::write_durably(std::uint64_t offset, ByteView bytes) const {
  BASCULE_ASSERT(offset % 512 == 0 && bytes.size() % 512 == 0);
  const AlignedMemory piece(kPiece);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(kPiece, bytes.size() - at);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, piece.memory.get());
    const ssize_t put = ::pwrite(descriptor_, piece.memory.get(), size, static_cast<off_t>(offset + at));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(kCannotUseDisk, path_, errno);
    if (static_cast<std::size_t>(put) != size) return fail(kCannotUseDisk, path_, "it is full");
    at += size;
  }
  if (::fsync(descriptor_) != 0) return fail_errno(kCannotUseDisk, path_, errno);
  return {};
}

Result<std::string> foreign_signature(const Backing& backing) {
  const std::uint64_t window =
      std::min<std::uint64_t>(drbd_metadata::kSignatureProbeBytes, backing.bytes() / kAlignment * kAlignment);
  auto first = backing.read(0, window);
  if (!first) return tl::unexpected(first.error());
  const std::uint64_t from = (backing.bytes() - window) / kAlignment * kAlignment;
  auto last = backing.read(from, backing.bytes() - from);
  if (!last) return tl::unexpected(last.error());
  return drbd_metadata::recognise_signature(*first, *last).value_or("");
}

Result<drbd_metadata::Superblock> read_superblock(const Backing& backing, std::uint64_t bytes) {
  const auto layout = drbd_metadata::internal_layout(bytes);
  if (!layout) return tl::unexpected(layout.error());
  const auto block = backing.read(layout->superblock_offset, drbd_metadata::kBlockBytes);
  if (!block) return tl::unexpected(block.error());
  auto superblock = drbd_metadata::decode_superblock(*block);
  if (!superblock) return superblock;
  if (const auto fits = drbd_metadata::check_internal(*superblock, bytes); !fits) return tl::unexpected(fits.error());
  return superblock;
}

}  // namespace bascule::block_host
