#include "runtime/uring/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace bascule::uring {

Stream::~Stream() {
  while (!queue_.empty()) drop_front();
  ::close(descriptor_);
}

void Stream::seal_staged() {
  if (staged_.empty()) return;
  queued_bytes_ += staged_.size();
  queue_.push_back({std::move(staged_), {}, {}});
  staged_ = Bytes();
  if (spare_.empty()) return;
  staged_ = std::move(spare_.back());
  spare_.pop_back();
}

void Stream::send_referenced(ByteView bytes, Completion released) {
  if (closed_) return released(0);
  seal_staged();
  queued_bytes_ += bytes.size();
  queue_.push_back({{}, bytes, released});
}

void Stream::drop_front() {
  Segment segment = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= segment.view().size();
  front_sent_ = 0;
  if (segment.owned.empty()) return segment.released(0);
  segment.owned.clear();
  if (spare_.size() < 4) spare_.push_back(std::move(segment.owned));
}

/// Puts what is queued into `message_`.
bool Stream::gather() {
  seal_staged();
  if (queue_.empty()) return false;
  std::size_t count = 0;
  for (const Segment& segment : queue_) {
    if (count == kVectors) break;
    ByteView view = segment.view();
    if (count == 0) view = view.subspan(front_sent_);
    vectors_[count++] = {const_cast<Byte*>(view.data()), view.size()};
  }
  message_ = {};
  message_.msg_iov = vectors_.data();
  message_.msg_iovlen = count;
  return true;
}

void Stream::flush() {
  if (closed_ || sending_ || !gather()) return;
  sending_ = true;
  ring_.send(descriptor_, &message_, [this](int result) { sent(result); });
}

void Stream::sent(int result) {
  sending_ = false;
  if (result < 0) {
    if (closed_) return;
    if (result == -EINTR || result == -EAGAIN) return flush();
    return send_failed_(result);
  }
  std::size_t gone = front_sent_ + static_cast<std::size_t>(result);
  while (!queue_.empty() && gone >= queue_.front().view().size()) {
    gone -= queue_.front().view().size();
    drop_front();
  }
  front_sent_ = gone;
  if (closed_) return;
  flush();
  sent_(result);
}

void Stream::receive(std::span<Byte> into, bool whole, Completion done) {
  if (closed_) return;
  receiving_ = true;
  received_ = done;
  ring_.receive(descriptor_, into, whole, [this](int result) {
    receiving_ = false;
    if (!closed_) received_(result);
  });
}

void Stream::close() {
  if (closed_) return;
  closed_ = true;
  // The last words, as far as the socket has room: a peer that is refused shall read why.
  if (!sending_ && gather()) static_cast<void>(::sendmsg(descriptor_, &message_, MSG_DONTWAIT | MSG_NOSIGNAL));
  ::shutdown(descriptor_, SHUT_RDWR);
  if (!sending_)
    while (!queue_.empty()) drop_front();
}

}  // namespace bascule::uring
