// Disks of this node's volumes, and STATE_DIR.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "runtime/doctor/detail/probes.h"
#include "runtime/process/mounts.h"
#include "wire/drbd_metadata/signature.h"
#include "wire/drbd_metadata/superblock.h"

namespace bascule::doctor::detail {
namespace {

constexpr int sync_writes = 21;
constexpr std::size_t written_bytes = 512;

std::uint64_t bytes_of(int descriptor, const struct stat& info) {
  std::uint64_t bytes = 0;
  if (S_ISREG(info.st_mode)) return static_cast<std::uint64_t>(info.st_size);
  return ::ioctl(descriptor, BLKGETSIZE64, &bytes) == 0 ? bytes : 0;
}

/// Whether somebody else has it: a block device by O_EXCL, a file by a loop device or by our own lock.
bool in_use(const std::string& path, const struct stat& info) {
  if (S_ISBLK(info.st_mode)) {
    const Descriptor alone(::open(path.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    return !alone.open() && errno == EBUSY;
  }
  for (const auto& device : names_in("/sys/block"))
    if (device.starts_with("loop") && first_line("/sys/block/" + device + "/loop/backing_file") == path) return true;
  return false;
}

Bytes bytes_at(const Descriptor& device, std::uint64_t offset, std::uint64_t length) {
  Bytes bytes(length);
  const auto got = ::pread(device.number(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

/// Whether `bascule volume create` was here, and if not, what is there instead.
void look_for_metadata(const Descriptor& device, DiskFacts& disk) {
  const auto layout = drbd_metadata::internal_layout(disk.bytes);
  if (!layout) return;
  const auto superblock = bytes_at(device, layout->superblock_offset, drbd_metadata::kBlockBytes);
  disk.has_metadata = drbd_metadata::decode_superblock(superblock).has_value();
  if (*disk.has_metadata) return;
  const std::uint64_t window = std::min<std::uint64_t>(drbd_metadata::kSignatureProbeBytes, disk.bytes / 512 * 512);
  const auto first = bytes_at(device, 0, window), last = bytes_at(device, disk.bytes - window, window);
  disk.foreign = drbd_metadata::recognise_signature(first, last).value_or("");
}

DiskFacts look_at_disk(const Options& options, const config::Volume& volume, const std::string& path) {
  DiskFacts disk;
  disk.volume = volume.name;
  disk.path = path;
  disk.wanted_bytes = volume.size_bytes;
  disk.daemon_runs = answers(options.run_dir + "/blockd." + volume.name + ".sock");
  const Descriptor device(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!device.open() || ::fstat(device.number(), &info) != 0) {
    disk.missing = std::strerror(errno);
    return disk;
  }
  disk.bytes = bytes_of(device.number(), info);
  if (S_ISBLK(info.st_mode)) {
    for (const auto& mount : process::mounts_of(path)) disk.mounted_on.push_back(mount.target);
    disk.holders = names_in(fmt::format("/sys/dev/block/{}:{}/holders", major(info.st_rdev), minor(info.st_rdev)));
  }
  disk.in_use = !disk.daemon_runs && in_use(path, info);
  const auto metadata = volume.metadata.find(options.node);
  if (!disk.daemon_runs && (metadata == volume.metadata.end() || metadata->second == "internal"))
    look_for_metadata(device, disk);
  return disk;
}

/// As the consensus log does it: a small write, then a wait until it is durable.
void measure_sync(StateDirectory& state) {
  const std::string path = state.path + "/.doctor." + std::to_string(::getpid());
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.open()) {
    state.missing = std::strerror(errno);
    return;
  }
  ::unlink(path.c_str());
  const std::array<char, written_bytes> bytes{};
  std::vector<Duration> took;
  for (int i = 0; i < sync_writes; ++i) {
    const auto began = std::chrono::steady_clock::now();
    if (::write(file.number(), bytes.data(), bytes.size()) < 0 || ::fdatasync(file.number()) != 0) {
      state.missing = std::strerror(errno);
      return;
    }
    took.push_back(std::chrono::steady_clock::now() - began);
  }
  std::sort(took.begin(), took.end());
  state.sync_median = took[took.size() / 2];
  state.sync_worst = took.back();
}

}  // namespace

void probe_storage(const Options& options, Facts& facts) {
  facts.state.path = options.state_dir;
  struct statvfs space {};
  if (::statvfs(options.state_dir.c_str(), &space) != 0) {
    facts.state.missing = std::strerror(errno);
  } else {
    facts.state.free_bytes = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    measure_sync(facts.state);
  }
  if (!facts.config) return;
  for (const auto& volume : facts.config->volumes)
    if (const auto path = volume.disk.find(facts.node); path != volume.disk.end())
      facts.disks.push_back(look_at_disk(options, volume, path->second));
}

}  // namespace bascule::doctor::detail
