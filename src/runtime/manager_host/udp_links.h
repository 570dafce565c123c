#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "core/membership/links.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"
#include "wire/sealed/sealed.h"

namespace bascule::manager_host {

/// Datagrams between the managers of a cluster, over each of their links, sealed with the cluster's key. Only the
/// configured addresses are listened to; what was not sealed by a node of the cluster, or does not decode, is counted
/// and dropped. Sending never blocks: what the kernel does not take is lost, as on any network.
class UdpLinks {
 public:
  using Receiver = std::function<void(std::uint32_t from, std::size_t link, message::Message message)>;
  /// The same datagram came over another link before.
  using LinkHeard = std::function<void(std::uint32_t from, std::size_t link)>;

  /// Without keys (`key_file = "none"`) nothing is sealed, and a node is believed by its address.
  UdpLinks(boost::asio::io_context& io, const config::ClusterConfig& config, const config::Node& self,
           std::optional<sealed::Keyring> keys);
  /// Binds the node's own addresses. One that this machine does not have (yet) is listened to all the same, as long as
  /// it has another of them.
  [[nodiscard]] Result<void> open(Receiver receiver, LinkHeard link_heard);
  /// Leaves with the next flush(), together with whatever else goes to the same node over the same links, in the order
  /// of their sending. What does not fit into one packet with the others goes in the next.
  void send(std::uint32_t to, membership::LinkMask links, const message::Message& message);
  void flush();
  /// Other nodes, or other addresses of them or of this node, from now on. Sockets stay open where nothing changed.
  void configure(const std::vector<config::Node>& nodes, const config::Node& self);
  /// Other keys from now on. Ignored without keys: what was not sealed at the start never is.
  void replace_keys(sealed::Keyring keys) {
    if (keys_) keys_ = std::move(keys);
  }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  struct Link {
    Link(boost::asio::io_context& io, std::size_t number_in) : number(number_in), socket(io) {}
    std::size_t number;
    std::shared_ptr<int> alive = std::make_shared<int>(0);
    boost::asio::ip::udp::socket socket;
    std::map<std::uint32_t, boost::asio::ip::udp::endpoint> endpoints;  ///< of all nodes that have this link
    Bytes buffer;
    boost::asio::ip::udp::endpoint sender;
  };

  /// What goes in one packet.
  struct Bundle {
    std::vector<Bytes> datagrams;
    std::size_t bytes = 0;
  };

  void send_now(std::uint32_t to, membership::LinkMask links, const std::vector<Bytes>& datagrams);
  Result<void> bind(Link& link, bool also_absent);
  void receive(Link& link);
  void received(Link& link, ByteView datagram);
  void deliver(Link& link, std::uint32_t proven_sender, ByteView plain);

  void open_link(Link& link);
  void name_endpoints(Link& link, const std::vector<config::Node>& nodes) const;

  boost::asio::io_context& io_;
  std::string cluster_;
  std::uint16_t port_;
  config::Node self_;
  std::optional<sealed::Keyring> keys_;
  std::optional<sealed::Sealer> sealer_;
  sealed::Opener opener_;
  std::deque<Link> links_;
  Receiver receiver_;
  LinkHeard link_heard_;
  std::map<std::pair<std::uint32_t, membership::LinkMask>, std::vector<Bundle>> waiting_;  ///< to a node, over links
  std::uint64_t dropped_ = 0;
};

}  // namespace bascule::manager_host
