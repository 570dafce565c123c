#include "runtime/mount/mount_step.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/loop.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <vector>

#include "runtime/mount/mount_options.h"
#include "runtime/mount/mount_users.h"
#include "runtime/process/forked.h"
#include "runtime/process/mounts.h"

namespace bascule::mount {

/// What is to be done, and with what.
struct Job {
  std::string operation, device, directory, type, options;
  Duration timeout{};
};

namespace {

using Clock = std::chrono::steady_clock;

constexpr int ocf_success = 0, ocf_error = 1, ocf_unimplemented = 3, ocf_not_running = 7;
constexpr auto between_tries = std::chrono::milliseconds(10);
constexpr auto quiet_tries = std::chrono::milliseconds(100);  ///< the last processes may need a moment to be gone
constexpr auto between_signals = std::chrono::seconds(1);
constexpr auto time_for_the_answer = std::chrono::seconds(1);

struct Outcome {
  int code = ocf_success;
  std::string why;
};

std::string system_error(const std::string& what) { return what + ": " + std::strerror(errno); }

/// What is mounted on the directory now: the last one covers the others.
std::string source_on(const std::string& directory) {
  std::string source;
  for (const auto& mount : process::all_mounts())
    if (mount.target == directory) source = mount.source;
  return source;
}

bool holds_device(const std::string& directory, const std::string& device) {
  const auto mounts = process::mounts_of(device);
  return std::any_of(mounts.begin(), mounts.end(), [&](const auto& mount) { return mount.target == directory; });
}

/// What a loop device says that it is made from; of a volume the same for each of its promotions. Empty: it is none.
std::string file_of_loop(const std::string& device) {
  loop_info64 information{};
  const int descriptor = ::open(device.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  const bool told = ::ioctl(descriptor, LOOP_GET_STATUS64, &information) == 0;
  ::close(descriptor);
  return told ? reinterpret_cast<const char*>(information.lo_file_name) : "";
}

/// Of a promotion that ended with its blockd a mount may be left, on which everything fails. It has no owner any more.
bool is_forerunner(const std::string& mounted, const std::string& device) {
  const auto file = file_of_loop(mounted);
  return !file.empty() && file == file_of_loop(device);
}

/// As the agent decides by itself: these replay a journal when they are mounted, or have nothing to check.
bool is_checked(const std::string& type) {
  static constexpr std::array unchecked = {"ext4",  "ext3", "reiserfs", "reiser4", "nss",   "xfs",     "jfs",
                                           "vfat",  "fat",  "gfs2",     "ocfs2",   "none",  "overlay", "zfs",
                                           "btrfs", "f2fs", "bcachefs", "nilfs2",  "erofs", "squashfs"};
  return std::find(unchecked.begin(), unchecked.end(), type) == unchecked.end();
}

Outcome check_file_system(const Job& job) {
  std::string program = "fsck", option = "-t", repair = "-p", type = job.type, device = job.device;
  std::array<char*, 6> arguments = {program.data(), option.data(), type.data(), repair.data(), device.data(), nullptr};
  std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  std::array<char*, 2> environment = {path.data(), nullptr};
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int problem = ::posix_spawnp(&child, "/sbin/fsck", nullptr, &attributes, arguments.data(), environment.data());
  ::posix_spawnattr_destroy(&attributes);
  if (problem != 0) return {ocf_error, fmt::format("fsck cannot be run: {}", std::strerror(problem))};
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  // 1 and 2: errors were corrected.
  if (WIFEXITED(status) && WEXITSTATUS(status) < 4) return {};
  return {ocf_error, fmt::format("fsck found what it cannot repair on {}", job.device)};
}

Outcome start(const Job& job) {
  if (holds_device(job.directory, job.device)) return {};
  for (auto other = source_on(job.directory); !other.empty() && job.directory != "/";
       other = source_on(job.directory)) {
    if (!is_forerunner(other, job.device))
      return {ocf_error, fmt::format("{} is mounted on {} already", other, job.directory)};
    if (::umount2(job.directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
      return {ocf_error, system_error(fmt::format("the dead {} cannot be unmounted from {}", other, job.directory))};
  }
  std::error_code error;
  std::filesystem::create_directories(job.directory, error);
  if (error) return {ocf_error, fmt::format("{} cannot be made: {}", job.directory, error.message())};
  if (is_checked(job.type))
    if (auto checked = check_file_system(job); checked.code != ocf_success) return checked;
  const auto options = parse_mount_options(job.options);
  if (::mount(job.device.c_str(), job.directory.c_str(), job.type.c_str(), options.flags, options.data.c_str()) == 0)
    return {};
  return {ocf_error, system_error(fmt::format("{} ({}) cannot be mounted on {}", job.device, job.type, job.directory))};
}

Outcome monitor(const Job& job) {
  const bool here = job.device.empty() ? !source_on(job.directory).empty() : holds_device(job.directory, job.device);
  return {here ? ocf_success : ocf_not_running, ""};
}

/// What has to go before the directory is free, the last one first: mounts below it, and the device mounted elsewhere.
std::vector<std::string> targets_of(const Job& job) {
  std::vector<std::string> targets;
  const auto own = process::mounts_of(job.device);
  for (const auto& mount : process::all_mounts()) {
    const bool below = mount.target.starts_with(job.directory + "/");
    const bool here = mount.target == job.directory;
    const bool bound = std::any_of(own.begin(), own.end(), [&](const auto& one) { return one.target == mount.target; });
    if (below || here || bound) targets.push_back(mount.target);
  }
  std::reverse(targets.begin(), targets.end());
  return targets;
}

std::string named_users(const std::vector<MountUser>& users) {
  std::string names;
  for (const auto& user : users) names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", user.pid, user.command);
  return names.empty() ? "somebody who cannot be found" : names;
}

/// Tries until the deadline; whoever uses it is asked to go, and later made to.
Outcome unmount(const std::string& target, Clock::time_point deadline) {
  const auto began = Clock::now();
  const auto kill_from = began + (deadline - began) / 2;
  auto next_signal = began + quiet_tries;
  for (;;) {
    if (::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT) return {};
    if (errno != EBUSY) return {ocf_error, system_error(target + " cannot be unmounted")};
    const auto now = Clock::now();
    if (now >= deadline) return {ocf_error, fmt::format("{} is used by {}", target, named_users(users_of(target)))};
    if (now >= next_signal) {
      for (const auto& user : users_of(target)) ::kill(user.pid, now < kill_from ? SIGTERM : SIGKILL);
      next_signal = now + between_signals;
    }
    ::usleep(static_cast<useconds_t>(std::chrono::duration_cast<std::chrono::microseconds>(between_tries).count()));
  }
}

Outcome stop(const Job& job) {
  const auto deadline = Clock::now() + std::max<Clock::duration>(job.timeout - time_for_the_answer, between_tries);
  for (const auto& target : targets_of(job))
    if (auto done = unmount(target, deadline); done.code != ocf_success) return done;
  return {};
}

Outcome carry_out(const Job& job) {
  if (job.operation == "start") return start(job);
  if (job.operation == "stop") return stop(job);
  if (job.operation == "monitor") return monitor(job);
  return {ocf_unimplemented, "a mount has no " + job.operation};
}

std::string written(const Outcome& outcome) { return static_cast<char>(outcome.code) + outcome.why; }

Outcome read_back(const std::string& text) {
  if (text.empty()) return {ocf_error, "the process that mounts ended without a word"};
  return {text.front(), text.substr(1)};
}

}  // namespace

struct MountStep::State {
  boost::asio::io_context& io;
  Job job;
  bool mounted = false;
  bool closed = false;
};

MountStep::MountStep(boost::asio::io_context& io, const std::map<std::string, std::string>& parameters) {
  const auto value = [&](const char* name) {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string{} : found->second;
  };
  state_ = std::make_shared<State>(State{io, {}, false, false});
  state_->job.directory = value("directory");
  while (state_->job.directory.size() > 1 && state_->job.directory.back() == '/') state_->job.directory.pop_back();
  state_->job.type = value("fstype");
  state_->job.options = value("options");
}

MountStep::~MountStep() { state_->closed = true; }

bool MountStep::vanished() {
  if (!state_->mounted || !source_on(state_->job.directory).empty()) return false;
  state_->mounted = false;
  return true;
}

void MountStep::run(const std::string& operation, const std::string& device, Duration timeout, Done done) {
  Job job = state_->job;
  job.operation = operation, job.device = device, job.timeout = timeout;
  state_->mounted = operation == "monitor" && state_->mounted;
  auto answer = [state = state_, operation, done = std::move(done)](const Outcome& outcome) {
    if (state->closed) return;
    state->mounted = operation != "stop" && outcome.code == ocf_success;
    done(outcome.code, outcome.why);
  };
  // A monitor looks at one file in /proc: that never waits.
  if (operation == "monitor")
    return boost::asio::post(state_->io, [outcome = carry_out(job), answer] { answer(outcome); });
  const bool started = process::run_forked(
      state_->io, "bascule-mount", [job] { return written(carry_out(job)); },
      [answer](const std::string& text) { answer(read_back(text)); });
  if (started) return;
  const Outcome failed{ocf_error, system_error("there is no process to mount with")};
  boost::asio::post(state_->io, [answer, failed] { answer(failed); });
}

}  // namespace bascule::mount
