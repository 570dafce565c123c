#include "runtime/process/detail/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cctype>

#include "runtime/process/detail/descriptor.h"

namespace bascule::process {

std::string read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file.valid()) return text;
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t count = ::read(file.get(), buffer.data(), buffer.size());
    if (count <= 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

bool write_file(const std::string& path, const std::string& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file.valid() && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string directory_name(const std::string& name) {
  std::string result = name.empty() ? "_" : name;
  for (char& character : result) {
    if (std::isalnum(static_cast<unsigned char>(character)) == 0 && character != '-') character = '_';
  }
  return result;
}

}  // namespace bascule::process
