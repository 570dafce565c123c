#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace bascule::address {

/// Tells at once when an address was taken from one of this machine's devices, by whomever.
class AddressWatch {
 public:
  AddressWatch(boost::asio::io_context& io, std::function<void()> removed)
      : socket_(io), removed_(std::move(removed)) {}
  /// Without it addresses are only looked at now and then.
  [[nodiscard]] Result<void> open();

 private:
  void listen();
  /// Whether any message that waits tells of a removal. Messages that the kernel dropped may have.
  [[nodiscard]] bool drain();

  boost::asio::posix::stream_descriptor socket_;
  std::function<void()> removed_;
  Bytes buffer_;
};

}  // namespace bascule::address
