#include "runtime/manager_host/udp_links.h"

#include <boost/asio/buffer.hpp>

namespace bascule::manager_host {

namespace asio = boost::asio;
using asio::ip::udp;

namespace {
constexpr int socket_buffer_bytes = 1 << 20;
}

UdpLinks::UdpLinks(asio::io_context& io, const config::ClusterConfig& config, const config::Node& self)
    : config_(config), self_(self), socket_(io), buffer_(message::datagram_bytes_max + 1) {
  for (const auto& node : config.nodes) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(node.address, error);  // the parser has checked it
    if (!error) endpoints_[node.id] = udp::endpoint(address, config.port);
  }
}

Result<void> UdpLinks::open(Receiver receiver) {
  receiver_ = std::move(receiver);
  const auto& own = endpoints_.at(self_.id);
  const std::string where = self_.address + ":" + std::to_string(config_.port) + "/udp";
  boost::system::error_code error;
  socket_.open(own.protocol(), error);
  if (!error) socket_.bind(own, error);
  if (error)
    return fail("the managers' port cannot be opened", where, error.message(),
                "is this the address of this machine, and does no other manager run?");
  boost::system::error_code ignored;
  socket_.set_option(asio::socket_base::receive_buffer_size(socket_buffer_bytes), ignored);
  socket_.set_option(asio::socket_base::send_buffer_size(socket_buffer_bytes), ignored);
  socket_.non_blocking(true, ignored);
  receive();
  return {};
}

void UdpLinks::send(std::uint32_t to, const message::Message& message) {
  const auto endpoint = endpoints_.find(to);
  if (endpoint == endpoints_.end()) return;
  const Bytes datagram = message::encode({self_.id, message}, config_.name);
  boost::system::error_code ignored;
  socket_.send_to(asio::buffer(datagram), endpoint->second, 0, ignored);
}

void UdpLinks::receive() {
  socket_.async_receive_from(
      asio::buffer(buffer_), sender_,
      [this](const boost::system::error_code& error, std::size_t size) { received(error, size); });
}

void UdpLinks::received(const boost::system::error_code& error, std::size_t size) {
  if (error == asio::error::operation_aborted) return;
  if (!error) {
    auto envelope = message::decode(ByteView(buffer_).first(size), config_.name);
    const auto claimed = envelope ? endpoints_.find(envelope->sender_id) : endpoints_.end();
    if (claimed != endpoints_.end() && claimed->second == sender_)
      receiver_(envelope->sender_id, std::move(envelope->message));
    else
      ++dropped_;
  }
  receive();  // an error is one datagram's (ICMP unreachable): the socket goes on
}

}  // namespace bascule::manager_host
