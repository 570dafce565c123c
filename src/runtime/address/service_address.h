#pragma once

#include <string>

#include "base/result.h"

namespace bascule::address {

/// An address that moves with a service.
struct ServiceAddress {
  std::string address;  ///< IPv4 or IPv6
  unsigned prefix = 0;  ///< of its network
  std::string device;   ///< empty: the one that has another address of this network
};

/// What follows is a few messages to the kernel each, and waits for nobody else.

/// Whether this machine has it, on whatever device.
[[nodiscard]] Result<bool> is_present(const ServiceAddress& service);

/// Gives it to the device; nothing changes when it is there already. Returns the device. An IPv6 address is usable at
/// once: nobody is asked whether he has it, since the lease says that nobody has.
[[nodiscard]] Result<std::string> bring_up(const ServiceAddress& service);

/// Takes it away from all devices; nothing changes when it is not there.
[[nodiscard]] Result<void> take_down(const ServiceAddress& service);

/// Tells the network once where the address is now: ARP (RFC 5227, 3), as a request and as a reply, since switches and
/// hosts heed one or the other; or an unsolicited neighbour advertisement that overrides (RFC 4861, 7.2.6).
[[nodiscard]] Result<void> announce(const ServiceAddress& service, const std::string& device);

}  // namespace bascule::address
