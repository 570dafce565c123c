#pragma once

#include <cstdint>
#include <vector>

#include "core/replication/detail/core.h"

namespace bascule::replication::detail {

/// Reads that the peer asks of this disk for its application (DATA_REQUEST): answered with the data or NEG_DREPLY. A
/// read waits for writes of the peer that it overlaps: the peer's application may know them as done (protocol A). Of
/// two primaries' reads the peer may want to know that a barrier it sent before was obeyed (epochs.h): they wait for
/// that.
class ReadServer {
 public:
  explicit ReadServer(Core& core) : core_(core) {}

  /// False: the packet breaks the protocol.
  bool request(const drbd::DataRequest& request);
  void read_done(OperationId operation, int error_number);
  void session_lost();
  void advance();
  [[nodiscard]] std::size_t size() const { return in_use_; }

 private:
  struct Slot {
    Range range;
    drbd::BlockId block_id{};
    BufferId buffer = 0;  ///< 0: waits for writes
    std::uint32_t session = 0;
    std::uint64_t barriers = 0;  ///< that had come before it
    bool used = false;
  };
  [[nodiscard]] bool may_start(const Slot& slot) const;
  void start(std::size_t index);

  Core& core_;
  std::vector<Slot> slots_;
  std::vector<std::size_t> free_;
  std::size_t in_use_ = 0;
  std::size_t waiting_ = 0;
};

}  // namespace bascule::replication::detail
