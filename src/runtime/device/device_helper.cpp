#include "runtime/device/device_helper.h"

#include <poll.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "runtime/device/mounts.h"

namespace bascule::device {
namespace {

constexpr char kAttach = 'A', kDetach = 'D', kAbandon = 'X', kRefresh = 'S';
constexpr char kYes = '+', kNo = '-';
constexpr auto kPatience = std::chrono::seconds(2);

// ---- the child --------------------------------------------------------------------------------------------------

std::string carry_out(char command, const DeviceHelper::Paths& paths, LoopDevice& loop) {
  if (command == kAttach) {
    loop = LoopDevice();
    auto attached = LoopDevice::attach(paths.mount_point + "/data");
    if (!attached) return kNo + attached.error().text();
    loop = std::move(*attached);
    ::unlink(paths.link.c_str());
    (void)!::symlink(loop.path().c_str(), paths.link.c_str());
    return kYes + loop.path();
  }
  if (command == kRefresh) {
    const auto refreshed = loop.refresh_size(paths.mount_point + "/data");
    return refreshed ? std::string{kYes} : kNo + refreshed.error().text();
  }
  if (command == kDetach && loop.detach() == LoopDevice::Detached::in_use) return {kNo};
  ::unlink(paths.link.c_str());
  loop = LoopDevice();
  return {kYes};
}

void clean_up(const DeviceHelper::Paths& paths) {
  ::unlink(paths.link.c_str());
  if (source_of_mount(paths.mount_point) == paths.mount_source)
    umount2(paths.mount_point.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
}

[[noreturn]] void run_child(int socket, const DeviceHelper::Paths& paths) {
  if (socket != 3) ::dup2(socket, 3);
  (void)close_range(4, ~0U, 0);  // nothing of the parent's may live on in here
  for (const int ignored : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) signal(ignored, SIG_IGN);
  prctl(PR_SET_NAME, "blockd-device");
  {
    LoopDevice loop;
    char command = 0;
    ssize_t size = 0;
    while ((size = ::recv(3, &command, 1, 0)) != 0) {
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) break;
      const std::string reply = carry_out(command, paths, loop);
      if (::send(3, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) break;
    }
    ::unlink(paths.link.c_str());
  }
  clean_up(paths);
  ::_exit(0);
}

}  // namespace

// ---- the parent -------------------------------------------------------------------------------------------------

Result<std::unique_ptr<DeviceHelper>> DeviceHelper::start(const Paths& paths) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return fail_errno("the device helper cannot be started", "socketpair", errno);
  const pid_t child = ::fork();
  if (child == 0) run_child(pair[1], paths);
  const int error_number = errno;
  ::close(pair[1]);
  if (child > 0) return std::unique_ptr<DeviceHelper>(new DeviceHelper(pair[0], child));
  ::close(pair[0]);
  return fail_errno("the device helper cannot be started", "fork", error_number);
}

DeviceHelper::~DeviceHelper() {
  if (ring_ != nullptr) ring_->cancel(watch_);
  ::shutdown(socket_, SHUT_RDWR);
  ::close(socket_);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (::waitpid(child_, nullptr, WNOHANG) == 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

void DeviceHelper::listen(uring::Ring& ring) {
  ring_ = &ring;
  watch_ = ring.watch(socket_, POLLIN, [this](int) { receive(); });
}

void DeviceHelper::attach(AttachDone done) { ask(kAttach, {std::move(done), {}, {}}); }
void DeviceHelper::detach(DetachDone done) { ask(kDetach, {{}, std::move(done), {}}); }
void DeviceHelper::refresh_size(RefreshDone done) { ask(kRefresh, {{}, {}, std::move(done)}); }
void DeviceHelper::abandon() { ask(kAbandon, {}); }

void DeviceHelper::ask(char command, Waiting waiting) {
  waiting_.push_back(std::move(waiting));
  if (lost_ || ::send(socket_, &command, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) lost();
}

void DeviceHelper::receive() {
  std::array<char, 4096> reply{};
  for (;;) {
    const ssize_t size = ::recv(socket_, reply.data(), reply.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return lost();
    if (waiting_.empty()) continue;
    Waiting waiting = std::move(waiting_.front());
    waiting_.pop_front();
    answer(std::move(waiting), std::string(reply.data(), static_cast<std::size_t>(size)));
  }
}

void DeviceHelper::answer(Waiting waiting, const std::string& reply) {
  const bool yes = reply[0] == kYes;
  if (waiting.detached) waiting.detached(yes ? LoopDevice::Detached::yes : LoopDevice::Detached::in_use);
  if (waiting.refreshed)
    waiting.refreshed(yes ? Result<void>{} : fail("the device keeps its size", "", reply.substr(1)));
  if (!waiting.attached) return;
  if (yes) return waiting.attached(reply.substr(1));
  waiting.attached(fail(kCannotAttachLoop, "", reply.substr(1)));
}

void DeviceHelper::lost() {
  lost_ = true;
  if (ring_ != nullptr) ring_->cancel(std::exchange(watch_, 0));
  for (auto& waiting : std::exchange(waiting_, {})) {
    if (waiting.detached) waiting.detached(LoopDevice::Detached::yes);
    if (waiting.attached)
      waiting.attached(fail(kCannotAttachLoop, "", "the device helper is gone", "restart bascule-blockd"));
  }
}

}  // namespace bascule::device
