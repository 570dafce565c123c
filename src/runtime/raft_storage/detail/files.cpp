#include "runtime/raft_storage/detail/files.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>

namespace bascule::raft_storage::detail {
namespace {

template <typename Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

Result<File> open_file(const std::string& path, int flags) {
  const int fd = retried([&] { return ::open(path.c_str(), flags | O_CLOEXEC, 0600); });
  if (fd < 0) return fail_errno("cannot open the file", path, errno);
  return File(fd);
}

Result<void> write_all(const File& file, const std::string& path, std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        retried([&] { return ::pwrite(file.fd(), bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
    if (written < 0) return fail_errno("cannot write the file", path, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<void> sync_data(const File& file, const std::string& path) {
  if (retried([&] { return ::fdatasync(file.fd()); }) < 0) return fail_errno("cannot sync the file", path, errno);
  return {};
}

Result<void> sync_directory(const std::string& directory) {
  auto file = open_file(directory, O_RDONLY | O_DIRECTORY);
  if (!file) return tl::unexpected(file.error());
  if (retried([&] { return ::fsync(file->fd()); }) < 0)
    return fail_errno("cannot sync the directory", directory, errno);
  return {};
}

Result<void> cut(const File& file, const std::string& path, std::uint64_t bytes) {
  if (retried([&] { return ::ftruncate(file.fd(), static_cast<off_t>(bytes)); }) < 0)
    return fail_errno("cannot cut the file", path, errno);
  return {};
}

Result<std::optional<Bytes>> read_whole(const std::string& path) {
  auto file = open_file(path, O_RDONLY);
  if (!file && errno == ENOENT) return std::optional<Bytes>{};
  if (!file) return tl::unexpected(file.error());
  Bytes bytes;
  std::size_t have = 0;
  for (;;) {
    bytes.resize(have + (64 << 10));
    const ssize_t got = retried([&] { return ::read(file->fd(), bytes.data() + have, bytes.size() - have); });
    if (got < 0) return fail_errno("cannot read the file", path, errno);
    have += static_cast<std::size_t>(got);
    if (got == 0) break;
  }
  bytes.resize(have);
  return std::optional<Bytes>(std::move(bytes));
}

Result<File> replace_file(const std::string& directory, const std::string& name, ByteView bytes) {
  const std::string path = directory + "/" + name;
  const std::string temporary = path + ".tmp";
  auto file = open_file(temporary, O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return file;
  if (auto written = write_all(*file, temporary, 0, bytes); !written) return tl::unexpected(written.error());
  if (auto synced = sync_data(*file, temporary); !synced) return tl::unexpected(synced.error());
  if (::rename(temporary.c_str(), path.c_str()) < 0) return fail_errno("cannot rename the file", temporary, errno);
  if (auto synced = sync_directory(directory); !synced) return tl::unexpected(synced.error());
  return file;
}

Result<File> lock_file(const std::string& path) {
  auto file = open_file(path, O_RDWR | O_CREAT);
  if (!file) return file;
  if (retried([&] { return ::flock(file->fd(), LOCK_EX | LOCK_NB); }) == 0) return file;
  if (errno != EWOULDBLOCK) return fail_errno("cannot lock the file", path, errno);
  return fail("the consensus files are in use", path, "another process holds the lock",
              "is bascule-managerd already running here?");
}

}  // namespace bascule::raft_storage::detail
