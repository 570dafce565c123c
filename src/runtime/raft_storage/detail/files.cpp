#include "runtime/raft_storage/detail/files.h"

#include <fcntl.h>

#include <cerrno>

namespace bascule::raft_storage::detail {

Result<Descriptor> open_file(FileSystem& files, const std::string& path, int flags) {
  Descriptor file(files, files.open(path, flags, 0600));
  if (!file.is_open()) return fail_errno("cannot open the file", path, errno);
  return file;
}

Result<void> write_all(const Descriptor& file, const std::string& path, std::uint64_t offset, ByteView bytes) {
  if (!files::write_all(file, offset, bytes)) return fail_errno("cannot write the file", path, errno);
  return {};
}

Result<void> sync_data(const Descriptor& file, const std::string& path) {
  if (file.files().sync_data(file.number()) < 0) return fail_errno("cannot sync the file", path, errno);
  return {};
}

Result<void> sync_directory(FileSystem& files, const std::string& directory) {
  if (!files::sync_directory(files, directory)) return fail_errno("cannot sync the directory", directory, errno);
  return {};
}

Result<void> cut(const Descriptor& file, const std::string& path, std::uint64_t bytes) {
  if (file.files().cut(file.number(), bytes) < 0) return fail_errno("cannot cut the file", path, errno);
  return {};
}

Result<std::optional<Bytes>> read_whole(FileSystem& files, const std::string& path) {
  auto file = open_file(files, path, O_RDONLY);
  if (!file && errno == ENOENT) return std::optional<Bytes>{};
  if (!file) return tl::unexpected(file.error());
  constexpr std::size_t piece_bytes = 64 << 10;
  Bytes bytes;
  for (std::size_t have = 0;;) {
    bytes.resize(have + piece_bytes);
    const ssize_t got = files.read_at(file->number(), std::span(bytes).subspan(have), have);
    if (got < 0) return fail_errno("cannot read the file", path, errno);
    have += static_cast<std::size_t>(got);
    if (got > 0) continue;
    bytes.resize(have);
    return std::optional<Bytes>(std::move(bytes));
  }
}

Result<Descriptor> replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                                ByteView bytes) {
  const std::string path = directory + "/" + name;
  const std::string temporary = path + ".tmp";
  auto file = open_file(files, temporary, O_RDWR | O_CREAT | O_TRUNC);
  if (!file) return file;
  if (auto written = write_all(*file, temporary, 0, bytes); !written) return tl::unexpected(written.error());
  if (auto synced = sync_data(*file, temporary); !synced) return tl::unexpected(synced.error());
  if (files.rename(temporary, path) < 0) return fail_errno("cannot rename the file", temporary, errno);
  if (auto synced = detail::sync_directory(files, directory); !synced) return tl::unexpected(synced.error());
  return file;
}

Result<Descriptor> lock_file(FileSystem& files, const std::string& path) {
  auto file = open_file(files, path, O_RDWR | O_CREAT);
  if (!file) return file;
  if (files.lock(file->number()) == 0) return file;
  if (errno != EWOULDBLOCK) return fail_errno("cannot lock the file", path, errno);
  return fail("the consensus files are in use", path, "another process holds the lock",
              "is bascule-managerd already running here?");
}

}  // namespace bascule::raft_storage::detail
