#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace bascule::sim {

/// The bytes of a disk or file with a cache that a loss of power takes away. Unlike sim::Disk, which lets a seed decide
/// what is left of what was not flushed, it lists what may be left, cell by cell. Copies share pages, so that there
/// may be one for each state after a crash.
class CrashVolume {
 public:
  static constexpr std::uint64_t sector_bytes = 512;
  static constexpr std::uint64_t page_bytes = 4096;

  /// What the cache shows; zeros where nothing was written.
  void read(std::uint64_t offset, std::span<Byte> into) const;
  /// Into the cache. The number names it for flush().
  std::uint64_t write(std::uint64_t offset, ByteView bytes);
  /// All of it is durable.
  void flush();
  /// One write is durable (it was one with FUA); the others stay in the cache.
  void flush(std::uint64_t number);
  [[nodiscard]] bool has_unflushed() const { return !pending_.empty(); }

  /// A piece of the disk that a loss of power leaves as it was, or as one of the writes since made it.
  struct Cell {
    std::uint64_t offset;
    Bytes old;
    std::vector<Bytes> versions;  ///< newer ones; those that change nothing are left out
    /// Of what a version changes, sector by sector, so that it does not depend on the size of the pieces.
    [[nodiscard]] std::uint64_t hash(std::size_t version) const;
  };
  /// Pieces of `cell_bytes` (a divisor of a page) that hold something which is not durable.
  [[nodiscard]] std::vector<Cell> cells(std::uint64_t cell_bytes) const;
  /// What is durable, nothing else.
  [[nodiscard]] CrashVolume durable() const;
  /// Durable at once, past the cache.
  void place(std::uint64_t offset, ByteView bytes);

 private:
  using Page = std::array<Byte, page_bytes>;
  using Image = std::vector<std::shared_ptr<Page>>;
  struct Pending {
    std::uint64_t number;
    std::uint64_t offset;
    Bytes bytes;
  };

  static void store(Image& image, std::uint64_t offset, ByteView bytes);
  static void load(const Image& image, std::uint64_t offset, std::span<Byte> into);

  Image durable_, current_;
  std::vector<Pending> pending_;
  std::uint64_t writes_ = 0;
};

/// A hash of bytes; only ever compared within one run.
[[nodiscard]] std::uint64_t hash_of(ByteView bytes);
[[nodiscard]] std::uint64_t mixed_hash(std::uint64_t one, std::uint64_t other);

}  // namespace bascule::sim
