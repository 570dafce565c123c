#include "runtime/block_host/known_sizes.h"

#include <cerrno>
#include <sstream>

#include "runtime/files/read_file.h"
#include "runtime/files/replace_file.h"

namespace bascule::block_host {
namespace {

constexpr const char* kCannotNoteSize = "the size of the disk cannot be noted";
constexpr const char* kCannotReadSizes = "the sizes of the disk cannot be read";
constexpr std::size_t kMostBytes = 1 << 20;

}  // namespace

std::vector<std::uint64_t> KnownSizes::read() const {
  std::istringstream text(files::read_file(path_, kCannotReadSizes, kMostBytes, *files_).value_or(""));
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t bytes = 0; text >> bytes;) sizes.push_back(bytes);
  return sizes;
}

Result<void> KnownSizes::write(const std::vector<std::uint64_t>& sizes) const {
  if (!files::make_directories(*files_, files::directory_of(path_), 0755))
    return fail_errno(kCannotNoteSize, path_, errno);
  std::string text;
  for (const std::uint64_t bytes : sizes) text += std::to_string(bytes) + "\n";
  return files::replace_file(path_, text, kCannotNoteSize, *files_);
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
