#include "runtime/raft_storage/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace bascule::raft_storage {

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

Result<File> open_file(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail_errno("a file of the consensus log cannot be opened", path, errno);
  return File(descriptor);
}

Result<Bytes> read_whole(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 && errno == ENOENT) return Bytes{};
  if (descriptor < 0) return fail_errno("a file of the consensus log cannot be opened", path, errno);
  const File file(descriptor);
  Bytes content;
  for (;;) {
    const std::size_t at = content.size();
    content.resize(at + (1 << 16));
    const ssize_t got = ::read(descriptor, content.data() + at, 1 << 16);
    if (got < 0 && errno != EINTR) return fail_errno("a file of the consensus log cannot be read", path, errno);
    content.resize(at + static_cast<std::size_t>(got > 0 ? got : 0));
    if (got == 0) return content;
  }
}

Result<void> append(const File& file, ByteView bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(file.descriptor(), bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail_errno("the consensus log cannot be written", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<void> sync_data(const File& file, const std::string& path) {
  // A failed sync is never tried again: the kernel may have dropped the pages and would say "done" the second time.
  if (::fdatasync(file.descriptor()) != 0) return fail_errno("the consensus log cannot be made durable", path, errno);
  return {};
}

Result<void> replace_whole(const std::string& directory, const std::string& name, ByteView content) {
  const std::string path = directory + "/" + name;
  const std::string beside = path + ".new";
  auto file = open_file(beside, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND);
  if (!file) return tl::unexpected(file.error());
  if (auto done = append(*file, content, beside); !done) return done;
  if (auto done = sync_data(*file, beside); !done) return done;
  if (::rename(beside.c_str(), path.c_str()) != 0)
    return fail_errno("a file of the consensus log cannot be replaced", path, errno);
  auto parent = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (!parent) return tl::unexpected(parent.error());
  if (::fsync(parent->descriptor()) != 0)
    return fail_errno("the directory of the consensus log cannot be made durable", directory, errno);
  return {};
}

}  // namespace bascule::raft_storage
