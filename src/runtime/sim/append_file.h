#pragma once

#include <cstdint>

#include "runtime/sim/disk.h"

namespace bascule::sim {

/// A file that grows at its end, in a fixed region of a Disk. After a power loss its length is anything between what
/// was flushed and what was written, and the unflushed part may hold zeros or older bytes.
class AppendFile {
 public:
  struct FlushToken {
    Disk::FlushToken disk;
    std::uint64_t covers_bytes = 0;
  };

  /// The region [offset, offset + capacity_bytes) of `disk`, which must outlive the file. Starts empty.
  AppendFile(Disk& disk, std::uint64_t offset, std::uint64_t capacity_bytes);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t durable_size() const { return durable_size_; }
  /// NoSpace also when the region is full.
  [[nodiscard]] DiskStatus append(ByteView bytes);
  /// Everything in the file, as the cache shows it.
  [[nodiscard]] Bytes contents() const;
  /// Cuts the file; the cut is durable at once (truncate and fsync). Unless Ok the file is as long as before: what was
  /// to go would come back behind what is appended.
  [[nodiscard]] DiskStatus truncate(std::uint64_t size);

  [[nodiscard]] FlushToken begin_flush() const { return {disk_->begin_flush(), size_}; }
  [[nodiscard]] DiskStatus end_flush(FlushToken token);
  [[nodiscard]] DiskStatus flush() { return end_flush(begin_flush()); }
  /// Call it after Disk::power_loss(): decides which length survived.
  void power_loss(Prng& prng);

 private:
  Disk* disk_;
  std::uint64_t offset_;
  std::uint64_t capacity_bytes_;
  std::uint64_t size_ = 0;
  std::uint64_t durable_size_ = 0;
};

}  // namespace bascule::sim
