#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::uring {

/// Payload buffers in one page-aligned arena, counted by reference. Each use has its own buffers, so that the
/// application, the peer and the engine cannot starve each other. A part of each is kept in memory for good, enough to
/// go on when the machine has none left; the rest takes memory at its first use, until give_back(). One thread.
class BufferPool {
 public:
  using Id = std::uint32_t;  ///< replication::BufferId; 0: none
  enum class Use : std::uint8_t { application, peer, engine };
  static constexpr std::size_t kSmallBytes = 16 * 1024;
  static constexpr std::size_t kLargeBytes = 1024 * 1024;
  static constexpr std::size_t kSpareBytes = 16 * 1024 * 1024;
  /// Ids made by take() begin here, one for each buffer of the arena; all others are left to adopt().
  static constexpr Id kFirstId = 0x4000'0000;

  struct Shape {
    std::uint32_t small_per_use = 256;
    std::uint32_t large_per_use = 16;
    std::uint32_t large_kept_per_use = 2;  ///< of them: kept, as all small ones are
  };

  [[nodiscard]] static Result<std::unique_ptr<BufferPool>> create(Shape shape);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// A buffer of at least `bytes` (at most kLargeBytes) with one reference, or 0 when this use has none free.
  [[nodiscard]] Id take(Use use, std::size_t bytes);
  /// Makes a buffer known under an id that somebody else chose. Never fails: takes memory from the heap if it must,
  /// and keeps up to kSpareBytes of it for the next, since fresh pages cost more than reading the disk into them.
  void adopt(Id id, std::size_t bytes);
  [[nodiscard]] bool known(Id id) const;
  /// All of the buffer; at least as long as was asked for.
  [[nodiscard]] std::span<Byte> bytes(Id id);
  void retain(Id id);
  void release(Id id);

  /// What is always in memory, to be registered with the ring.
  [[nodiscard]] std::span<Byte> kept() const { return arena_.first(kept_bytes_); }
  /// Counts how often memory beyond the kept one was taken.
  [[nodiscard]] std::uint64_t beyond_kept() const { return beyond_kept_; }
  /// Gives the kernel what nobody uses beyond the kept memory. To be called when a burst is over: fresh pages are dear.
  void give_back();
  [[nodiscard]] std::size_t in_use(Use use) const { return in_use_[static_cast<std::size_t>(use)]; }
  /// Heap memory that waits for the next adopt().
  [[nodiscard]] std::size_t spare_bytes() const { return spare_bytes_; }
  /// Counts releases that made a buffer free again: changes when it is worth to try take() again.
  [[nodiscard]] std::uint64_t frees() const { return frees_; }

 private:
  struct Slot {
    std::span<Byte> memory;
    std::uint32_t references = 0;
    Use use{};
    bool small = false;
    bool kept = true;
    bool touched = false;  ///< not kept, and written since the last give_back()
  };
  struct Adopted {
    Id inside = 0;         ///< a slot of the arena, or
    std::span<Byte> heap;  ///< memory of its own
    std::uint32_t references = 0;
  };
  struct FreeLists {
    std::vector<Id> small, large;
  };

  BufferPool() = default;
  void carve(Shape shape);
  std::size_t carve_large(std::size_t at, std::uint32_t per_use, bool kept);
  void carve_slot(std::span<Byte> memory, Use use, bool small, bool kept);
  Slot& slot(Id id);
  [[nodiscard]] std::span<Byte> take_heap(std::size_t bytes);
  void release_heap(std::span<Byte> memory);
  [[nodiscard]] bool own(Id id) const { return id >= kFirstId && id - kFirstId < slots_.size(); }

  std::span<Byte> arena_;
  std::size_t kept_bytes_ = 0;
  std::vector<Slot> slots_;
  std::array<FreeLists, 3> free_;
  std::array<std::size_t, 3> in_use_{};
  std::unordered_map<Id, Adopted> adopted_;
  std::unordered_map<std::size_t, std::vector<std::span<Byte>>> spare_;  ///< by their length
  std::size_t spare_bytes_ = 0;
  std::uint64_t frees_ = 0;
  std::uint64_t beyond_kept_ = 0;
};

}  // namespace bascule::uring
