#include "runtime/process/mounts.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>
#include <utility>

#include "runtime/process/detail/files.h"
#include "runtime/process/forked.h"

namespace bascule::process {
namespace {

namespace asio = boost::asio;

constexpr int passes_max = 16;  // mounts stacked on one another
constexpr useconds_t busy_pause_us = 20'000;
constexpr int busy_tries = 10;

/// mountinfo writes space, tab, newline and backslash as \040 and so on.
std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t index = 0; index < text.size(); ++index) {
    const bool escape = text[index] == '\\' && index + 3 < text.size();
    if (!escape) {
      result += text[index];
      continue;
    }
    result += static_cast<char>(std::strtol(text.substr(index + 1, 3).c_str(), nullptr, 8));
    index += 3;
  }
  return result;
}

std::string resolved(const std::string& path) {
  char* real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string result(real);
  ::free(real);
  return result;
}

bool parse_line(const std::string& line, Mount& mount) {
  std::istringstream words(line);
  std::string id, parent, device, root, target, word, source;
  if (!(words >> id >> parent >> device >> root >> target)) return false;
  if (std::sscanf(device.c_str(), "%u:%u", &mount.major, &mount.minor) != 2) return false;
  while (words >> word && word != "-") {
  }
  if (!(words >> mount.type >> source)) return false;
  mount.source = unescaped(source);
  mount.target = unescaped(target);
  return true;
}

struct Job {
  std::string device;
  bool detach = false;
};

/// The last processes of a killed service may need a moment to let go of it.
bool unmount_politely(const std::string& target) {
  for (int tries = 0; tries < busy_tries; ++tries) {
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL) return true;
    if (errno != EBUSY) return false;
    ::usleep(busy_pause_us);
  }
  return false;
}

UnmountResult unmount_everything(const Job& job) {
  UnmountResult result{!job.detach, {}};
  for (int pass = 0; pass < passes_max; ++pass) {
    const auto mounts = mounts_of(job.device);
    if (mounts.empty()) break;
    const std::string& target = mounts.back().target;
    const bool clean = (!job.detach && unmount_politely(target)) ||
                       (::umount2(target.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0 && errno == EINVAL);
    result.targets.push_back(target);
    result.clean = result.clean && clean;
  }
  return result;
}

/// Between the copy and the loop: whether it was clean, and each target, which a path can end but not contain.
std::string written(const UnmountResult& result) {
  std::string text = result.clean ? "1" : "0";
  for (const auto& target : result.targets) text += target + '\0';
  return text;
}

UnmountResult read_back(const std::string& text) {
  UnmountResult result{text.starts_with('1'), {}};
  for (std::size_t begin = 1; begin < text.size();) {
    const auto end = std::min(text.find('\0', begin), text.size());
    result.targets.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return result;
}

}  // namespace

std::vector<Mount> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    Mount mount;
    if (parse_line(line, mount)) mounts.push_back(std::move(mount));
  }
  return mounts;
}

std::vector<Mount> all_mounts() { return parse_mountinfo(read_file("/proc/self/mountinfo")); }

std::vector<Mount> mounts_of(const std::string& device) {
  std::vector<Mount> result;
  if (device.empty()) return result;
  const std::string name = resolved(device);
  struct stat status {};
  const bool block = ::stat(name.c_str(), &status) == 0 && S_ISBLK(status.st_mode);
  for (Mount& mount : parse_mountinfo(read_file("/proc/self/mountinfo"))) {
    const bool same = block && mount.major == major(status.st_rdev) && mount.minor == minor(status.st_rdev);
    if (same || mount.source == name || mount.source == device) result.push_back(std::move(mount));
  }
  return result;
}

/// One device being unmounted, seen from the loop.
struct Running {
  explicit Running(asio::io_context& io) : timer(io) {}
  asio::steady_timer timer;
  bool impatient = false;
  std::vector<std::function<void(const UnmountResult&)>> done;
};

struct Unmounter::State : std::enable_shared_from_this<Unmounter::State> {
  State(asio::io_context& context, Log sink) : io(context), log(std::move(sink)) {}
  asio::io_context& io;
  Log log;
  bool closed = false;
  std::map<std::string, std::shared_ptr<Running>> running;

  void start(const std::string& device, const std::shared_ptr<Running>& one, bool detach);
  void finish(const std::string& device, const std::shared_ptr<Running>& one, UnmountResult result);
};

void Unmounter::State::start(const std::string& device, const std::shared_ptr<Running>& one, bool detach) {
  const auto finished = [self = shared_from_this(), device, one](const UnmountResult& result) {
    self->finish(device, one, result);
  };
  const bool started = run_forked(
      io, "bascule-unmount", [job = Job{device, detach}] { return written(unmount_everything(job)); },
      [finished](const std::string& text) { finished(read_back(text)); });
  if (started) return;
  if (log) log("warning: no process to unmount " + device + " with; it is detached at once");
  // MNT_DETACH itself does not wait for writes.
  asio::post(io, [finished, result = unmount_everything({device, true})] { finished(result); });
}

/// The first of two that is done tells; one that still waits in the kernel is not asked any more.
void Unmounter::State::finish(const std::string& device, const std::shared_ptr<Running>& one, UnmountResult result) {
  const auto found = running.find(device);
  if (closed || found == running.end() || found->second != one) return;
  running.erase(found);
  one->timer.cancel();
  if (one->impatient || !mounts_of(device).empty()) result.clean = false;
  if (log && !result.targets.empty()) {
    log(device + (result.clean ? " unmounted from " : " detached from ") + result.targets.front());
  }
  for (const auto& done : one->done) done(result);
}

Unmounter::Unmounter(asio::io_context& io, Log log) : state_(std::make_shared<State>(io, std::move(log))) {}

Unmounter::~Unmounter() {
  state_->closed = true;
  for (auto& [device, one] : state_->running) one->timer.cancel();
}

void Unmounter::unmount_all(const std::string& device, Duration patience,
                            std::function<void(const UnmountResult&)> done) {
  auto& one = state_->running[device];
  if (one) {
    one->done.push_back(std::move(done));
    return;
  }
  one = std::make_shared<Running>(state_->io);
  one->done.push_back(std::move(done));
  one->timer.expires_after(patience);
  one->timer.async_wait([state = state_, device, waiting = one](const boost::system::error_code& error) {
    if (error || state->closed) return;
    waiting->impatient = true;
    state->start(device, waiting, true);
  });
  state_->start(device, one, false);
}

}  // namespace bascule::process
