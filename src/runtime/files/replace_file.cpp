#include "runtime/files/replace_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace bascule::files {
namespace {

constexpr mode_t mode_of_new = 0644, all_of_mode = 07777;

struct Descriptor {
  explicit Descriptor(int number_in) : number(number_in) {}
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number;
};

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool write_beside(const std::string& beside, const std::string& path, std::string_view text) {
  struct stat about {};
  const bool known = ::stat(path.c_str(), &about) == 0;
  const Descriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.number < 0) return false;
  if (::fchmod(file.number, known ? about.st_mode & all_of_mode : mode_of_new) != 0) return false;
  if (known) (void)!::fchown(file.number, about.st_uid, about.st_gid);  // as far as we may
  return write_all(file.number, text) && ::fsync(file.number) == 0;
}

bool sync_directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Descriptor opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return opened.number >= 0 && ::fsync(opened.number) == 0;
}

}  // namespace

Result<void> replace_file(const std::string& path, std::string_view text, std::string_view what) {
  const std::string beside = path + ".new";
  if (write_beside(beside, path, text) && ::rename(beside.c_str(), path.c_str()) == 0 && sync_directory_of(path))
    return {};
  const int error_number = errno;
  ::unlink(beside.c_str());
  return fail_errno(std::string(what), path, error_number);
}

}  // namespace bascule::files
