#pragma once

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::raft_storage {

/// A file descriptor that closes itself.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File();
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

[[nodiscard]] Result<File> open_file(const std::string& path, int flags);
/// The whole file; empty when it does not exist.
[[nodiscard]] Result<Bytes> read_whole(const std::string& path);
/// At the file's end (it is opened with O_APPEND). Not durable yet.
[[nodiscard]] Result<void> append(const File& file, ByteView bytes, const std::string& path);
[[nodiscard]] Result<void> sync_data(const File& file, const std::string& path);
/// The new content under the old name, or the old content, after a crash at any moment: written beside, synced,
/// renamed, directory synced.
[[nodiscard]] Result<void> replace_whole(const std::string& directory, const std::string& name, ByteView content);

}  // namespace bascule::raft_storage
