#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bitmap.h"
#include "base/time.h"
#include "core/replication/effect.h"
#include "core/replication/input.h"
#include "core/replication/status.h"
#include "wire/drbd_config/options.h"
#include "wire/drbd_metadata/layout.h"

/// The replication engine of one volume with one peer: a pure state machine (README.md has the drawing and promises).
/// Payload never enters it: it sees buffers by id. The driver (runtime/block_host) or the simulator owns the bytes.
namespace bascule::replication {

/// Who may say that this node goes on without its peer.
enum class Authority : std::uint8_t {
  Cluster,   ///< the committed in-sync set and the lease: they stand in the place of DRBD's fence-peer handler
  Operator,  ///< DRBD's own rules: the `fencing` option, its handlers and the person at the console. No lease
};

struct Config {
  std::string volume;
  std::string self;
  std::string peer;
  Authority authority = Authority::Cluster;
  drbd_config::Options options;        ///< except for the five durations below, which are finer than DRBD's
  drbd_metadata::Placement placement;  ///< internal: at the end of the data device; else on a device of their own
  /// Of the backing file or device, metadata included when it is internal: as large as it was where its metadata were
  /// found. What it is now, if it has grown: input::BackingSize.
  std::uint64_t backing_bytes = 0;
  /// Of the device that holds external metadata, as far as they were found to use it; internal: not looked at.
  std::uint64_t metadata_bytes = 0;
  std::uint64_t size_limit_bytes = 0;  ///< the configured size; 0: none
  std::uint32_t al_extents = 1237;
  std::uint64_t resync_rate_max = 0;    ///< bytes per second, beside the options; 0: no further limit
  Duration ping_interval = seconds(1);  ///< idle time on the meta socket before a PING; a quarter if a write waits
  Duration ping_timeout = milliseconds(500);  ///< PING_ACK must come within this time
  Duration connect_interval = milliseconds(300);
  Duration request_timeout = seconds(10);  ///< a write that the peer has not answered for so long drops the connection
  bool flush_waits_for_peer = true;        ///< protocol C: a flush is complete when the peer has flushed too
  bool accept_loss = false;                ///< protocol A: a takeover may lose the tail
  bool backing_discards = true;            ///< the data device deallocates on discard
  std::uint64_t seed = 1;                  ///< for UUIDs and jitter; the driver takes it from getrandom()
  std::uint32_t canaries = 0;              ///< tests only: deliberate faults that checkers must find (canary.h)
};

class Engine {
 public:
  /// Without `restored` the engine begins diskless.
  Engine(const Config& config, std::optional<Restored> restored, Instant now);
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// Total: every input in every state. Appends to `effects`.
  void step(const Input& input, Instant now, Effects& effects);
  /// When a Tick is due; `never` if nothing is.
  [[nodiscard]] Instant next_deadline() const;
  [[nodiscard]] Status status() const;
  /// 1: out of sync, a bit per 4 KiB. For checkers.
  [[nodiscard]] const Bitmap& bitmap() const;

 private:
  struct State;
  State* state_;  // owned; the implementation lies in detail/
};

}  // namespace bascule::replication
