#include "runtime/block_host/create_volume.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/block_host/detail/creation.h"
#include "wire/drbd_metadata/creation.h"

namespace bascule::block_host {
namespace detail {
namespace {

constexpr const char* kCannotCreate = "the volume cannot be created";

Result<void> clear(const Backing& backing, std::uint64_t offset, std::uint64_t length) {
  const Bytes zeros(std::min<std::uint64_t>(length, 8 << 20), 0);
  for (std::uint64_t at = 0; at < length; at += zeros.size()) {
    const auto piece = ByteView(zeros).first(std::min<std::uint64_t>(zeros.size(), length - at));
    if (const auto written = backing.write_durably(offset + at, piece); !written) return written;
  }
  return {};
}

}  // namespace

tl::unexpected<Error> refuse_creation(const std::string& where, const std::string& why, const std::string& hint) {
  return fail(kCannotCreate, where, why, hint);
}

bool is_missing(const std::string& path) { return ::access(path.c_str(), F_OK) != 0 && errno == ENOENT; }

MadeFiles::~MadeFiles() {
  for (const std::string& path : paths_) ::unlink(path.c_str());
}

bool MadeFiles::has(const std::string& path) const {
  return std::find(paths_.begin(), paths_.end(), path) != paths_.end();
}

Result<void> MadeFiles::make(const std::string& path, std::uint64_t bytes) {
  if (path.starts_with("/dev/") && !path.starts_with("/dev/shm/"))
    return refuse_creation(path, "there is no such device");
  if (bytes == 0)
    return refuse_creation(path, "it does not exist, and the configuration gives the volume no size",
                           "set size, or make the file");
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0) return fail_errno(kCannotCreate, path, errno);
  paths_.push_back(path);
  const int error_number = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes));
  ::close(descriptor);
  if (error_number == 0) return {};
  return fail_errno(kCannotCreate, path, error_number);
}

Result<void> write_metadata(const Backing& backing, const drbd_metadata::Layout& layout) {
  using Kind = drbd_metadata::Step::Kind;
  const auto metadata = drbd_metadata::create({}, layout);
  if (!metadata) return tl::unexpected(metadata.error());
  for (const auto& step : drbd_metadata::creation_steps(*metadata, layout, layout.bitmap_bytes)) {
    if (step.kind == Kind::Flush) continue;  // each write is durable
    const auto done = step.kind == Kind::Zero ? clear(backing, step.offset, step.length)
                                              : backing.write_durably(step.offset, step.bytes);
    if (!done) return done;
  }
  return {};
}

}  // namespace detail

namespace {

using detail::refuse_creation;

Result<std::string> disk_of(const config::ClusterConfig& config, const std::string& node, const std::string& volume) {
  const config::Volume* const found = config.volume(volume);
  if (found == nullptr) return refuse_creation("volume." + volume, "the configuration has no volume of this name");
  const auto disk = found->disk.find(node);
  if (disk == found->disk.end()) return refuse_creation("volume." + volume, "it has no disk on node " + node);
  return disk->second;
}

// What is there; empty: nothing that anybody would miss.
Result<std::string> contents(const Backing& backing) {
  if (read_superblock(backing, backing.bytes())) return std::string("a volume with v08 metadata");
  return foreign_signature(backing);
}

Result<void> check_size(const Backing& backing, const config::Volume& volume) {
  const auto layout = drbd_metadata::internal_layout(backing.bytes());
  if (!layout)
    return refuse_creation(backing.path(), layout.error().why.empty() ? layout.error().text() : layout.error().why);
  const std::uint64_t usable = layout->usable_sectors * 512;
  if (volume.size_bytes <= usable) return {};
  return refuse_creation(backing.path(),
                         "it is too small: it has room for " + std::to_string(usable) + " of " +
                             std::to_string(volume.size_bytes) + " bytes of data",
                         "it must have " + std::to_string(backing_bytes_for(volume.size_bytes)) + " bytes");
}

Result<CreateReport> write_internal(const Backing& backing, const config::Volume& volume) {
  const auto layout = drbd_metadata::internal_layout(backing.bytes());
  if (!layout) return tl::unexpected(layout.error());
  if (const auto written = detail::write_metadata(backing, *layout); !written) return tl::unexpected(written.error());
  CreateReport report;
  report.path = backing.path();
  report.metadata = MetadataPlace{}.text();
  report.backing_bytes = backing.bytes();
  const std::uint64_t usable = layout->usable_sectors * 512;
  report.usable_bytes = volume.size_bytes == 0 ? usable : std::min(usable, volume.size_bytes);
  return report;
}

}  // namespace

std::uint64_t backing_bytes_for(std::uint64_t usable_bytes) {
  constexpr std::uint64_t step = drbd_metadata::kBlockBytes;
  std::uint64_t bytes = (usable_bytes + step - 1) / step * step + drbd_metadata::bitmap_bytes_for(usable_bytes / 512);
  for (;; bytes += step) {
    const auto layout = drbd_metadata::internal_layout(bytes);
    if (layout && layout->usable_sectors * 512 >= usable_bytes) return bytes;
  }
}

namespace {

Result<CreateReport> create_internal(const config::Volume& wanted, const std::string& path, bool force) {
  detail::MadeFiles made;
  if (detail::is_missing(path)) {
    const std::uint64_t bytes = wanted.size_bytes == 0 ? 0 : backing_bytes_for(wanted.size_bytes);
    if (const auto fine = made.make(path, bytes); !fine) return tl::unexpected(fine.error());
  }
  const auto backing = Backing::open(path);
  if (!backing) return tl::unexpected(backing.error());
  if (const auto fits = check_size(*backing, wanted); !fits) return tl::unexpected(fits.error());
  const auto there = made.has(path) ? Result<std::string>("") : contents(*backing);
  if (!there) return tl::unexpected(there.error());
  if (!there->empty() && !force) return refuse_creation(path, "it holds " + *there, detail::kForceOverwrites);
  auto report = write_internal(*backing, wanted);
  if (!report) return report;
  report->file_made = made.has(path);
  report->overwritten = *there;
  made.keep();
  return report;
}

}  // namespace

Result<CreateReport> create_volume(const config::ClusterConfig& config, const std::string& node,
                                   const std::string& volume, bool force) {
  const auto path = disk_of(config, node, volume);
  if (!path) return tl::unexpected(path.error());
  const config::Volume& wanted = *config.volume(volume);
  const auto configured = wanted.metadata.find(node);
  const auto place = MetadataPlace::parse(configured == wanted.metadata.end() ? "internal" : configured->second);
  if (!place) return tl::unexpected(place.error());
  return place->internal() ? create_internal(wanted, *path, force)
                           : detail::create_external(wanted, *path, *place, force);
}

}  // namespace bascule::block_host
