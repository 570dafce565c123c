#include "runtime/process/cgroup.h"

#include <sys/stat.h>

#include <sstream>

#include "runtime/process/detail/cgroup_processes.h"
#include "runtime/process/detail/files.h"
#include "runtime/process/detail/scanned_processes.h"

namespace bascule::process {
namespace {

constexpr ino_t first_pid_namespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO of the kernel

}  // namespace

std::string node_directory(const std::string& cluster, const std::string& node) {
  std::string name = "bascule-" + directory_name(cluster) + "-" + directory_name(node);
  struct stat status {};
  if (::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino != first_pid_namespace) {
    name += "-" + std::to_string(status.st_ino);
  }
  return name;
}

std::string find_cgroup2_mount(std::string_view mountinfo) {
  std::istringstream lines{std::string(mountinfo)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string id, parent, device, root, target, options, word, type;
    if (!(words >> id >> parent >> device >> root >> target >> options)) continue;
    while (words >> word && word != "-") {
    }
    if (!(words >> type) || type != "cgroup2") continue;
    if (options == "rw" || options.starts_with("rw,")) return target;
  }
  return {};
}

std::unique_ptr<ServiceProcesses> open_service_processes(boost::asio::io_context& io, const std::string& directory,
                                                         const std::string& service, Log log,
                                                         std::string cgroup2_mount) {
  if (cgroup2_mount.empty()) cgroup2_mount = find_cgroup2_mount(read_file("/proc/self/mountinfo"));
  std::string why = "cgroup2 is not mounted writable";
  if (!cgroup2_mount.empty() && cgroup2_mount != "none") {
    auto opened = open_cgroup_processes(io, cgroup2_mount, directory, service);
    if (opened) return std::move(*opened);
    why = opened.error().text();
  }
  if (log) {
    log("warning: the processes of " + service + " are followed by their environment, not by a cgroup (" + why +
        "); what clears its environment and leaves its session is lost from sight");
  }
  return make_scanned_processes(io, directory, service);
}

}  // namespace bascule::process
