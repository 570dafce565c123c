#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "base/prng.h"

namespace bascule::sim {

enum class DiskStatus : std::uint8_t { Ok, IoError, NoSpace };

/// A disk with a volatile write cache. What was written but not flushed may be lost, torn (at 512 B or at 4 KiB) or
/// kept, each write by itself, when the power fails; so later writes may survive earlier ones. Reads see the cache.
/// Calls take no virtual time: who uses the disk schedules its latency, and calls begin_flush() / end_flush() at the
/// two ends of a flush that takes time.
class Disk {
 public:
  static constexpr std::uint64_t sector_bytes = 512;
  static constexpr std::uint64_t page_bytes = 4096;
  /// Names the writes that a flush covers: all that were made before begin_flush().
  struct FlushToken {
    std::uint64_t covers_writes = 0;
  };

  /// Reads as zeros at first. Memory is taken only for pages that were written.
  explicit Disk(std::uint64_t size_bytes);

  [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }
  /// Any offset and length within the disk. IoError on a bad sector; then `into` is left alone.
  [[nodiscard]] DiskStatus read(std::uint64_t offset, std::span<Byte> into) const;
  /// IoError or NoSpace as injected; then nothing was written. Writing over a bad sector makes it good.
  [[nodiscard]] DiskStatus write(std::uint64_t offset, ByteView bytes);
  /// Reads as zeros afterwards; cached like a write.
  [[nodiscard]] DiskStatus write_zeros(std::uint64_t offset, std::uint64_t length);

  /// Makes everything written so far durable at once.
  [[nodiscard]] DiskStatus flush() { return end_flush(begin_flush()); }
  [[nodiscard]] FlushToken begin_flush() const { return {write_count_}; }
  /// IoError as injected; then the covered writes are still only in the cache, and may be lost for good.
  [[nodiscard]] DiskStatus end_flush(FlushToken token);
  /// Bytes in the cache that are not durable.
  [[nodiscard]] std::uint64_t unflushed_bytes() const;

  /// The cache is gone; `prng` decides the fate of each unflushed write.
  void power_loss(Prng& prng);

  /// The next `count` writes (flushes) fail with IoError.
  void fail_writes(std::uint32_t count) { failing_writes_ = count; }
  void fail_flushes(std::uint32_t count) { failing_flushes_ = count; }
  /// While set, every write fails with NoSpace (a thin or file-backed disk whose host is full).
  void set_full(bool full) { full_ = full; }
  /// A latent bad sector: reads of it fail until it is written.
  void mark_bad(std::uint64_t sector) { bad_sectors_.insert(sector); }
  /// Silent corruption: flips bits of one durable byte, in the cache's view as well.
  void corrupt(std::uint64_t offset, Byte flip_mask);
  /// Byte for byte comparison of the durable contents; for checkers.
  [[nodiscard]] bool durable_equals(const Disk& other) const;

 private:
  using Page = std::array<Byte, page_bytes>;
  using Image = std::vector<std::unique_ptr<Page>>;
  struct Pending {
    std::uint64_t number;
    std::uint64_t offset;
    Bytes bytes;
  };
  enum class Fate : std::uint8_t { Lost, Kept, TornAtSectors, TornAtPages };

  static void store(Image& image, std::uint64_t offset, ByteView bytes);
  static void load(const Image& image, std::uint64_t offset, std::span<Byte> into);
  void settle(const Pending& write, Fate fate, Prng& prng);
  [[nodiscard]] bool touches_bad_sector(std::uint64_t offset, std::uint64_t length) const;

  std::uint64_t size_bytes_;
  Image durable_;
  Image current_;
  std::vector<Pending> pending_;
  std::uint64_t write_count_ = 0;
  std::set<std::uint64_t> bad_sectors_;
  std::uint32_t failing_writes_ = 0;
  std::uint32_t failing_flushes_ = 0;
  bool full_ = false;
};

}  // namespace bascule::sim
