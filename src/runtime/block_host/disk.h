#pragma once

#include <cstdint>
#include <vector>

#include "core/replication/engine.h"
#include "runtime/block_host/backing.h"
#include "runtime/uring/buffer_pool.h"
#include "runtime/uring/ring.h"

namespace bascule::block_host {

/// Carries out the engine's disk effects. Flushes that wait together share one; a metadata write is preceded by a flush
/// if data was written since the last one, so that metadata never speaks of data that a power cut can still take.
class Disk {
 public:
  struct Events {
    virtual ~Events() = default;
    /// `data_write`: it was a DiskWrite or a DiskZero.
    virtual void disk_done(replication::input::DiskDone done, bool data_write) = 0;
  };

  /// `metadata` is the same as `backing` unless the volume has external metadata. Both may be opened and closed later.
  Disk(uring::Ring& ring, uring::BufferPool& pool, const Backing& backing, const Backing& metadata, Events& events)
      : ring_(ring), pool_(pool), backing_(backing), metadata_device_(metadata), events_(events) {}

  void start(const replication::effect::DiskWrite& write);
  /// Tried as fallocate(2) does it for this kind, which also block devices understand; then zeroes are written.
  void start(const replication::effect::DiskZero& zero);
  void start(const replication::effect::DiskRead& read);
  void start(const replication::effect::DiskFlush& flush);
  void start(replication::effect::MetadataWrite write);

  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  /// Data may be in the disk's cache, of this process or of one before it: the next metadata write waits for a flush.
  [[nodiscard]] bool may_hold_unflushed_data() const { return written_ != flushed_; }

 private:
  struct MetadataInFlight {
    replication::effect::MetadataWrite write;
    std::unique_ptr<Byte, void (*)(void*)> memory;
  };

  /// A DiskZero under way.
  struct Zeroing {
    replication::effect::DiskZero zero;
    std::uint64_t written = 0;  ///< of the fallback
    std::uint32_t piece = 0;
  };

  void zero_range(std::uint32_t index);
  void write_zeroes(std::uint32_t index);
  void zeroed(std::uint32_t index, int error_number);
  void flush_if_wanted();
  void flushed(int result);
  void write_metadata(replication::effect::MetadataWrite write);
  void metadata_written(std::uint32_t index, int result);
  void done(replication::OperationId operation, int error_number, bool data_write);
  void done(replication::input::DiskDone outcome, bool data_write);

  uring::Ring& ring_;
  uring::BufferPool& pool_;
  const Backing& backing_;
  const Backing& metadata_device_;
  Events& events_;
  std::size_t in_flight_ = 0;
  /// Data writes done without being durable. From the beginning one, as what a process before this one wrote may still
  /// be in the disk's cache: bits that say it is there and at the peer must not outlive it.
  std::uint64_t written_ = 1;
  std::uint64_t flush_covers_ = 0;  ///< `written_` when the running flush began
  std::uint64_t flushed_ = 0;       ///< `written_` covered by the last flush that is done
  bool flushing_ = false;
  std::vector<replication::OperationId> flush_waiting_, flush_running_;
  std::vector<replication::effect::MetadataWrite> metadata_waiting_, metadata_running_;  ///< behind a flush
  std::vector<MetadataInFlight> metadata_;
  std::vector<std::uint32_t> metadata_free_;
  std::vector<Zeroing> zeroing_;
  std::vector<std::uint32_t> zeroing_free_;
  bool cannot_zero_[4] = {};  ///< by WriteKind: the device has refused it once
};

}  // namespace bascule::block_host
