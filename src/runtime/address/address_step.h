#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <string>

#include "runtime/address/service_address.h"

namespace bascule::address {

/// What an agent would answer: its exit code in OCF's meaning (0, 1, 7), and why.
struct Answer {
  int code = 0;
  std::string why;
};

/// The built-in step "address" of a service: what ocf:heartbeat:IPaddr2 does, without starting a process. `start` tells
/// the network at once, and again for three seconds, as a packet may be lost.
class AddressStep {
 public:
  /// `parameters`: ip, cidr_netmask (the length of the network), and nic (may be left out), as IPaddr2 calls them.
  AddressStep(boost::asio::io_context& io, const std::map<std::string, std::string>& parameters);

  /// start, stop or monitor; done when it returns.
  [[nodiscard]] Answer run(const std::string& operation);

 private:
  Answer start();
  Answer stop();
  void announce_again(std::size_t time);

  ServiceAddress address_;
  std::string device_;  ///< while it is up
  boost::asio::steady_timer timer_;
};

}  // namespace bascule::address
