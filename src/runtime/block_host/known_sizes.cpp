#include "runtime/block_host/known_sizes.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace bascule::block_host {
namespace {

constexpr const char* kCannotNoteSize = "the size of the disk cannot be noted";

bool write_and_sync(const std::string& path, const std::string& text) {
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (descriptor < 0) return false;
  const bool good =
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(descriptor) == 0;
  const int error_number = errno;
  ::close(descriptor);
  errno = error_number;
  return good;
}

bool sync_directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const int descriptor = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool good = ::fsync(descriptor) == 0;
  ::close(descriptor);
  return good;
}

}  // namespace

std::vector<std::uint64_t> KnownSizes::read() const {
  std::ifstream file(path_);
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t bytes = 0; file >> bytes;) sizes.push_back(bytes);
  return sizes;
}

Result<void> KnownSizes::write(const std::vector<std::uint64_t>& sizes) const {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  std::string text;
  for (const std::uint64_t bytes : sizes) text += std::to_string(bytes) + "\n";
  const std::string fresh = path_ + ".new";
  if (!write_and_sync(fresh, text) || std::rename(fresh.c_str(), path_.c_str()) != 0 || !sync_directory_of(path_))
    return fail_errno(kCannotNoteSize, path_, errno);
  return {};
}

Result<void> KnownSizes::add(std::uint64_t bytes) const {
  std::vector<std::uint64_t> sizes = read();
  if (!sizes.empty() && sizes.back() == bytes) return {};
  sizes.push_back(bytes);
  return write(sizes);
}

Result<void> KnownSizes::keep_only(std::uint64_t bytes) const {
  if (read() == std::vector{bytes}) return {};
  return write({bytes});
}

}  // namespace bascule::block_host
