#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "core/replication/detail/data/peer_writes.h"
#include "core/replication/detail/data/writes.h"
#include "core/replication/detail/resync/pacing.h"
#include "core/replication/detail/session/handshake.h"

namespace bascule::replication::detail {

inline constexpr Duration resync_retry_pause = seconds(60);  ///< before blocks that failed are tried again

/// The side of a resync that gets the data, and drives it: asks for runs of set bits as the pacing allows, writes what
/// comes, flushes, acknowledges and clears the bits. When nothing is left it takes the source's generation, durably.
class ResyncTarget {
 public:
  ResyncTarget(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes, PeerWrites& peer_writes);

  void begin();
  // -- answers of the source, in any order. False: the packet breaks the protocol.
  bool reply(const drbd::ResyncReply& reply, BufferId buffer);
  bool deallocated(const drbd::ResyncDeallocated& reply);
  /// NegativeResyncReply, ResyncIsInSync, ResyncCancel.
  bool answer(const drbd::BlockAck& ack);
  /// The target's own block was read for its checksum.
  void read_done(const input::DiskDone& done);

  void session_lost();
  /// `may_ask`: not paused.
  void advance(bool may_ask);
  [[nodiscard]] Instant deadline() const { return pacing_.deadline(); }
  [[nodiscard]] std::uint64_t failed_bytes() const;
  /// Had the source's checksum, and were not sent.
  [[nodiscard]] std::uint64_t equal_bytes() const { return equal_bytes_; }
  [[nodiscard]] std::uint64_t rate() const { return pacing_.rate(); }
  /// Once, when the run is over, with how it ended.
  enum class End : std::uint8_t { Complete, Failed };
  std::optional<End> take_end() { return std::exchange(end_, std::nullopt); }

 private:
  enum class Step : std::uint8_t { Digesting, Asked, Writing };
  struct Request {
    Range range;
    Step step = Step::Asked;
    bool thin = false;
    std::uint64_t number = 0;
    Instant asked_at{};
  };
  enum class Finish : std::uint8_t { No, Writing, Asking };
  using Requests = std::map<std::uint64_t, Request>;  ///< by offset

  void ask();
  bool ask_next();
  [[nodiscard]] std::optional<std::size_t> next_block();
  [[nodiscard]] std::optional<std::size_t> wanted_from(std::size_t first) const;
  [[nodiscard]] std::optional<Range> thin_run_at(std::size_t first) const;
  [[nodiscard]] Range run_at(std::size_t first, std::uint64_t most_bytes) const;
  void start(const Range& range);
  void read_own(Request& request);
  void send_request(const Request& request, const Bytes& digest);
  Requests::iterator asked_for(std::uint64_t sector, std::uint64_t length);
  void forget(Requests::iterator request);
  void mark_failed(const Range& range);
  void take_acknowledgements();
  void check_end();
  void begin_finish();
  void ask_to_finish(End outcome);
  void finish();
  [[nodiscard]] std::uint64_t largest_request() const;

  Core& core_;
  Metadata& metadata_;
  Handshake& handshake_;
  Writes& writes_;
  PeerWrites& peer_writes_;
  Pacing pacing_;
  Digest digest_ = Digest::none;  ///< of checksum requests in this run
  std::uint64_t thin_bytes_ = 0;  ///< size of thin requests in this run; 0: none
  Requests requests_;
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, BufferId> own_reads_;  ///< under way, by number; they outlive a session
  std::size_t next_bit_ = 0;
  std::uint64_t equal_bytes_ = 0;
  Bitmap failed_;  ///< blocks that the source could not read in this run
  Bitmap alone_;   ///< of ranges that it could not read: asked for again block by block
  Finish finish_ = Finish::No;
  End outcome_ = End::Complete;
  std::uint64_t finish_version_ = 0;
  std::uint64_t finish_ping_ = 0;
  std::optional<End> end_;
};

}  // namespace bascule::replication::detail
