#include "runtime/files/blank_device.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <vector>

extern char** environ;

namespace bascule::files {
namespace {

constexpr const char* not_made = "no file system is made";
constexpr std::uint64_t head_bytes = 4 << 20, tail_bytes = 1 << 20, sample_bytes = 64 << 10;
constexpr std::uint64_t samples = 64;
constexpr std::uint64_t second_superblock = 32768ULL * 4096;  ///< of ext4 with its usual blocks

struct Device {
  explicit Device(const std::string& name) : path(name), descriptor(::open(name.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Device() {
    if (descriptor >= 0) ::close(descriptor);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  std::string path;
  int descriptor;
};

/// As far as there is something at all: the device may be smaller.
Result<bool> is_zero(const Device& device, std::uint64_t offset, std::uint64_t length) {
  std::vector<char> bytes(sample_bytes);
  for (std::uint64_t done = 0; done < length;) {
    const auto wanted = std::min<std::uint64_t>(bytes.size(), length - done);
    const auto got = ::pread(device.descriptor, bytes.data(), wanted, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(not_made, device.path, errno);
    if (got == 0) return true;
    if (std::any_of(bytes.begin(), bytes.begin() + got, [](char byte) { return byte != 0; })) return false;
    done += static_cast<std::uint64_t>(got);
  }
  return true;
}

Result<void> run(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t process = -1;
  if (const int error = ::posix_spawnp(&process, arguments[0], nullptr, nullptr, arguments.data(), environ); error != 0)
    return fail_errno(not_made, words[0], error);
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(not_made, words.back(), words[0] + " failed");
}

}  // namespace

Result<bool> is_blank(const std::string& path) {
  const Device device(path);
  if (device.descriptor < 0) return fail_errno(not_made, path, errno);
  const auto end = ::lseek(device.descriptor, 0, SEEK_END);
  if (end < 0) return fail_errno(not_made, path, errno);
  const auto size = static_cast<std::uint64_t>(end);
  if (size == 0) return fail(not_made, path, "it has no size");
  std::vector<std::pair<std::uint64_t, std::uint64_t>> looks{
      {0, head_bytes}, {size - std::min(size, tail_bytes), tail_bytes}, {second_superblock, sample_bytes}};
  for (std::uint64_t i = 1; i < samples; ++i) looks.emplace_back(size / samples * i, sample_bytes);
  for (const auto& [offset, length] : looks) {
    const auto zero = is_zero(device, offset, length);
    if (!zero || !*zero) return zero;
  }
  return true;
}

Result<bool> make_filesystem(const std::string& device, const std::string& type) {
  const auto blank = is_blank(device);
  if (!blank || !*blank) return blank;
  // It is zero already: nothing has to be discarded.
  const auto made =
      type == "xfs" ? run({"mkfs.xfs", "-q", "-K", device}) : run({"mkfs." + type, "-q", "-E", "nodiscard", device});
  if (!made) return tl::unexpected(made.error());
  return true;
}

}  // namespace bascule::files
