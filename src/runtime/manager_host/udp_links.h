#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

namespace bascule::manager_host {

/// Datagrams between the managers of a cluster. Only the configured addresses are listened to; what does not decode is
/// counted and dropped. Sending never blocks: what the kernel does not take is lost, as on any network.
class UdpLinks {
 public:
  using Receiver = std::function<void(std::uint32_t from, message::Message message)>;

  UdpLinks(boost::asio::io_context& io, const config::ClusterConfig& config, const config::Node& self);
  /// Binds the node's own address.
  [[nodiscard]] Result<void> open(Receiver receiver);
  void send(std::uint32_t to, const message::Message& message);
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void receive();
  void received(const boost::system::error_code& error, std::size_t size);

  const config::ClusterConfig& config_;
  const config::Node& self_;
  boost::asio::ip::udp::socket socket_;
  std::map<std::uint32_t, boost::asio::ip::udp::endpoint> endpoints_;
  Bytes buffer_;
  boost::asio::ip::udp::endpoint sender_;
  Receiver receiver_;
  std::uint64_t dropped_ = 0;
};

}  // namespace bascule::manager_host
