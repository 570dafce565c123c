#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/files/file_system.h"

namespace bascule::block_host {

/// The sizes that a backing device is known to have had, oldest first, in a file with one number per line: internal
/// metadata lie at the end of one of them when the device has grown and they had no time to move. What is written is
/// durable.
class KnownSizes {
 public:
  explicit KnownSizes(std::string path = "", files::FileSystem& files = files::this_machine())
      : path_(std::move(path)), files_(&files) {}

  /// Nothing if there is no such file, or it cannot be understood.
  [[nodiscard]] std::vector<std::uint64_t> read() const;
  /// Before metadata may move to the end of a device of that size. Nothing is written if it is the last one already.
  [[nodiscard]] Result<void> add(std::uint64_t bytes) const;
  /// The metadata are at the end of that size now, and nowhere else.
  [[nodiscard]] Result<void> keep_only(std::uint64_t bytes) const;

 private:
  [[nodiscard]] Result<void> write(const std::vector<std::uint64_t>& sizes) const;
  std::string path_;
  files::FileSystem* files_;
};

}  // namespace bascule::block_host
