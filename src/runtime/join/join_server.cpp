#include "runtime/join/join_server.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <deque>

#include "wire/join/token.h"

namespace bascule::join {

namespace asio = boost::asio;
using asio::ip::tcp;
using Failure = boost::system::error_code;

namespace {
constexpr std::size_t guests_max = 8;
constexpr std::chrono::seconds request_patience{5};
constexpr std::chrono::milliseconds accept_pause{200};
}  // namespace

namespace {

/// One connection: a frame in, a frame out.
struct Guest : std::enable_shared_from_this<Guest> {
  Guest(tcp::socket socket_in, asio::io_context& io) : socket(std::move(socket_in)), timer(io) {}
  ~Guest() { leave(); }
  tcp::socket socket;
  asio::steady_timer timer;
  std::array<Byte, 4> length{};
  Bytes frame;
  std::function<void()> leave;
  std::function<void(const Bytes&, const std::string&, JoinServer::Answer)> handler;

  void begin() {
    timer.expires_after(request_patience);
    timer.async_wait([weak = weak_from_this()](Failure failure) {
      Failure ignored;
      if (const auto self = weak.lock(); self && !failure) self->socket.close(ignored);
    });
    asio::async_read(socket, asio::buffer(length), [self = shared_from_this()](Failure failure, std::size_t) {
      if (!failure) self->read_frame();
    });
  }
  void read_frame() {
    const auto size = get_big<std::uint32_t>(ByteView(length), 0);
    if (size == 0 || size > frame_bytes_max) return;
    frame.resize(size);
    asio::async_read(socket, asio::buffer(frame), [self = shared_from_this()](Failure failure, std::size_t) {
      if (!failure) self->ask();
    });
  }
  void ask() {
    Failure unknown;
    const auto from = socket.remote_endpoint(unknown).address().to_string();
    handler(frame, from, [self = shared_from_this()](Bytes answer) { self->send(std::move(answer)); });
  }
  void send(Bytes answer) {
    if (answer.empty()) return;
    frame.clear();
    ByteWriter(frame).big(static_cast<std::uint32_t>(answer.size())).bytes(answer);
    asio::async_write(socket, asio::buffer(frame), [self = shared_from_this()](Failure, std::size_t) {});
  }
};

}  // namespace

struct JoinServer::State : std::enable_shared_from_this<JoinServer::State> {
  explicit State(Handler handler_in) : handler(std::move(handler_in)) {}
  Handler handler;
  std::deque<tcp::acceptor> doors;
  std::size_t guests = 0;

  void accept(asio::io_context& io, tcp::acceptor& door) {
    door.async_accept([&io, &door, weak = weak_from_this()](Failure failure, tcp::socket socket) {
      const auto self = weak.lock();
      if (!self || failure == asio::error::operation_aborted) return;
      if (failure) return self->accept_later(io, door);
      if (self->guests < guests_max) self->welcome(io, std::move(socket));
      self->accept(io, door);
    });
  }
  /// Out of descriptors or memory: the guest still waits at the door, so asking again at once would never end.
  void accept_later(asio::io_context& io, tcp::acceptor& door) {
    const auto pause = std::make_shared<asio::steady_timer>(io, accept_pause);
    pause->async_wait([pause, &io, &door, weak = weak_from_this()](Failure failure) {
      if (const auto self = weak.lock(); self && !failure) self->accept(io, door);
    });
  }
  void welcome(asio::io_context& io, tcp::socket socket) {
    ++guests;
    const auto guest = std::make_shared<Guest>(std::move(socket), io);
    guest->leave = [weak = weak_from_this()] {
      if (const auto still = weak.lock()) --still->guests;
    };
    guest->handler = handler;
    guest->begin();
  }
};

JoinServer::JoinServer(asio::io_context& io, const std::vector<std::string>& addresses, std::uint16_t port,
                       Handler handler)
    : state_(std::make_shared<State>(std::move(handler))) {
  for (const auto& text : addresses) {
    Failure failure;
    const tcp::endpoint endpoint(asio::ip::make_address(text, failure), port);
    if (failure) continue;
    auto& door = state_->doors.emplace_back(io);
    door.open(endpoint.protocol(), failure);
    if (!failure) door.set_option(tcp::acceptor::reuse_address(true), failure);
    if (!failure) door.bind(endpoint, failure);
    if (!failure) door.listen(4, failure);
    if (failure)
      state_->doors.pop_back();
    else
      state_->accept(io, door);
  }
}

JoinServer::~JoinServer() {
  Failure ignored;
  for (auto& door : state_->doors) door.close(ignored);
}

std::size_t JoinServer::listening() const { return state_->doors.size(); }

}  // namespace bascule::join
