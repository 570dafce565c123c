// The managers' datagrams on real sockets: one for each link, sealed once and sent over all.
#include "runtime/manager_host/udp_links.h"

#include <netinet/in.h>
#include <spdlog/spdlog.h>

#include <boost/asio/buffer.hpp>
#include <utility>

#include "runtime/keys/random.h"
#include "wire/cluster_message/bundle.h"

namespace bascule::manager_host {

namespace asio = boost::asio;
using asio::ip::udp;

namespace {

constexpr int socket_buffer_bytes = 1 << 20;

}  // namespace

UdpLinks::UdpLinks(asio::io_context& io, const config::ClusterConfig& config, const config::Node& self,
                   std::optional<sealed::Keyring> keys)
    : io_(io), cluster_(config.name), port_(config.port), self_(self), keys_(std::move(keys)), opener_(config.name) {
  for (std::size_t number = 0; number < self.addresses.size(); ++number)
    name_endpoints(links_.emplace_back(io, number), config.nodes);
}

void UdpLinks::name_endpoints(Link& link, const std::vector<config::Node>& nodes) const {
  link.buffer.resize(message::datagram_bytes_max + sealed::overhead_bytes + 1);
  link.endpoints.clear();
  for (const auto& node : nodes) {
    boost::system::error_code error;
    if (link.number >= node.addresses.size()) continue;
    const auto address = asio::ip::make_address(node.addresses[link.number], error);  // the parser has checked it
    if (!error) link.endpoints[node.id] = udp::endpoint(address, port_);
  }
}

void UdpLinks::configure(const std::vector<config::Node>& nodes, const config::Node& self) {
  const auto before = self_.addresses;
  self_ = self;
  while (links_.size() > self.addresses.size()) links_.pop_back();
  for (std::size_t number = 0; number < self.addresses.size(); ++number) {
    const bool fresh = number >= links_.size();
    Link& link = fresh ? links_.emplace_back(io_, number) : links_[number];
    name_endpoints(link, nodes);
    if (!fresh && before[number] == self.addresses[number]) continue;
    link.alive = std::make_shared<int>(0);  // what was to be received at the old address is let go
    boost::system::error_code ignored;
    link.socket.close(ignored);
    open_link(link);
  }
}

void UdpLinks::open_link(Link& link) {
  if (const auto bound = bind(link, true); !bound) return spdlog::error("{}", bound.error().text());
  receive(link);
}

Result<void> UdpLinks::open(Receiver receiver, LinkHeard link_heard) {
  receiver_ = std::move(receiver);
  link_heard_ = std::move(link_heard);
  if (keys_) {
    sealed::Salt salt{};
    if (auto filled = keys::fill_at_random(salt); !filled) return filled;
    sealer_.emplace(cluster_, self_.id, salt);
  }
  std::optional<Error> absent;
  std::size_t present = 0;
  for (Link& link : links_) {
    const auto bound = bind(link, false);
    if (bound) ++present;
    if (!bound && !absent) absent = bound.error();
  }
  if (present == 0 && absent) return tl::unexpected(*absent);
  if (absent) spdlog::warn("{}", absent->text());
  for (Link& link : links_) {
    if (!link.socket.is_open())
      if (auto bound = bind(link, true); !bound) return bound;
    receive(link);
  }
  return {};
}

Result<void> UdpLinks::bind(Link& link, bool also_absent) {
  const auto& own = link.endpoints.at(self_.id);
  boost::system::error_code error, ignored;
  link.socket.open(own.protocol(), error);
  const int yes = 1;
  if (!error && also_absent)  // for IPv6 sockets as well
    ::setsockopt(link.socket.native_handle(), IPPROTO_IP, IP_FREEBIND, &yes, sizeof yes);
  if (!error) link.socket.bind(own, error);
  if (error) {
    link.socket.close(ignored);
    return fail("the managers' port cannot be opened",
                self_.addresses[link.number] + ":" + std::to_string(port_) + "/udp", error.message(),
                "is this an address of this machine, and does no other manager run?");
  }
  link.socket.set_option(asio::socket_base::receive_buffer_size(socket_buffer_bytes), ignored);
  link.socket.set_option(asio::socket_base::send_buffer_size(socket_buffer_bytes), ignored);
  link.socket.non_blocking(true, ignored);
  return {};
}

void UdpLinks::send(std::uint32_t to, membership::LinkMask links, const message::Message& message) {
  Bytes datagram = message::encode({self_.id, message}, cluster_);
  const std::size_t bytes = message::bundled_bytes(datagram);
  auto& bundles = waiting_[{to, links}];
  if (bundles.empty() || bundles.back().bytes + bytes > message::bundle_bytes_max) bundles.emplace_back();
  bundles.back().datagrams.push_back(std::move(datagram));
  bundles.back().bytes += bytes;
}

void UdpLinks::flush() {
  for (const auto& [way, bundles] : std::exchange(waiting_, {}))
    for (const auto& bundle : bundles) send_now(way.first, way.second, bundle.datagrams);
}

void UdpLinks::send_now(std::uint32_t to, membership::LinkMask links, const std::vector<Bytes>& datagrams) {
  const Bytes plain = message::bundle(datagrams, self_.id, cluster_);
  const Bytes datagram = sealer_ ? sealer_->seal(keys_->sending(), plain) : plain;
  for (Link& link : links_) {
    const auto endpoint = link.endpoints.find(to);
    if ((links >> link.number & 1) == 0 || endpoint == link.endpoints.end()) continue;
    boost::system::error_code ignored;
    link.socket.send_to(asio::buffer(datagram), endpoint->second, 0, ignored);
  }
}

void UdpLinks::receive(Link& link) {
  link.socket.async_receive_from(
      asio::buffer(link.buffer), link.sender,
      [this, &link, alive = std::weak_ptr<int>(link.alive)](const boost::system::error_code& error, std::size_t size) {
        if (error == asio::error::operation_aborted || alive.expired()) return;
        if (!error) received(link, ByteView(link.buffer).first(size));
        if (!alive.expired()) receive(link);  // an error is one datagram's (ICMP unreachable)
      });
}

void UdpLinks::received(Link& link, ByteView datagram) {
  if (!keys_) {
    for (const auto& [id, endpoint] : link.endpoints)
      if (endpoint == link.sender) return deliver(link, id, datagram);
    ++dropped_;
    return;
  }
  const auto opened = opener_.open(*keys_, datagram);
  const bool of_a_node = opened && opened->sender != self_.id && link.endpoints.count(opened->sender) != 0;
  if (of_a_node && opened->freshness == sealed::Freshness::Fresh) return deliver(link, opened->sender, opened->plain);
  if (of_a_node && opened->freshness == sealed::Freshness::Repeated) return link_heard_(opened->sender, link.number);
  ++dropped_;
}

void UdpLinks::deliver(Link& link, std::uint32_t proven_sender, ByteView plain) {
  auto envelopes = message::decode_all(plain, cluster_);
  if (!envelopes || envelopes->front().sender_id != proven_sender) {
    ++dropped_;
    return;
  }
  const std::size_t number = link.number;  // what is received may change the links
  for (auto& envelope : *envelopes) receiver_(proven_sender, number, std::move(envelope.message));
}

}  // namespace bascule::manager_host
