#include "runtime/block_host/activity_page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace bascule::block_host {

Result<ActivityWriter> ActivityWriter::open(const std::string& path) {
  constexpr const char* what = "the activity page cannot be opened";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) return fail_errno(what, path, errno);
  void* memory = MAP_FAILED;
  if (::ftruncate(descriptor, sizeof(ActivityPage)) == 0)
    memory = mmap(nullptr, sizeof(ActivityPage), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  const int error_number = errno;
  ::close(descriptor);
  if (memory == MAP_FAILED) return fail_errno(what, path, error_number);
  auto* const page = static_cast<ActivityPage*>(memory);
  page->magic = activity_page_magic;
  page->primary_since_ns.store(0);
  return ActivityWriter(page);
}

ActivityWriter::ActivityWriter(ActivityWriter&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}

ActivityWriter::~ActivityWriter() {
  if (page_ != nullptr) munmap(page_, sizeof(ActivityPage));
}

}  // namespace bascule::block_host
