// The key file of a cluster on disk: who may read it, and how it is replaced.
#include "runtime/keys/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "runtime/files/read_file.h"
#include "runtime/keys/random.h"

namespace bascule::keys {
namespace {

constexpr const char* unreadable = "the cluster's keys cannot be read";
constexpr const char* unwritable = "the cluster's keys cannot be written";
constexpr std::size_t file_bytes_max = 64 * 1024;

/// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> write_whole(const std::string& path, std::string_view text) {
  ::unlink(path.c_str());  // of an attempt that was cut short
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.number() < 0) return fail_errno(unwritable, path, errno);
  while (!text.empty()) {
    const auto written = ::write(file.number(), text.data(), text.size());
    if (written < 0) return fail_errno(unwritable, path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.number()) != 0) return fail_errno(unwritable, path, errno);
  return {};
}

Result<void> put_in_place(const std::string& made, const std::string& path, Existing existing) {
  const int moved =
      existing == Existing::Replace ? ::rename(made.c_str(), path.c_str()) : ::link(made.c_str(), path.c_str());
  const int error = errno;
  ::unlink(made.c_str());
  if (moved != 0 && error == EEXIST)
    return fail(unwritable, path, "there is a file already", "its keys are in use, or take another name");
  if (moved != 0) return fail_errno(unwritable, path, error);
  const Descriptor directory(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.number() < 0 || ::fsync(directory.number()) != 0) return fail_errno(unwritable, path, errno);
  return {};
}

}  // namespace

Result<sealed::Keyring> read(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return fail(unreadable, path, fail_errno("", "", errno).value().why,
                "`bascule key create " + path + "` on one node, then copy it to the others; or key_file = \"none\"");
  if (S_ISREG(info.st_mode) && (info.st_mode & 077) != 0)
    return fail(unreadable, path, "others than its owner may read or write it", "chmod 600 " + path);
  const auto text = files::read_file(path, unreadable, file_bytes_max);
  if (!text) return tl::unexpected(text.error());
  return sealed::Keyring::parse(*text, path);
}

Result<void> write(const std::string& path, const sealed::Keyring& keyring, Existing existing) {
  const std::string made = path + ".new";
  if (auto written = write_whole(made, keyring.text()); !written) {
    ::unlink(made.c_str());
    return written;
  }
  return put_in_place(made, path, existing);
}

Result<sealed::Key> fresh_key(std::uint32_t id) {
  sealed::Key key{id, {}};
  if (auto filled = fill_at_random(key.secret); !filled) return tl::unexpected(filled.error());
  return key;
}

}  // namespace bascule::keys
