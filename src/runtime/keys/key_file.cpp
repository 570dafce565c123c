// The key file of a cluster on disk: who may read it, and how it is replaced.
#include "runtime/keys/key_file.h"

#include <fcntl.h>

#include <cerrno>
#include <string_view>

#include "runtime/files/read_file.h"
#include "runtime/keys/random.h"

namespace bascule::keys {
namespace {

constexpr const char* unreadable = "the cluster's keys cannot be read";
constexpr const char* unwritable = "the cluster's keys cannot be written";
constexpr std::size_t file_bytes_max = 64 * 1024;

using files::Descriptor;
using files::FileSystem;

Result<void> write_whole(FileSystem& files, const std::string& path, std::string_view text) {
  (void)files.remove(path);  // of an attempt that was cut short
  const Descriptor file(files, files.open(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!file.is_open() || !files::write_all(file, 0, view_of(text)) || files.sync(file.number()) != 0)
    return fail_errno(unwritable, path, errno);
  return {};
}

Result<void> put_in_place(FileSystem& files, const std::string& made, const std::string& path, Existing existing) {
  const int moved = existing == Existing::Replace ? files.rename(made, path) : files.link(made, path);
  const int error = errno;
  (void)files.remove(made);
  if (moved != 0 && error == EEXIST)
    return fail(unwritable, path, "there is a file already", "its keys are in use, or take another name");
  if (moved != 0) return fail_errno(unwritable, path, error);
  if (!files::sync_directory(files, files::directory_of(path))) return fail_errno(unwritable, path, errno);
  return {};
}

}  // namespace

Result<sealed::Keyring> read(const std::string& path, FileSystem& files) {
  struct stat info {};
  if (files.status(path, info) != 0)
    return fail(unreadable, path, fail_errno("", "", errno).value().why,
                "`bascule key create " + path + "` on one node, then copy it to the others; or key_file = \"none\"");
  if (S_ISREG(info.st_mode) && (info.st_mode & 077) != 0)
    return fail(unreadable, path, "others than its owner may read or write it", "chmod 600 " + path);
  const auto text = files::read_file(path, unreadable, file_bytes_max, files);
  if (!text) return tl::unexpected(text.error());
  return sealed::Keyring::parse(*text, path);
}

Result<void> write(const std::string& path, const sealed::Keyring& keyring, Existing existing, FileSystem& files) {
  const std::string made = path + ".new";
  if (auto written = write_whole(files, made, keyring.text()); !written) {
    (void)files.remove(made);
    return written;
  }
  return put_in_place(files, made, path, existing);
}

Result<sealed::Key> fresh_key(std::uint32_t id) {
  sealed::Key key{id, {}};
  if (auto filled = fill_at_random(key.secret); !filled) return tl::unexpected(filled.error());
  return key;
}

}  // namespace bascule::keys
