// Word of the kernel that an address is gone.
#include "runtime/address/address_watch.h"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace bascule::address {

Result<void> AddressWatch::open() {
  const int number = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (number < 0) return fail_errno("addresses cannot be watched", "netlink", errno);
  socket_.assign(number);
  sockaddr_nl groups{};
  groups.nl_family = AF_NETLINK;
  groups.nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
  if (::bind(number, reinterpret_cast<const sockaddr*>(&groups), sizeof groups) != 0)
    return fail_errno("addresses cannot be watched", "netlink", errno);
  buffer_.resize(64 * 1024);
  listen();
  return {};
}

void AddressWatch::listen() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
    if (error) return;
    if (drain()) removed_();
    listen();
  });
}

bool AddressWatch::drain() {
  bool removed = false;
  for (;;) {
    const auto size = ::recv(socket_.native_handle(), buffer_.data(), buffer_.size(), 0);
    if (size < 0 && errno == ENOBUFS) {
      removed = true;
      continue;
    }
    if (size <= 0) return removed;
    auto left = static_cast<unsigned>(size);
    for (auto* each = reinterpret_cast<nlmsghdr*>(buffer_.data()); NLMSG_OK(each, left); each = NLMSG_NEXT(each, left))
      removed = removed || each->nlmsg_type == RTM_DELADDR;
  }
}

}  // namespace bascule::address
