#include "runtime/files/replace_file.h"

#include <fcntl.h>

#include <cerrno>

namespace bascule::files {
namespace {

constexpr mode_t mode_of_new = 0644, all_of_mode = 07777;

bool write_beside(FileSystem& files, const std::string& beside, const std::string& path, std::string_view text) {
  struct stat about {};
  const bool known = files.status(path, about) == 0;
  const Descriptor file(files, files.open(beside, O_WRONLY | O_CREAT | O_TRUNC, 0600));
  if (!file.is_open()) return false;
  if (files.change_mode(file.number(), known ? about.st_mode & all_of_mode : mode_of_new) != 0) return false;
  if (known) (void)files.change_owner(file.number(), about.st_uid, about.st_gid);  // as far as we may
  return write_all(file, 0, view_of(text)) && files.sync(file.number()) == 0;
}

}  // namespace

Result<void> replace_file(const std::string& path, std::string_view text, std::string_view what, FileSystem& files) {
  const std::string beside = path + ".new";
  if (write_beside(files, beside, path, text) && files.rename(beside, path) == 0 &&
      sync_directory(files, directory_of(path)))
    return {};
  const int error_number = errno;
  (void)files.remove(beside);
  return fail_errno(std::string(what), path, error_number);
}

}  // namespace bascule::files
