#pragma once

#include <memory>
#include <optional>
#include <string>

#include "runtime/tls/channel.h"
#include "runtime/uring/stream.h"

namespace bascule::tls {

/// A uring::Stream whose bytes go through a channel; without one they go as they are, and nothing is copied. The same
/// promises otherwise, but for one: a receive may be answered within receive() when what it wants was decrypted before.
class SecuredStream {
 public:
  using Completion = uring::Completion;

  /// `channel` may be null.
  SecuredStream(uring::Ring& ring, int descriptor, std::unique_ptr<Channel> channel);
  SecuredStream(const SecuredStream&) = delete;
  SecuredStream& operator=(const SecuredStream&) = delete;

  /// Before all else, once connected. `done` gets 0 when the peer has proved itself, or -1: why() says why not, and the
  /// stream may be closed. Without a channel it is called at once.
  void handshake(Completion done);
  [[nodiscard]] const std::string& why() const { return why_; }

  /// Where bytes to be sent may be appended.
  Bytes& staging() { return channel_ ? plain_ : stream_.staging(); }
  /// `released` is called when the memory is no longer needed: at once when it was encrypted.
  void send_referenced(ByteView bytes, Completion released);
  void flush();
  [[nodiscard]] std::size_t unsent() const { return stream_.unsent() + plain_.size(); }

  /// `done` gets the count, 0 at the end, or -errno; -EPROTO when why() has a reason.
  void receive(std::span<Byte> into, bool whole, Completion done);
  [[nodiscard]] bool receiving() const { return channel_ ? wanted_.has_value() : stream_.receiving(); }
  void on_send_error(Completion failed) { stream_.on_send_error(failed); }
  void close();
  [[nodiscard]] bool closed() const { return stream_.closed(); }
  [[nodiscard]] bool idle() const { return stream_.idle(); }
  [[nodiscard]] int descriptor() const { return stream_.descriptor(); }

 private:
  struct Wanted {
    std::span<Byte> into;
    bool whole;
    Completion done;
    std::size_t filled = 0;
  };

  void shake();
  void fetch();
  void fetched(int result);
  void pump();
  [[nodiscard]] bool open_more();
  void answer(int result);
  void seal_plain();
  bool took(const Result<void>& done);

  uring::Stream stream_;
  std::unique_ptr<Channel> channel_;
  Bytes encrypted_;  ///< where the socket's bytes are received
  Bytes plain_;      ///< to be encrypted
  bool open_ = false;
  bool pumping_ = false;
  std::optional<Completion> shaking_;
  std::optional<Wanted> wanted_;
  std::string why_;
};

}  // namespace bascule::tls
