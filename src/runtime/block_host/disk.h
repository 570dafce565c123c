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
    /// `data_write`: it was a DiskWrite.
    virtual void disk_done(replication::OperationId operation, int error_number, bool data_write) = 0;
  };

  Disk(uring::Ring& ring, uring::BufferPool& pool, const Backing& backing, Events& events)
      : ring_(ring), pool_(pool), backing_(backing), events_(events) {}

  void start(const replication::effect::DiskWrite& write);
  void start(const replication::effect::DiskRead& read);
  void start(const replication::effect::DiskFlush& flush);
  void start(replication::effect::MetadataWrite write);

  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

 private:
  struct MetadataInFlight {
    replication::effect::MetadataWrite write;
    std::unique_ptr<Byte, void (*)(void*)> memory;
  };

  void flush_if_wanted();
  void flushed(int result);
  void write_metadata(replication::effect::MetadataWrite write);
  void metadata_written(std::uint32_t index, int result);
  void done(replication::OperationId operation, int error_number, bool data_write);

  uring::Ring& ring_;
  uring::BufferPool& pool_;
  const Backing& backing_;
  Events& events_;
  std::size_t in_flight_ = 0;
  std::uint64_t written_ = 0;       ///< data writes done without being durable
  std::uint64_t flush_covers_ = 0;  ///< `written_` when the running flush began
  std::uint64_t flushed_ = 0;       ///< `written_` covered by the last flush that is done
  bool flushing_ = false;
  std::vector<replication::OperationId> flush_waiting_, flush_running_;
  std::vector<replication::effect::MetadataWrite> metadata_waiting_, metadata_running_;  ///< behind a flush
  std::vector<MetadataInFlight> metadata_;
  std::vector<std::uint32_t> metadata_free_;
};

}  // namespace bascule::block_host
