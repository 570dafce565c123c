#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "core/replication/detail/data/writes.h"
#include "core/replication/detail/resync/pacing.h"
#include "core/replication/detail/session/handshake.h"

namespace bascule::replication::detail {

/// The side of an online verify that drives it (VerifyS): asks for digests, compares them with its own, tells the
/// result, and marks what differs. Both disks read at once; what a write of the peer reaches between this side's
/// reading and the peer's is read again. A range and application writes to it exclude each other. It asks for big
/// ranges; one that differs is asked for again in blocks, so that exactly the blocks that differ are marked.
class VerifySource {
 public:
  VerifySource(Core& core, Metadata& metadata, Writes& writes);

  void begin(std::uint64_t start_sector, std::uint64_t stop_sector, Digest digest);
  bool reply(const drbd::VerifyReply& reply);
  void read_done(const input::DiskDone& done);
  void stop();
  void session_lost() {
    stop();
    late_ = 0;
  }
  void advance();
  [[nodiscard]] bool done() const;
  [[nodiscard]] Instant deadline() const { return pacing_.deadline(); }
  [[nodiscard]] std::uint64_t total_bytes() const { return stop_ - start_; }
  [[nodiscard]] std::uint64_t done_bytes() const { return done_bytes_; }
  [[nodiscard]] std::uint64_t found_bytes() const { return found_bytes_; }

 private:
  struct Request {
    Range range;
    std::uint64_t number = 0;
    Instant asked_at{};
    Bytes peers{};         ///< digest; empty: not answered
    Bytes own{};           ///< digest; empty: not read
    bool reading = false;  ///< or waits for that
    bool stale = false;    ///< what is being read has been written to since
  };
  using Requests = std::map<std::uint64_t, Request>;  ///< by offset

  bool ask_next();
  [[nodiscard]] std::optional<Range> next_range(std::uint64_t most_bytes) const;
  [[nodiscard]] std::uint64_t request_bytes() const;
  void read_waiting();
  void read_again_what_the_peer_writes();
  void compare(Requests::iterator request);
  void conclude(Requests::iterator request, bool equal);

  Core& core_;
  Metadata& metadata_;
  Writes& writes_;
  Pacing pacing_;
  Digest digest_ = Digest::none;
  std::uint64_t start_ = 0, stop_ = 0, next_ = 0;  ///< bytes
  std::deque<Range> again_;                        ///< differ somewhere: block by block
  Requests requests_;
  std::deque<std::uint64_t> waiting_;   ///< offsets of requests that this side has to read
  std::uint64_t peer_writes_seen_ = 0;  ///< arrivals() of the peer's ranges
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, BufferId> reads_;  ///< under way, by number; they outlive a run
  std::uint64_t done_bytes_ = 0, found_bytes_ = 0;
  std::uint64_t late_ = 0;  ///< answers that may still come for a run that has ended
};

/// The side that answers (VerifyT): reads, sends the digest, and keeps the range until it is told the result.
class VerifyTarget {
 public:
  VerifyTarget(Core& core, Metadata& metadata, Writes& writes);

  void begin(Digest digest);
  bool request(const drbd::VerifyRequest& request);
  bool result(const drbd::BlockAck& ack);
  void read_done(const input::DiskDone& done);
  void stop();
  void session_lost() {
    stop();
    late_ = 0;
  }
  void advance();
  /// The source has asked for something in this run.
  [[nodiscard]] bool was_asked() const { return was_asked_; }
  [[nodiscard]] std::uint64_t done_bytes() const { return done_bytes_; }
  [[nodiscard]] std::uint64_t found_bytes() const { return found_bytes_; }

 private:
  enum class Step : std::uint8_t { Waiting, Reading, Answered };
  using Key = std::pair<std::uint64_t, std::uint64_t>;  ///< offset and length
  struct Asked {
    Range range;
    Step step = Step::Waiting;
    std::uint64_t number = 0;
  };

  Core& core_;
  Metadata& metadata_;
  Writes& writes_;
  Digest digest_ = Digest::none;
  std::map<Key, Asked> ranges_;
  std::deque<Key> waiting_;
  std::uint64_t next_number_ = 1;
  std::map<std::uint64_t, BufferId> reads_;  ///< under way, by number; they outlive a run
  std::uint64_t done_bytes_ = 0, found_bytes_ = 0;
  std::uint64_t late_ = 0;  ///< answers that may still come for a run that has ended
  bool was_asked_ = false;
};

/// Online verify: begins and ends with the connection state.
///
///   Connected -> VerifyS (asks) -> PING answered: all results are known to the peer -> Connected
///   Connected -> VerifyT (answers) -> the peer says Connected                       -> Connected
class Verify {
 public:
  Verify(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes);

  /// What the next VerifyS covers; sectors, the end is cut to the device.
  void plan(std::uint64_t start_sector, std::uint64_t stop_sector);
  /// A configured verify-alg that is known here.
  [[nodiscard]] bool possible() const;

  // -- packets. False: the packet breaks the protocol.
  bool request(const drbd::VerifyRequest& request) {
    states_heard_ = core_.peer.states_heard;  // what came before this one does not end the run
    return target_.request(request);
  }
  bool reply(const drbd::VerifyReply& reply) { return source_.reply(reply); }
  bool result(const drbd::BlockAck& ack) { return target_.result(ack); }
  /// Owner::VerifyRead (VerifyS) and Owner::VerifyReplyRead (VerifyT).
  void disk_done(const input::DiskDone& done);
  void session_lost();
  void advance();
  [[nodiscard]] Instant deadline() const;

  [[nodiscard]] std::uint64_t total_bytes() const { return total_bytes_; }
  [[nodiscard]] std::uint64_t done_bytes() const { return is_source_ ? source_.done_bytes() : target_.done_bytes(); }
  [[nodiscard]] std::uint64_t found_bytes() const { return is_source_ ? source_.found_bytes() : target_.found_bytes(); }

 private:
  void note_state();
  void begin();
  [[nodiscard]] bool peer_ended();
  void finish(const char* reason);

  Core& core_;
  Metadata& metadata_;
  Handshake& handshake_;
  VerifySource source_;
  VerifyTarget target_;
  std::uint64_t start_sector_ = 0;
  std::uint64_t stop_sector_ = ~std::uint64_t{0};
  bool running_ = false;
  bool is_source_ = false;
  std::uint64_t ping_ = 0;  ///< whose answer is waited for; 0: none
  std::uint64_t states_heard_ = 0;
  Instant doubt_until_ = never;  ///< VerifyT: then a source that said Connected, and asks for nothing, has ended
  bool peer_verifies_ = false;   ///< it has said so
  std::uint64_t total_bytes_ = 0;
};

}  // namespace bascule::replication::detail
