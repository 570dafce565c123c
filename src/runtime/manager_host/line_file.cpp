#include "runtime/manager_host/line_file.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstring>

namespace bascule::manager_host {

bool LineFile::ends_torn() const {
  Byte last = '\n';
  return bytes_ > 0 && files_.read_at(file_.number(), {&last, 1}, bytes_ - 1) == 1 && last != '\n';
}

Result<void> LineFile::open(const std::string& path) {
  close();
  path_ = path;
  file_ = files::Descriptor(files_, files_.open(path, O_RDWR | O_CREAT | O_APPEND, 0644));
  if (!file_.is_open()) return fail_errno("the file cannot be written", path, errno);
  struct stat about {};
  if (files_.status(file_.number(), about) == 0) bytes_ = static_cast<std::uint64_t>(about.st_size);
  if (waiting_.empty() && ends_torn()) waiting_ = "\n";
  return {};
}

void LineFile::add(const std::string& line) {
  if (waiting_.empty() || waiting_.size() + line.size() < waiting_bytes_max) waiting_ += line + '\n';
  write_waiting();
}

/// Piece by piece: what was written of a line is not written again.
void LineFile::write_waiting() {
  if (!file_.is_open() && (path_.empty() || !open(path_))) return;
  while (!waiting_.empty()) {
    const ssize_t written = files_.write_at(file_.number(), view_of(waiting_), bytes_);
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

void LineFile::make_durable() {
  const files::Descriptor old(files_, files_.open(path_ + ".old", O_RDONLY, 0));
  const bool old_stays = !old.is_open() || files_.sync(old.number()) == 0;
  if (!old_stays || !file_.is_open() || files_.sync(file_.number()) != 0 ||
      !files::sync_directory(files_, files::directory_of(path_)))
    spdlog::error("{} cannot be synced: {}; a loss of power may take lines from it", path_, std::strerror(errno));
}

void LineFile::begin_anew() {
  if (!waiting_.empty()) return;  // the rest of a line belongs behind its beginning
  close();
  (void)files_.rename(path_, path_ + ".old");
  if (const auto opened = open(path_); !opened) tell(errno);
}

void LineFile::close() {
  file_ = files::Descriptor();
  bytes_ = 0;
}

}  // namespace bascule::manager_host
