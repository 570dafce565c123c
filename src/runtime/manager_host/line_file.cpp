#include "runtime/manager_host/line_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bascule::manager_host {

namespace {

bool ends_torn(int descriptor, std::uint64_t bytes) {
  char last = '\n';
  return bytes > 0 && ::pread(descriptor, &last, 1, static_cast<off_t>(bytes - 1)) == 1 && last != '\n';
}

}  // namespace

Result<void> LineFile::open(const std::string& path) {
  close();
  path_ = path;
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) return fail_errno("the file cannot be written", path, errno);
  const off_t end = ::lseek(descriptor_, 0, SEEK_END);
  bytes_ = end > 0 ? static_cast<std::uint64_t>(end) : 0;
  if (waiting_.empty() && ends_torn(descriptor_, bytes_)) waiting_ = "\n";
  return {};
}

void LineFile::add(const std::string& line) {
  if (waiting_.empty() || waiting_.size() + line.size() < waiting_bytes_max) waiting_ += line + '\n';
  write_waiting();
}

/// Piece by piece: what was written of a line is not written again.
void LineFile::write_waiting() {
  if (descriptor_ < 0 && (path_.empty() || !open(path_))) return;
  while (!waiting_.empty()) {
    const ssize_t written = ::write(descriptor_, waiting_.data(), waiting_.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return tell(errno);
    bytes_ += static_cast<std::uint64_t>(written);
    waiting_.erase(0, static_cast<std::size_t>(written));
  }
  if (told_) spdlog::info("{} can be written again", path_);
  told_ = false;
}

void LineFile::tell(int error_number) {
  if (!told_) spdlog::error("{} cannot be written: {}; its lines wait in memory", path_, std::strerror(error_number));
  told_ = true;
}

void LineFile::begin_anew() {
  if (!waiting_.empty()) return;  // the rest of a line belongs behind its beginning
  close();
  std::rename(path_.c_str(), (path_ + ".old").c_str());
  if (const auto opened = open(path_); !opened) tell(errno);
}

void LineFile::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  bytes_ = 0;
}

}  // namespace bascule::manager_host
