#include "runtime/device/detail/nbd_client.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bascule::device {
namespace {

// Room for the largest option of the handshake and a few requests.
constexpr std::size_t kInboxBytes = nbd::kMaxOptionBytes + 4096;
constexpr std::size_t kInFlightMax = 1024;

nbd::Export exported(const Volume& volume) {
  return {volume.name(), "Bascule volume " + volume.name(), volume.size_bytes(), false, volume.refusal()};
}

Request::Kind kind_of(const nbd::Request& request) {
  switch (static_cast<nbd::Command>(request.command)) {
    case nbd::Command::Read:
      return Request::Kind::read;
    case nbd::Command::Write:
      return Request::Kind::write;
    case nbd::Command::Trim:
      return Request::Kind::discard;
    case nbd::Command::WriteZeroes:
      return request.no_hole() ? Request::Kind::zeroes : Request::Kind::zeroes_unmap;
    default:
      return Request::Kind::flush;
  }
}

}  // namespace

NbdClient::NbdClient(uring::Ring& ring, uring::BufferPool& pool, Volume& volume, int descriptor)
    : ring_(ring),
      pool_(pool),
      volume_(volume),
      stream_(ring, descriptor),
      inbox_(kInboxBytes),
      handshake_(exported(volume)),
      size_bytes_(volume.size_bytes()) {
  stream_.on_send_error([this](int) { end("the client is gone"); });
  stream_.on_sent([this](int) {
    if (stalled_) resume();
  });
}

NbdClient::~NbdClient() {
  if (incoming_.buffer != 0) pool_.release(incoming_.buffer);
}

void NbdClient::end(const std::string&) { stream_.close(); }

void NbdClient::flush() {
  if (!handshake_.output().empty()) {
    stream_.send(handshake_.output());
    handshake_.output().clear();
  }
  stream_.flush();
  if (leaving_ && in_flight_ == 0 && stream_.unsent() == 0) end("left");
}

void NbdClient::receive() {
  if (leaving_ || stalled_ || stream_.closed() || stream_.receiving()) return;
  if (incoming_.buffer != 0) {
    const auto into =
        pool_.bytes(incoming_.buffer).subspan(incoming_.filled, incoming_.request.length - incoming_.filled);
    return stream_.receive(into, true, [this](int result) { received_data(result); });
  }
  stream_.receive(inbox_.space(), false, [this](int result) { received(result); });
}

void NbdClient::received(int result) {
  if (result <= 0) return end("the client closed the connection");
  inbox_.filled(static_cast<std::size_t>(result));
  parse();
  receive();
}

void NbdClient::received_data(int result) {
  incoming_.filled += static_cast<std::uint32_t>(std::max(result, 0));
  if (result <= 0 || incoming_.filled < incoming_.request.length) {
    if (result == -EINTR || result > 0) return receive();
    return end("the client left in the middle of a write");
  }
  submit({incoming_.request, std::exchange(incoming_.buffer, 0)});
  parse();
  receive();
}

void NbdClient::parse() {
  while (!stream_.closed() && !leaving_ && incoming_.buffer == 0 && !stalled_) {
    discard();
    const bool transmission = handshake_.phase() == nbd::Handshake::Phase::Transmission;
    if (!(transmission ? parse_request() : parse_handshake())) break;
  }
}

bool NbdClient::parse_handshake() {
  const std::size_t used = handshake_.feed(inbox_.view());
  inbox_.consume(used);
  if (handshake_.phase() == nbd::Handshake::Phase::Ended) leaving_ = true;
  return used > 0;
}

void NbdClient::discard() {
  const auto count = std::min<std::uint64_t>(discard_bytes_, inbox_.view().size());
  inbox_.consume(count);
  discard_bytes_ -= count;
}

// True: something was used up.
bool NbdClient::parse_request() {
  const ByteView view = inbox_.view();
  if (discard_bytes_ > 0 || view.size() < nbd::kRequestBytes) return false;
  const auto request = nbd::decode_request(view.first(nbd::kRequestBytes));
  if (!request) return end(request.error().text()), false;
  if (!start(*request)) {
    stalled_ = true;
    return false;
  }
  return true;
}

// False: not now, nothing was used up.
bool NbdClient::start(const nbd::Request& request) {
  const auto command = static_cast<nbd::Command>(request.command);
  if (in_flight_ >= kInFlightMax || stream_.unsent() > (std::size_t{8} << 20)) return false;
  nbd::ReplyError error =
      command == nbd::Command::Disconnect ? nbd::ReplyError::None : nbd::check(request, size_bytes_, false);
  if (error == nbd::ReplyError::None && !volume_.refusal().empty()) error = nbd::ReplyError::NotPermitted;
  if (error != nbd::ReplyError::None) return refuse(request, error), true;
  if (command == nbd::Command::Write) return start_write(request);
  Pending pending{request, 0};
  if (command == nbd::Command::Read) {
    pending.buffer = pool_.take(uring::BufferPool::Use::application, request.length);
    if (pending.buffer == 0) return false;
  }
  inbox_.consume(nbd::kRequestBytes);
  if (command == nbd::Command::Disconnect) return leaving_ = true, true;
  submit(pending);
  return true;
}

bool NbdClient::start_write(const nbd::Request& request) {
  const auto buffer = pool_.take(uring::BufferPool::Use::application, request.length);
  if (buffer == 0) return false;
  inbox_.consume(nbd::kRequestBytes);
  const auto here = static_cast<std::uint32_t>(std::min<std::size_t>(request.length, inbox_.view().size()));
  std::memcpy(pool_.bytes(buffer).data(), inbox_.view().data(), here);
  inbox_.consume(here);
  if (here == request.length)
    submit({request, buffer});
  else
    incoming_ = {request, buffer, here};
  return true;
}

void NbdClient::refuse(const nbd::Request& request, nbd::ReplyError error) {
  inbox_.consume(nbd::kRequestBytes);
  discard_bytes_ = request.payload_bytes();
  if (discard_bytes_ > nbd::kMaxDiscardedBytes) return end("a write of " + std::to_string(discard_bytes_) + " bytes");
  const bool read = request.command == static_cast<std::uint16_t>(nbd::Command::Read);
  if (read)
    nbd::encode_read_error(stream_.staging(), request.cookie, error, handshake_.structured_replies());
  else
    nbd::encode_reply(stream_.staging(), request.cookie, error);
}

void NbdClient::submit(const Pending& pending) {
  if (free_.empty()) {
    pending_.emplace_back();
    free_.push_back(static_cast<std::uint32_t>(pending_.size() - 1));
  }
  const std::uint32_t tag = free_.back();
  free_.pop_back();
  pending_[tag] = pending;
  ++in_flight_;
  const nbd::Request& request = pending.request;
  volume_.submit(*this, tag, {kind_of(request), request.fua(), request.length, request.offset, pending.buffer});
}

void NbdClient::completed(std::uint64_t tag, int error_number) {
  const Pending done = pending_.at(tag);
  free_.push_back(static_cast<std::uint32_t>(tag));
  --in_flight_;
  const nbd::Request& request = done.request;
  const bool read = request.command == static_cast<std::uint16_t>(nbd::Command::Read);
  const nbd::ReplyError error = nbd::reply_error(error_number);
  if (!read || stream_.closed()) {
    if (done.buffer != 0) pool_.release(done.buffer);
    if (!stream_.closed()) nbd::encode_reply(stream_.staging(), request.cookie, error);
    return;
  }
  if (error != nbd::ReplyError::None) {
    pool_.release(done.buffer);
    return nbd::encode_read_error(stream_.staging(), request.cookie, error, handshake_.structured_replies());
  }
  nbd::encode_read_head(stream_.staging(), request.cookie, request.offset, request.length,
                        handshake_.structured_replies());
  stream_.send_referenced(pool_.bytes(done.buffer).first(request.length),
                          [&pool = pool_, buffer = done.buffer](int) { pool.release(buffer); });
}

void NbdClient::resume() {
  if (!stalled_ || stream_.closed()) return;
  stalled_ = false;
  parse();
  receive();
}

}  // namespace bascule::device
