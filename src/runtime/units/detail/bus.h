#pragma once

#include <sdbus-c++/sdbus-c++.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace bascule::units {

/// A connection to D-Bus that is driven by an io_context. The library throws; nothing of that leaves this class: what
/// throws ends the connection, and `on_lost` tells why.
class Bus {
 public:
  Bus(boost::asio::io_context& io, std::string address) : io_(io), address_(std::move(address)) {}
  ~Bus() { close(); }
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  /// Empty: connected. Otherwise why not.
  [[nodiscard]] std::string open();
  [[nodiscard]] bool is_open() const { return link_ != nullptr; }
  /// Null when it failed; then the connection is lost.
  [[nodiscard]] std::unique_ptr<sdbus::IProxy> proxy(const std::string& destination, const std::string& path);
  /// Calls into the library; false: the connection is lost.
  bool guarded(const std::function<void()>& call);
  void close();

  std::function<void(const std::string&)> on_lost = {};

 private:
  struct Link {
    Link(boost::asio::io_context& io, std::unique_ptr<sdbus::IConnection> one)
        : connection(std::move(one)), descriptor(io), timer(io) {}
    std::unique_ptr<sdbus::IConnection> connection;
    boost::asio::posix::stream_descriptor descriptor;
    boost::asio::steady_timer timer;
    bool writing = false;  ///< waits until more can be written
    bool over = false;
  };
  void lose(const std::string& why);
  void wait_to_read(const std::shared_ptr<Link>& link);
  void process(const std::shared_ptr<Link>& link);
  void prepare(const std::shared_ptr<Link>& link);

  boost::asio::io_context& io_;
  std::string address_;
  std::shared_ptr<Link> link_;
};

}  // namespace bascule::units
