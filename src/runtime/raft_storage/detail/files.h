#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::raft_storage::detail {

/// Owns a file descriptor.
class File {
 public:
  File() = default;
  explicit File(int fd) : fd_(fd) {}
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Each is one system call, repeated while interrupted, with the error told.
[[nodiscard]] Result<File> open_file(const std::string& path, int flags);
[[nodiscard]] Result<void> write_all(const File& file, const std::string& path, std::uint64_t offset, ByteView bytes);
[[nodiscard]] Result<void> sync_data(const File& file, const std::string& path);
[[nodiscard]] Result<void> sync_directory(const std::string& directory);
[[nodiscard]] Result<void> cut(const File& file, const std::string& path, std::uint64_t bytes);
/// Nothing when there is no such file.
[[nodiscard]] Result<std::optional<Bytes>> read_whole(const std::string& path);
/// Temporary file, sync, rename, sync of the directory: afterwards `directory`/`name` is `bytes`, or still what it was.
[[nodiscard]] Result<File> replace_file(const std::string& directory, const std::string& name, ByteView bytes);
/// Fails when another process has it.
[[nodiscard]] Result<File> lock_file(const std::string& path);

}  // namespace bascule::raft_storage::detail
