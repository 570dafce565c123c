#include "runtime/block_host/lease_reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace bascule::block_host {

watchdog::Lease LeaseReader::read(Instant now) {
  if (now >= next_look_) {
    next_look_ = now + milliseconds(50);
    look_for_page();
  }
  return slot_ == nullptr ? watchdog::Lease{} : watchdog::read_slot(*slot_);
}

void LeaseReader::look_for_page() {
  struct stat status {};
  const bool there = ::stat(path_.c_str(), &status) == 0;
  if (there && slot_ != nullptr && status.st_dev == device_ && status.st_ino == inode_) return;
  unmap();
  if (!there || status.st_size < static_cast<off_t>(sizeof(watchdog::LeasePage))) return;
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  map(descriptor);
  ::close(descriptor);
}

void LeaseReader::map(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return;
  void* const memory = mmap(nullptr, sizeof(watchdog::LeasePage), PROT_READ, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) return;
  page_ = static_cast<const watchdog::LeasePage*>(memory);
  device_ = status.st_dev;
  inode_ = status.st_ino;
  if (page_->magic != watchdog::lease_page_magic) return unmap();
  for (const watchdog::LeaseSlot& slot : page_->slots)
    if (slot_name_ == std::string_view(slot.name, strnlen(slot.name, sizeof slot.name))) slot_ = &slot;
  if (slot_ == nullptr) unmap();
}

void LeaseReader::unmap() {
  if (page_ != nullptr) munmap(const_cast<watchdog::LeasePage*>(page_), sizeof(watchdog::LeasePage));
  page_ = nullptr;
  slot_ = nullptr;
}

}  // namespace bascule::block_host
