#include "runtime/files/read_file.h"

#include <fcntl.h>

#include <array>
#include <cerrno>

namespace bascule::files {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;

Result<std::string> read_all(const Descriptor& file, const std::string& path, std::string_view what,
                             std::size_t most_bytes) {
  std::string text;
  std::array<Byte, piece_bytes> piece;
  for (;;) {
    const ssize_t got = file.files().read(file.number(), piece);
    if (got < 0) return fail_errno(std::string(what), path, errno);
    if (got == 0) return text;
    text += text_of(ByteView(piece).first(static_cast<std::size_t>(got)));
    if (text.size() > most_bytes)
      return fail(std::string(what), path, "it is longer than " + std::to_string(most_bytes) + " bytes");
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::string_view what, std::size_t most_bytes,
                              FileSystem& files) {
  const Descriptor file(files, files.open(path, O_RDONLY, 0));
  if (!file.is_open()) return fail_errno(std::string(what), path, errno);
  return read_all(file, path, what, most_bytes);
}

}  // namespace bascule::files
