// Asks the network who has an address (RFC 5227: a probe without a sender's address, so that nobody's table changes).
#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "runtime/doctor/detail/probes.h"

namespace bascule::doctor::detail {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto answer_patience = std::chrono::milliseconds(300);

ether_arp probe_for(const in_addr& address, const ifreq& hardware) {
  ether_arp packet{};
  packet.ea_hdr.ar_hrd = htons(ARPHRD_ETHER);
  packet.ea_hdr.ar_pro = htons(ETH_P_IP);
  packet.ea_hdr.ar_hln = ETH_ALEN;
  packet.ea_hdr.ar_pln = sizeof address;
  packet.ea_hdr.ar_op = htons(ARPOP_REQUEST);
  std::memcpy(packet.arp_sha, hardware.ifr_hwaddr.sa_data, ETH_ALEN);
  std::memcpy(packet.arp_tpa, &address, sizeof address);
  return packet;
}

}  // namespace

std::vector<std::string> who_has(const std::string& address, const std::string& interface) {
  std::vector<std::string> found;
  in_addr wanted{};
  if (::inet_pton(AF_INET, address.c_str(), &wanted) != 1) return found;
  const Descriptor socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP)));
  ifreq hardware{};
  interface.copy(hardware.ifr_name, IFNAMSIZ - 1);
  sockaddr_ll everybody{};
  everybody.sll_family = AF_PACKET;
  everybody.sll_protocol = htons(ETH_P_ARP);
  everybody.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (!socket.open() || ::ioctl(socket.number(), SIOCGIFHWADDR, &hardware) != 0 ||
      hardware.ifr_hwaddr.sa_family != ARPHRD_ETHER ||
      ::bind(socket.number(), reinterpret_cast<const sockaddr*>(&everybody), sizeof everybody) != 0)
    return found;
  everybody.sll_halen = ETH_ALEN;
  std::memset(everybody.sll_addr, 0xff, ETH_ALEN);
  const ether_arp probe = probe_for(wanted, hardware);
  (void)::sendto(socket.number(), &probe, sizeof probe, 0, reinterpret_cast<const sockaddr*>(&everybody),
                 sizeof everybody);
  for (const auto end = Clock::now() + answer_patience; Clock::now() < end;) {
    pollfd one{socket.number(), POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now());
    if (::poll(&one, 1, static_cast<int>(left.count())) != 1) break;
    ether_arp answer{};
    if (::recv(socket.number(), &answer, sizeof answer, 0) != sizeof answer) continue;
    if (answer.ea_hdr.ar_op != htons(ARPOP_REPLY) || std::memcmp(answer.arp_spa, &wanted, sizeof wanted) != 0) continue;
    std::string name = fmt::format("{:02x}", fmt::join(answer.arp_sha, ":"));
    if (std::find(found.begin(), found.end(), name) == found.end()) found.push_back(std::move(name));
  }
  return found;
}

}  // namespace bascule::doctor::detail
