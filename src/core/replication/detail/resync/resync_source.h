#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "core/replication/detail/data/writes.h"

namespace bascule::replication::detail {

/// The side of a resync that has the data: reads what the target asks for, answers, and clears the bits of what the
/// target has. A range that is read and an application write to it exclude each other.
class ResyncSource {
 public:
  ResyncSource(Core& core, Metadata& metadata, Writes& writes);

  /// False: the packet breaks the protocol.
  bool request(const drbd::ResyncRequest& request);
  bool request(const drbd::ThinResyncRequest& request);
  bool request(const drbd::ChecksumResyncRequest& request);
  bool acknowledged(const drbd::BlockAck& ack);
  void read_done(const input::DiskDone& done);

  void begin();
  void session_lost();
  void advance();
  [[nodiscard]] Instant deadline() const { return throttled_until_; }

  /// Blocks of this run that could not be read here, or not written there.
  [[nodiscard]] std::uint64_t failed_bytes() const { return failed_bytes_; }
  /// Blocks that a checksum found equal.
  [[nodiscard]] std::uint64_t equal_bytes() const { return equal_bytes_; }

 private:
  enum class Kind : std::uint8_t { Plain, Thin, Checksum };
  struct Serving {
    Range range;
    Kind kind = Kind::Plain;
    Bytes digest{};       ///< of the target's block
    BufferId buffer = 0;  ///< 0: not read yet
    std::uint32_t session = 0;
  };

  bool take(std::uint64_t sector, std::uint32_t size_bytes, Kind kind, Bytes digest);
  void start_reads();
  void start_read(std::size_t index);
  [[nodiscard]] std::size_t most_reading() const;
  [[nodiscard]] bool throttled();
  void answer(const Serving& slot, const input::DiskDone& done);

  Core& core_;
  Metadata& metadata_;
  Writes& writes_;
  Digest digest_ = Digest::none;
  std::vector<Serving> slots_;
  std::vector<std::size_t> free_;
  std::deque<std::size_t> waiting_;
  std::size_t reading_ = 0;
  std::uint64_t failed_bytes_ = 0;
  std::uint64_t equal_bytes_ = 0;
  std::uint64_t served_bytes_ = 0;  ///< since served_since_, for c-min-rate
  Instant served_since_{};
  Instant throttled_until_ = never;
};

}  // namespace bascule::replication::detail
