#include "runtime/mount/mount_users.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>

namespace bascule::mount {
namespace {

namespace fs = std::filesystem;

bool below(const std::string& path, const std::string& directory) {
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

bool link_below(const fs::path& link, const std::string& directory) {
  std::error_code error;
  const auto target = fs::read_symlink(link, error);
  return !error && below(target.string(), directory);
}

bool any_open(const fs::path& process, const std::string& directory) {
  std::error_code error;
  for (fs::directory_iterator file(process / "fd", error), end; !error && file != end; file.increment(error))
    if (link_below(file->path(), directory)) return true;
  return false;
}

bool any_mapped(const fs::path& process, const std::string& directory) {
  std::ifstream maps(process / "maps");
  for (std::string line; std::getline(maps, line);)
    if (const auto path = line.find('/'); path != std::string::npos && below(line.substr(path), directory)) return true;
  return false;
}

bool uses(const fs::path& process, const std::string& directory) {
  for (const char* link : {"cwd", "root", "exe"})
    if (link_below(process / link, directory)) return true;
  return any_open(process, directory) || any_mapped(process, directory);
}

std::string command_of(const fs::path& process) {
  std::ifstream file(process / "comm");
  std::string name;
  std::getline(file, name);
  return name;
}

}  // namespace

std::vector<MountUser> users_of(const std::string& directory) {
  std::vector<MountUser> users;
  std::error_code error;
  for (fs::directory_iterator process("/proc", error), end; !error && process != end; process.increment(error)) {
    const std::string name = process->path().filename().string();
    pid_t pid = 0;
    const auto [rest, problem] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (problem != std::errc{} || rest != name.data() + name.size() || pid == ::getpid()) continue;
    if (uses(process->path(), directory)) users.push_back({pid, command_of(process->path())});
  }
  return users;
}

}  // namespace bascule::mount
