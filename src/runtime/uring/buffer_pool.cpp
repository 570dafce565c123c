#include "runtime/uring/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24  // since Linux 5.18
#endif

namespace bascule::uring {
namespace {
constexpr std::size_t kPage = 4096;
constexpr std::array kUses = {BufferPool::Use::application, BufferPool::Use::peer, BufferPool::Use::engine};
}  // namespace

Result<std::unique_ptr<BufferPool>> BufferPool::create(Shape shape) {
  std::unique_ptr<BufferPool> pool(new BufferPool);
  const std::size_t size = kUses.size() * (shape.small_per_use * kSmallBytes + shape.large_per_use * kLargeBytes);
  void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail_errno("no memory for payload buffers", std::to_string(size) + " bytes", errno);
  pool->arena_ = {static_cast<Byte*>(memory), size};
  pool->carve(shape);
  return pool;
}

BufferPool::~BufferPool() {
  for (auto& [id, adopted] : adopted_) std::free(adopted.heap.data());
  for (auto& [length, spares] : spare_)
    for (const auto& memory : spares) std::free(memory.data());
  if (!arena_.empty()) munmap(arena_.data(), arena_.size());
}

// The kept ones come last into the lists, and leave them first.
void BufferPool::carve(Shape shape) {
  slots_.reserve(kUses.size() * (shape.small_per_use + shape.large_per_use));
  const std::uint32_t kept = std::min(shape.large_kept_per_use, shape.large_per_use);
  kept_bytes_ = kUses.size() * (shape.small_per_use * kSmallBytes + kept * kLargeBytes);
  carve_large(kept_bytes_, shape.large_per_use - kept, false);
  std::size_t at = carve_large(0, kept, true);
  for (const Use use : kUses)
    for (std::uint32_t i = 0; i < shape.small_per_use; ++i, at += kSmallBytes)
      carve_slot(arena_.subspan(at, kSmallBytes), use, true, true);
}

std::size_t BufferPool::carve_large(std::size_t at, std::uint32_t per_use, bool kept) {
  for (const Use use : kUses)
    for (std::uint32_t i = 0; i < per_use; ++i, at += kLargeBytes)
      carve_slot(arena_.subspan(at, kLargeBytes), use, false, kept);
  return at;
}

void BufferPool::carve_slot(std::span<Byte> memory, Use use, bool small, bool kept) {
  const Id id = kFirstId + static_cast<Id>(slots_.size());
  slots_.push_back({memory, 0, use, small, kept});
  FreeLists& lists = free_[static_cast<std::size_t>(use)];
  (small ? lists.small : lists.large).push_back(id);
}

BufferPool::Slot& BufferPool::slot(Id id) {
  BASCULE_ASSERT(own(id));
  return slots_[id - kFirstId];
}

BufferPool::Id BufferPool::take(Use use, std::size_t bytes) {
  BASCULE_ASSERT(bytes <= kLargeBytes);
  FreeLists& lists = free_[static_cast<std::size_t>(use)];
  std::vector<Id>& list = bytes <= kSmallBytes && !lists.small.empty() ? lists.small : lists.large;
  if (list.empty()) return 0;
  const Id id = list.back();
  list.pop_back();
  Slot& taken = slot(id);
  taken.references = 1;
  if (!taken.kept) taken.touched = true, ++beyond_kept_;
  ++in_use_[static_cast<std::size_t>(use)];
  return id;
}

void BufferPool::adopt(Id id, std::size_t bytes) {
  BASCULE_ASSERT(id != 0 && !own(id) && !adopted_.contains(id));
  Adopted adopted{0, {}, 1};
  if (bytes <= kLargeBytes) adopted.inside = take(Use::engine, bytes);
  if (adopted.inside == 0) adopted.heap = take_heap(bytes);
  adopted_.emplace(id, adopted);
}

std::span<Byte> BufferPool::take_heap(std::size_t bytes) {
  const std::size_t size = std::bit_ceil(std::max(bytes, kPage));
  ++beyond_kept_;
  std::vector<std::span<Byte>>& spares = spare_[size];
  if (!spares.empty()) {
    const std::span<Byte> memory = spares.back();
    spares.pop_back();
    spare_bytes_ -= size;
    return memory;
  }
  void* const memory = std::aligned_alloc(kPage, size);
  BASCULE_ASSERT(memory != nullptr);
  return {static_cast<Byte*>(memory), size};
}

void BufferPool::release_heap(std::span<Byte> memory) {
  if (spare_bytes_ + memory.size() > kSpareBytes) return std::free(memory.data());
  spare_[memory.size()].push_back(memory);
  spare_bytes_ += memory.size();
}

void BufferPool::give_back() {
  for (Slot& idle : slots_) {
    if (!idle.touched || idle.references > 0) continue;
    idle.touched = false;
    if (madvise(idle.memory.data(), idle.memory.size(), MADV_DONTNEED_LOCKED) != 0)
      (void)madvise(idle.memory.data(), idle.memory.size(), MADV_DONTNEED);  // refused for locked memory: it stays
  }
  for (auto& [length, spares] : spare_)
    for (const auto& memory : spares) std::free(memory.data());
  spare_.clear();
  spare_bytes_ = 0;
}

bool BufferPool::known(Id id) const { return own(id) ? slots_[id - kFirstId].references > 0 : adopted_.contains(id); }

std::span<Byte> BufferPool::bytes(Id id) {
  if (own(id)) return slot(id).memory;
  const auto adopted = adopted_.find(id);
  BASCULE_ASSERT(adopted != adopted_.end());
  return adopted->second.inside != 0 ? slot(adopted->second.inside).memory : adopted->second.heap;
}

void BufferPool::retain(Id id) {
  BASCULE_ASSERT(known(id));
  ++(own(id) ? slot(id).references : adopted_.at(id).references);
}

void BufferPool::release(Id id) {
  BASCULE_ASSERT(known(id));
  if (!own(id)) {
    Adopted& adopted = adopted_.at(id);
    if (--adopted.references > 0) return;
    if (adopted.inside != 0)
      release(adopted.inside);
    else
      release_heap(adopted.heap);
    adopted_.erase(id);
    return;
  }
  Slot& freed = slot(id);
  if (--freed.references > 0) return;
  FreeLists& lists = free_[static_cast<std::size_t>(freed.use)];
  (freed.small ? lists.small : lists.large).push_back(id);
  --in_use_[static_cast<std::size_t>(freed.use)];
  ++frees_;
}

}  // namespace bascule::uring
