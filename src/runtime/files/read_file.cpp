#include "runtime/files/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace bascule::files {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

Result<std::string> read_all(int descriptor, const std::string& path, std::string_view what, std::size_t most_bytes) {
  std::string text;
  std::array<char, piece_bytes> piece;
  for (;;) {
    const ssize_t got = ::read(descriptor, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(std::string(what), path, errno);
    if (got == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(got));
    if (text.size() > most_bytes)
      return fail(std::string(what), path, "it is longer than " + std::to_string(most_bytes) + " bytes");
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::string_view what, std::size_t most_bytes) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return fail_errno(std::string(what), path, errno);
  auto text = read_all(descriptor, path, what, most_bytes);
  ::close(descriptor);
  return text;
}

}  // namespace bascule::files
