#include "runtime/manager_host/kept_files.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace bascule::manager_host {

namespace {

std::string text_in(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Beside the file, durable, with its mode; then it takes its place.
bool replace_file(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  struct stat about {};
  const bool known = stat(path.c_str(), &about) == 0;
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  bool done = fchmod(fd, known ? about.st_mode & 07777 : 0644) == 0;
  if (done && known) (void)!fchown(fd, about.st_uid, about.st_gid);  // as far as we may
  for (std::size_t at = 0; done && at < text.size();) {
    const auto written = write(fd, text.data() + at, text.size() - at);
    done = written > 0;
    at += done ? static_cast<std::size_t>(written) : 0;
  }
  done = done && fsync(fd) == 0;
  done = close(fd) == 0 && done;
  return done && rename(beside.c_str(), path.c_str()) == 0;
}

}  // namespace

void keep_configuration(const std::string& file, const std::string& known, const std::string& agreed) {
  if (file.empty()) return;
  const std::string found = text_in(file);
  if (found == agreed) return;
  if (found != known && !found.empty()) {
    spdlog::warn("{} was edited and not applied; what it said is in {}.not-applied", file, file);
    if (!replace_file(file + ".not-applied", found)) spdlog::error("{}.not-applied: {}", file, std::strerror(errno));
  }
  if (!replace_file(file, agreed)) spdlog::error("{} cannot be written: {}", file, std::strerror(errno));
}

std::string joined_file(const std::string& state_dir) { return state_dir + "/joined"; }

bool has_joined(const std::string& state_dir) { return access(joined_file(state_dir).c_str(), F_OK) == 0; }

}  // namespace bascule::manager_host
