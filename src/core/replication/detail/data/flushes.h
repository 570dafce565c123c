#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/replication/detail/data/epochs.h"
#include "core/replication/detail/disk/metadata.h"

namespace bascule::replication::detail {

/// The application's flushes: local, and where Config says so (protocol C) the peer's barrier ack too.
class Flushes {
 public:
  Flushes(Core& core, Metadata& metadata, Epochs& epochs) : core_(core), metadata_(metadata), epochs_(epochs) {}

  void flush(RequestId request);
  void local_done(OperationId operation, int error_number);
  void fail_all(int error_number);
  /// So much was answered that the peer had not flushed when it was lost. It is nowhere else if this node has no copy
  /// of its own; then a peer that comes back after a crash makes the next flush fail.
  void session_lost(std::uint64_t unflushed_bytes);
  /// Since the session began, all that it holds.
  void peer_flushed();
  void advance();
  [[nodiscard]] bool empty() const { return waits_.empty(); }
  [[nodiscard]] std::size_t size() const { return waits_.size(); }
  /// None that has begun is still to end.
  [[nodiscard]] bool quiet() const {
    return std::none_of(waits_.begin(), waits_.end(), [](const Wait& wait) { return wait.begun; });
  }

 private:
  struct Wait {
    RequestId request = 0;
    std::uint64_t number = 0;
    bool begun = false;
    bool local_done = false;
    int error_number = 0;
    bool needs_peer = false;             ///< something acknowledged may not be durable there yet
    std::optional<std::uint32_t> epoch;  ///< wait until this one is acknowledged
    std::uint32_t session = 0;
  };
  void begin(Wait& wait);
  void look_at_peer();
  [[nodiscard]] bool fails_once();
  [[nodiscard]] bool nowhere() const;
  [[nodiscard]] bool is_done(const Wait& wait) const;

  Core& core_;
  Metadata& metadata_;
  Epochs& epochs_;
  std::vector<Wait> waits_;
  std::uint64_t next_ = 1;
  std::uint64_t only_at_peer_bytes_ = 0;  ///< answered, no copy here, and not known to be durable there
  std::uint64_t lost_bytes_ = 0;          ///< of those, may be gone; until a flush has failed
};

}  // namespace bascule::replication::detail
