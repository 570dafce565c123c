#pragma once

#include <array>
#include <deque>
#include <span>

#include "base/bytes.h"
#include "runtime/uring/ring.h"

namespace bascule::uring {

/// One connected stream socket: sends in order and batched, receives into memory of its owner, one receive at a time.
/// The owner derives from Closing and is buried with its stream, so that completions always find both.
class Stream {
 public:
  Stream(Ring& ring, int descriptor) : ring_(ring), descriptor_(descriptor) {}
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Queues a copy of `bytes`.
  void send(ByteView bytes) { staged_.insert(staged_.end(), bytes.begin(), bytes.end()); }
  /// Where bytes to be sent may be appended directly.
  Bytes& staging() { return staged_; }
  /// Queues memory by reference; `released` is called when the kernel no longer needs it (also after close()).
  void send_referenced(ByteView bytes, Completion released);
  /// Gives what is queued to the kernel. Called once at the end of a turn; more is batched while a send is under way.
  void flush();
  /// Bytes accepted by send() and not yet taken by the kernel.
  [[nodiscard]] std::size_t unsent() const { return queued_bytes_ + staged_.size(); }

  /// Receives into `into`; `done` gets the count, 0 at the end of the stream, or -errno. Not called after close().
  void receive(std::span<Byte> into, bool whole, Completion done);
  [[nodiscard]] bool receiving() const { return receiving_; }
  /// Called with -errno when a send fails; not after close().
  void on_send_error(Completion failed) { send_failed_ = failed; }
  /// Called after each send that the kernel took, so that the owner may go on producing; not after close().
  void on_sent(Completion sent) { sent_ = sent; }

  /// Ends the connection; what is queued is sent as far as that needs no waiting. No completion of the owner is called
  /// any more, except `released`.
  void close();
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool idle() const { return closed_ && !receiving_ && !sending_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  static constexpr std::size_t kVectors = 64;
  struct Segment {
    Bytes owned;          ///< bytes, or
    ByteView referenced;  ///< memory of somebody else
    Completion released;
    [[nodiscard]] ByteView view() const { return owned.empty() ? referenced : ByteView(owned); }
  };

  bool gather();
  void seal_staged();
  void sent(int result);
  void drop_front();

  Ring& ring_;
  int descriptor_;
  Bytes staged_;
  std::vector<Bytes> spare_;  ///< used byte vectors, kept for their memory
  std::deque<Segment> queue_;
  std::size_t queued_bytes_ = 0;
  std::size_t front_sent_ = 0;  ///< bytes of the first segment that are gone
  std::array<iovec, kVectors> vectors_{};
  msghdr message_{};
  Completion received_, send_failed_, sent_;
  bool receiving_ = false, sending_ = false, closed_ = false;
};

}  // namespace bascule::uring
