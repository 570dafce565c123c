// Interfaces, peers, ports.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "runtime/doctor/detail/probes.h"

namespace bascule::doctor::detail {
namespace {

constexpr auto patience = std::chrono::milliseconds(200);

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress socket_address(const std::string& text, std::uint16_t port) {
  SocketAddress address;
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    std::memcpy(&address.storage, &four, address.length = sizeof four);
  } else if (::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    std::memcpy(&address.storage, &six, address.length = sizeof six);
  }
  return address;
}

std::string text_of(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address == nullptr) return "";
  if (address->sa_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text.data(), text.size());
  if (address->sa_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text.data(), text.size());
  return text.data();
}

std::uint32_t mtu_of(const std::string& interface) {
  const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return ::ioctl(socket.number(), SIOCGIFMTU, &request) == 0 ? static_cast<std::uint32_t>(request.ifr_mtu) : 0;
}

/// The interface that has this address, and whether it is up and has a carrier.
std::pair<std::string, bool> interface_of(const std::string& address) {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  std::pair<std::string, bool> found;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next)
    if (text_of(one->ifa_addr) == address)
      found = {one->ifa_name, (one->ifa_flags & IFF_UP) != 0 && (one->ifa_flags & IFF_RUNNING) != 0};
  ::freeifaddrs(list);
  return found;
}

/// An empty datagram from our address: a machine without the port refuses it. The manager throws it away as not sealed.
void try_peer(const std::string& from, std::uint16_t port, PeerLink& peer) {
  const auto own = socket_address(from, 0), other = socket_address(peer.address, port);
  const Descriptor socket(::socket(other.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (::bind(socket.number(), own.get(), own.length) != 0 ||
      ::connect(socket.number(), other.get(), other.length) != 0) {
    peer.manager_port = PeerLink::Port::Unreachable;
    return;
  }
  int mtu = 0;
  socklen_t size = sizeof mtu;
  if (other.storage.ss_family == AF_INET && ::getsockopt(socket.number(), IPPROTO_IP, IP_MTU, &mtu, &size) == 0)
    peer.path_mtu = static_cast<std::uint32_t>(mtu);
  (void)::send(socket.number(), "", 0, MSG_NOSIGNAL);
  pollfd one{socket.number(), POLLIN, 0};
  (void)::poll(&one, 1, static_cast<int>(patience.count()));
  int error = 0;
  size = sizeof error;
  ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
  peer.manager_port = error == ECONNREFUSED ? PeerLink::Port::Refused
                      : error != 0          ? PeerLink::Port::Unreachable
                                            : PeerLink::Port::Silent;
}

std::string why_taken(int type, const std::string& address, std::uint16_t port) {
  const auto wanted = socket_address(address, port);
  const Descriptor socket(::socket(wanted.storage.ss_family, type | SOCK_CLOEXEC, 0));
  const int yes = 1;
  if (type == SOCK_STREAM) ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.number(), wanted.get(), wanted.length) == 0 &&
      (type != SOCK_STREAM || ::listen(socket.number(), 1) == 0))
    return "";
  if (errno == EADDRINUSE) return "another program has it";
  if (errno == EADDRNOTAVAIL) return "";  // said of the link already
  return std::strerror(errno);
}

void probe_ports(const Options& options, Facts& facts) {
  const auto& node = *facts.config->node(facts.node);
  OwnPort managers{fmt::format("UDP {}", facts.config->port), node.address, facts.manager_runs, ""};
  if (!managers.ours && node.runs_manager()) managers.taken = why_taken(SOCK_DGRAM, node.address, facts.config->port);
  facts.ports.push_back(std::move(managers));
  for (const auto& volume : facts.config->volumes) {
    if (!volume.disk.contains(facts.node)) continue;
    OwnPort port{fmt::format("TCP {}", volume.port), node.address,
                 answers(options.run_dir + "/blockd." + volume.name + ".sock"), ""};
    if (!port.ours) port.taken = why_taken(SOCK_STREAM, node.address, volume.port);
    facts.ports.push_back(std::move(port));
  }
}

void probe_service_addresses(Facts& facts) {
  for (const auto& service : facts.config->services)
    for (const auto& address : service.addresses) {
      ServiceAddress one{service.name, address, {}, !interface_of(address).first.empty(), false};
      for (const auto& link : facts.links)
        if (!one.here && !link.interface.empty() && one.answered_by.empty())
          one.answered_by = who_has(address, link.interface);
      facts.addresses.push_back(std::move(one));
    }
}

}  // namespace

void probe_network(const Options& options, Facts& facts) {
  const auto& self = *facts.config->node(facts.node);
  for (const auto& address : self.addresses) {
    const auto [interface, up] = interface_of(address);
    facts.links.push_back({address, interface, up, interface.empty() ? 0 : mtu_of(interface)});
  }
  for (const auto& node : facts.config->nodes) {
    if (node.id == self.id || !node.runs_manager()) continue;
    for (std::size_t i = 0; i < std::min(node.addresses.size(), self.addresses.size()); ++i) {
      PeerLink peer{node.name, node.addresses[i], {}, -1, {}, 0};
      try_peer(self.addresses[i], facts.config->port, peer);
      facts.peers.push_back(std::move(peer));
    }
  }
  probe_ports(options, facts);
  probe_service_addresses(facts);
}

}  // namespace bascule::doctor::detail
