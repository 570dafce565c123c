#include "runtime/watchdog/lease_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <new>

#include "base/crc32c.h"

namespace bascule::watchdog {
namespace {

std::string contents(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Different after each start of the kernel, and of the container that we are in: when process 1 began.
std::uint32_t boot_tag() {
  const std::string first = contents("/proc/1/stat");
  std::size_t at = std::min(first.rfind(')'), first.size());
  for (int field = 2; field < 22 && at < first.size(); ++field) at = std::min(first.find(' ', at + 1), first.size());
  const std::string began = first.substr(at, first.find(' ', std::min(at + 1, first.size())) - at);
  return crc32c(view_of(contents("/proc/sys/kernel/random/boot_id") + began));
}

bool name_slots(LeasePage& page, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const auto* end = page.slots + page.slot_count;
    if (std::any_of(page.slots, const_cast<LeaseSlot*>(end), [&](const LeaseSlot& slot) { return name == slot.name; }))
      continue;
    if (page.slot_count == lease_slots_max || name.size() > slot_name_max) return false;
    std::strncpy(page.slots[page.slot_count].name, name.c_str(), slot_name_max);
    std::atomic_ref(page.slot_count).store(page.slot_count + 1, std::memory_order_release);
  }
  return true;
}

/// A writer that was killed inside a slot: what it held is over, but stays armed until it is granted again or released.
void close_torn_slots(LeasePage& page, Instant now) {
  for (auto& slot : page.slots)
    if (slot.sequence.load() % 2 != 0) write_slot(slot, {slot.epoch.load(), now});
}

Result<void> make_page(const std::string& path, const std::vector<std::string>& names) {
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return fail_errno("the lease page cannot be made", temporary, errno);
  alignas(LeasePage) std::array<Byte, sizeof(LeasePage)> bytes{};
  auto* page = new (bytes.data()) LeasePage{};
  page->magic = lease_page_magic;
  page->boot_tag = boot_tag();
  const bool named = name_slots(*page, names);
  const bool written = named && write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  const int error = errno;
  close(fd);
  if (!named) return fail("the lease page cannot be made", path, "more leases, or longer names, than it holds");
  if (!written || rename(temporary.c_str(), path.c_str()) != 0)
    return fail_errno("the lease page cannot be made", path, written ? errno : error);
  return {};
}

}  // namespace

Instant boot_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return instant_from_ns(std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec);
}

std::vector<std::string> slot_names(const config::ClusterConfig& config) {
  std::vector<std::string> names;
  for (const auto& volume : config.volumes) names.push_back("volume:" + volume.name);
  for (const auto& service : config.services) names.push_back("service:" + service.name);
  return names;
}

std::optional<LeaseFile> LeaseFile::map(const std::string& path, bool writable) {
  const int fd = ::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct stat about {};
  void* memory = MAP_FAILED;
  if (fstat(fd, &about) == 0 && about.st_size == sizeof(LeasePage))
    memory = mmap(nullptr, sizeof(LeasePage), PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return std::nullopt;
  LeaseFile file(static_cast<LeasePage*>(memory));
  if (file.page_->magic != lease_page_magic || file.page_->slot_count > lease_slots_max) return std::nullopt;
  return file;
}

Result<LeaseFile> LeaseFile::open(const std::string& run_dir) {
  if (auto file = map(run_dir + "/lease", false)) return std::move(*file);
  return fail("there is no lease page", run_dir + "/lease", {}, "is bascule-watchdogd running?");
}

Result<LeaseFile> LeaseFile::create(const std::string& run_dir, const std::vector<std::string>& names) {
  const std::string path = run_dir + "/lease";
  if (auto file = map(path, true); file && file->page_->boot_tag == boot_tag()) {
    close_torn_slots(*file->page_, boot_now());
    if (name_slots(*file->page_, names)) return std::move(*file);
  }
  if (auto made = make_page(path, names); !made) return tl::unexpected(made.error());
  if (auto file = map(path, true)) return std::move(*file);
  return fail_errno("the lease page cannot be mapped", path, errno);
}

bool LeaseFile::add_slots(const std::vector<std::string>& names) { return name_slots(*page_, names); }

LeaseFile& LeaseFile::operator=(LeaseFile&& other) noexcept {
  std::swap(page_, other.page_);
  return *this;
}

LeaseFile::~LeaseFile() {
  if (page_ != nullptr) munmap(page_, sizeof(LeasePage));
}

const LeaseSlot* LeaseFile::find(std::string_view name) const {
  for (std::uint32_t i = 0; i < page_->slot_count && i < lease_slots_max; ++i)
    if (name == std::string_view(page_->slots[i].name, strnlen(page_->slots[i].name, slot_name_max)))
      return &page_->slots[i];
  return nullptr;
}

}  // namespace bascule::watchdog
