#include "runtime/tls/secured_stream.h"

#include <cerrno>
#include <utility>

namespace bascule::tls {
namespace {
constexpr std::size_t received_bytes = 128 * 1024;
constexpr std::size_t together_bytes = 16 * 1024;  ///< of a record: less than that waits for what comes behind it
}  // namespace

SecuredStream::SecuredStream(uring::Ring& ring, int descriptor, std::unique_ptr<Channel> channel)
    : stream_(ring, descriptor), channel_(std::move(channel)), encrypted_(channel_ ? received_bytes : 0) {}

// ---- the handshake --------------------------------------------------------------------------------------------------

void SecuredStream::handshake(Completion done) {
  if (!channel_) return done(0);
  shaking_ = done;
  shake();
}

void SecuredStream::shake() {
  const auto shaken = channel_->handshake(stream_.staging());
  if (shaken) stream_.flush();
  if (shaken && !*shaken) return fetch();
  open_ = shaken.has_value();
  if (!open_) {
    why_ = shaken.error().text();
    stream_.close();  // sends the alert that tells the peer
  }
  Completion done = *std::exchange(shaking_, std::nullopt);
  done(open_ ? 0 : -1);
}

// ---- sending --------------------------------------------------------------------------------------------------------

bool SecuredStream::took(const Result<void>& done) {
  if (!done) why_ = done.error().text();
  return done.has_value();
}

void SecuredStream::seal_plain() {
  if (plain_.empty() || !open_) return;
  (void)took(channel_->seal(plain_, stream_.staging()));
  plain_.clear();
}

void SecuredStream::send_referenced(ByteView bytes, Completion released) {
  if (!channel_) return stream_.send_referenced(bytes, released);
  if (!closed() && plain_.size() + bytes.size() <= together_bytes) {
    plain_.insert(plain_.end(), bytes.begin(), bytes.end());
  } else if (!closed()) {
    seal_plain();
    (void)took(channel_->seal(bytes, stream_.staging()));
  }
  released(0);
}

void SecuredStream::flush() {
  seal_plain();
  stream_.flush();
}

void SecuredStream::close() {
  if (!closed()) seal_plain();
  stream_.close();
}

// ---- receiving ------------------------------------------------------------------------------------------------------

void SecuredStream::receive(std::span<Byte> into, bool whole, Completion done) {
  if (!channel_) return stream_.receive(into, whole, done);
  if (closed()) return;
  wanted_ = Wanted{into, whole, done};
  if (!pumping_) pump();
}

void SecuredStream::fetch() {
  stream_.receive(encrypted_, false, [this](int result) { fetched(result); });
}

void SecuredStream::fetched(int result) {
  if (result == -EINTR) return fetch();
  if (result > 0) channel_->received(ByteView(encrypted_).first(static_cast<std::size_t>(result)));
  if (shaking_ && result > 0) return shake();
  if (shaking_) {
    why_ =
        "the connection ended before the peer had proved that it belongs to the cluster; both nodes need the same key "
        "file and the same `encryption` of the volume";
    Completion done = *std::exchange(shaking_, std::nullopt);
    return done(-1);
  }
  if (result <= 0 && wanted_) return answer(result);
  pump();
}

void SecuredStream::answer(int result) {
  Completion done = std::exchange(wanted_, std::nullopt)->done;
  done(result);
}

/// True: the receive that waits was answered, and there may be more.
bool SecuredStream::open_more() {
  const auto opened = channel_->open(wanted_->into.subspan(wanted_->filled), stream_.staging());
  if (!opened) {
    why_ = opened.error().text();
    answer(-EPROTO);
    return false;
  }
  if (*opened == 0) return false;
  wanted_->filled += *opened;
  if (!wanted_->whole || wanted_->filled == wanted_->into.size()) answer(static_cast<int>(wanted_->filled));
  return true;
}

/// Answers receives until nothing is left that is decrypted, without one calling the next.
void SecuredStream::pump() {
  pumping_ = true;
  while (wanted_ && !closed() && open_more()) continue;
  pumping_ = false;
  if (wanted_ && !closed() && !stream_.receiving()) fetch();
}

}  // namespace bascule::tls
