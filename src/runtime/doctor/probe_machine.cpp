// Kernel, watchdog, clock, other managers.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/doctor/detail/probes.h"
#include "runtime/files/read_file.h"
#include "runtime/process/cgroup.h"

namespace bascule::doctor::detail {
namespace {

constexpr std::array others{"pacemakerd", "corosync", "heartbeat", "keepalived", "pcsd"};

std::string why_not(int error) { return error == 0 ? "" : std::strerror(error); }

std::string try_io_uring() {
  io_uring_params parameters{};
  const Descriptor ring(static_cast<int>(::syscall(SYS_io_uring_setup, 4, &parameters)));
  return ring.open() ? "" : why_not(errno);
}

std::string try_open(const char* path) {
  const Descriptor device(::open(path, O_RDWR | O_CLOEXEC));
  return device.open() ? "" : std::string(path) + ": " + why_not(errno);
}

std::string try_nftables() {
  const Descriptor socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!socket.open()) return why_not(errno);
  for (const char* program : {"/usr/sbin/nft", "/sbin/nft"})
    if (::access(program, X_OK) == 0) return "";
  return "there is no program nft";
}

std::string try_cgroup2() {
  const auto mounts = files::read_file("/proc/self/mountinfo", "");
  return mounts && !process::find_cgroup2_mount(*mounts).empty() ? "" : "cgroup 2 is not mounted writable";
}

/// Who has this device open: opening it to ask would arm it.
std::string holder_of(const std::string& device) {
  std::error_code error;
  for (const auto& process : names_in("/proc")) {
    if (process.find_first_not_of("0123456789") != std::string::npos) continue;
    for (const auto& number : names_in("/proc/" + process + "/fd"))
      if (std::filesystem::read_symlink("/proc/" + process + "/fd/" + number, error) == device)
        return first_line("/proc/" + process + "/comm");
  }
  return "";
}

WatchdogFacts look_for_watchdog() {
  WatchdogFacts facts;
  for (const auto& name : names_in("/dev"))
    if (name.starts_with("watchdog")) facts.devices.push_back("/dev/" + name);
  for (const auto& device : facts.devices)
    if (facts.holder.empty()) facts.holder = holder_of(device);
  facts.identity = first_line("/sys/class/watchdog/watchdog0/identity");
  return facts;
}

std::vector<std::string> running_managers() {
  std::vector<std::string> found;
  for (const auto& process : names_in("/proc")) {
    if (process.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string name = first_line("/proc/" + process + "/comm");
    if (std::find(others.begin(), others.end(), name) != others.end() &&
        std::find(found.begin(), found.end(), name) == found.end())
      found.push_back(name);
  }
  return found;
}

}  // namespace

void probe_machine(const Options&, Facts& facts) {
  facts.kernel = {try_io_uring(), try_open("/dev/fuse"), try_open("/dev/loop-control"), try_nftables(), try_cgroup2()};
  facts.watchdog = look_for_watchdog();
  timex clock{};
  if (const int state = ::adjtimex(&clock); state >= 0)
    facts.clock_synchronised = state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0;
  facts.drbd_module = ::access("/sys/module/drbd", F_OK) == 0;
  facts.other_managers = running_managers();
}

}  // namespace bascule::doctor::detail
