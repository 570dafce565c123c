// Telling the network where a service's address is now.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netpacket/packet.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "runtime/address/service_address.h"

namespace bascule::address {
namespace {

using HardwareAddress = std::array<Byte, ETH_ALEN>;

constexpr const char* unannounced = "the service's address cannot be announced";

/// A socket that is closed with its scope.
struct Channel {
  int number;
  explicit Channel(int opened) : number(opened) {}
  ~Channel() {
    if (number >= 0) ::close(number);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
};

Result<HardwareAddress> hardware_address(const Channel& channel, const std::string& device) {
  ifreq request{};
  std::strncpy(request.ifr_name, device.c_str(), IFNAMSIZ - 1);
  if (::ioctl(channel.number, SIOCGIFHWADDR, &request) != 0) return fail_errno(unannounced, device, errno);
  HardwareAddress address{};
  std::memcpy(address.data(), request.ifr_hwaddr.sa_data, address.size());
  return address;
}

/// RFC 826, with the address as sender and target.
Bytes arp_packet(std::uint16_t operation, const HardwareAddress& hardware, const in_addr& address) {
  Bytes packet;
  ByteWriter writer(packet);
  writer.big<std::uint16_t>(ARPHRD_ETHER)
      .big<std::uint16_t>(ETHERTYPE_IP)
      .big<Byte>(ETH_ALEN)
      .big<Byte>(4)
      .big(operation);
  const ByteView ip(reinterpret_cast<const Byte*>(&address), 4);
  writer.bytes(hardware).bytes(ip).bytes(hardware).bytes(ip);
  return packet;
}

Result<void> announce_by_arp(const std::string& device, const in_addr& address) {
  const Channel channel(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ARP)));
  if (channel.number < 0) return fail_errno(unannounced, device, errno);
  const auto hardware = hardware_address(channel, device);
  if (!hardware) return tl::unexpected(hardware.error());
  sockaddr_ll everybody{};
  everybody.sll_family = AF_PACKET;
  everybody.sll_protocol = htons(ETH_P_ARP);
  everybody.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  everybody.sll_halen = ETH_ALEN;
  std::memset(everybody.sll_addr, 0xff, ETH_ALEN);
  for (const std::uint16_t operation : {ARPOP_REQUEST, ARPOP_REPLY}) {
    const Bytes packet = arp_packet(operation, *hardware, address);
    if (::sendto(channel.number, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&everybody),
                 sizeof everybody) < 0)
      return fail_errno(unannounced, device, errno);
  }
  return {};
}

/// RFC 4861, 4.4, to all nodes of the link.
Result<void> announce_by_neighbour_discovery(const std::string& device, const in6_addr& address) {
  const Channel channel(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6));
  if (channel.number < 0) return fail_errno(unannounced, device, errno);
  const auto hardware = hardware_address(channel, device);
  if (!hardware) return tl::unexpected(hardware.error());
  Bytes packet;
  ByteWriter(packet)
      .big<Byte>(ND_NEIGHBOR_ADVERT)
      .zeros(3)                        // code; the kernel writes the checksum
      .big<std::uint32_t>(0x20000000)  // override
      .bytes({reinterpret_cast<const Byte*>(&address), sizeof address})
      .big<Byte>(ND_OPT_TARGET_LINKADDR)
      .big<Byte>(1)  // in units of 8 bytes
      .bytes(*hardware);
  const int hops = 255;
  const int index = static_cast<int>(::if_nametoindex(device.c_str()));
  ::setsockopt(channel.number, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
  ::setsockopt(channel.number, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index);
  sockaddr_in6 everybody{};
  everybody.sin6_family = AF_INET6;
  everybody.sin6_scope_id = static_cast<std::uint32_t>(index);
  ::inet_pton(AF_INET6, "ff02::1", &everybody.sin6_addr);
  if (::sendto(channel.number, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&everybody),
               sizeof everybody) < 0)
    return fail_errno(unannounced, device, errno);
  return {};
}

}  // namespace

Result<void> announce(const ServiceAddress& service, const std::string& device) {
  in_addr four{};
  if (::inet_pton(AF_INET, service.address.c_str(), &four) == 1) return announce_by_arp(device, four);
  in6_addr six{};
  if (::inet_pton(AF_INET6, service.address.c_str(), &six) == 1) return announce_by_neighbour_discovery(device, six);
  return fail(unannounced, service.address, "not an address");
}

}  // namespace bascule::address
