#include "runtime/units/detail/bus.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <chrono>
#include <limits>

namespace bascule::units {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

std::string Bus::open() {
  if (is_open()) return {};
  try {
    auto connection =
        address_.empty() ? sdbus::createSystemBusConnection() : sdbus::createSessionBusConnectionWithAddress(address_);
    link_ = std::make_shared<Link>(io_, std::move(connection));
    // The connection closes its own descriptor; this is for waiting only.
    link_->descriptor.assign(::fcntl(link_->connection->getEventLoopPollData().fd, F_DUPFD_CLOEXEC, 3));
  } catch (const std::exception& error) {
    link_.reset();
    return error.what();
  }
  wait_to_read(link_);
  prepare(link_);
  return {};
}

std::unique_ptr<sdbus::IProxy> Bus::proxy(const std::string& destination, const std::string& path) {
  std::unique_ptr<sdbus::IProxy> made;
  if (is_open()) guarded([&] { made = sdbus::createProxy(*link_->connection, destination, path); });
  return made;
}

bool Bus::guarded(const std::function<void()>& call) {
  if (!is_open()) return false;
  const auto link = link_;
  try {
    call();
  } catch (const std::exception& error) {
    if (link == link_) lose(error.what());
    return false;
  }
  prepare(link);
  return true;
}

/// The library may be in the middle of a callback, so it is let go of later: after the proxies, which are let go of in
/// the round before.
void Bus::close() {
  if (!link_) return;
  link_->over = true;
  boost::system::error_code ignored;
  link_->descriptor.close(ignored);
  link_->timer.cancel();
  asio::post(io_, [&io = io_, link = std::move(link_)] { asio::post(io, [link] {}); });
  link_.reset();
}

void Bus::lose(const std::string& why) {
  close();
  if (on_lost) on_lost(why);
}

void Bus::wait_to_read(const std::shared_ptr<Link>& link) {
  link->descriptor.async_wait(Descriptor::wait_read, [this, link](const boost::system::error_code& error) {
    if (link->over || error) return;
    process(link);
    if (!link->over) wait_to_read(link);
  });
}

void Bus::process(const std::shared_ptr<Link>& link) {
  try {
    while (!link->over && link->connection->processPendingRequest()) {
    }
  } catch (const std::exception& error) {
    if (!link->over) lose(error.what());
    return;
  }
  if (!link->over) prepare(link);
}

/// What the library waits for beside something to read: room to write, a time, or nothing because there is work now.
void Bus::prepare(const std::shared_ptr<Link>& link) {
  if (link->over) return;
  sdbus::IConnection::PollData wanted{};
  try {
    wanted = link->connection->getEventLoopPollData();
  } catch (const std::exception& error) {
    return lose(error.what());
  }
  if ((wanted.events & POLLOUT) != 0 && !link->writing) {
    link->writing = true;
    link->descriptor.async_wait(Descriptor::wait_write, [this, link](const boost::system::error_code& error) {
      link->writing = false;
      if (!link->over && !error) process(link);
    });
  }
  if (wanted.timeout_usec == std::numeric_limits<std::uint64_t>::max()) return void(link->timer.cancel());
  using Clock = std::chrono::steady_clock;
  link->timer.expires_at(Clock::time_point(std::chrono::microseconds(wanted.timeout_usec)));
  link->timer.async_wait([this, link](const boost::system::error_code& error) {
    if (!link->over && !error) process(link);
  });
}

}  // namespace bascule::units
