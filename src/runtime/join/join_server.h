#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace bascule::join {

/// The door at which machines with a token knock.
class JoinServer {
 public:
  /// Answer later, once, with the frame to send; empty: with nothing. `from` is the address that it came from.
  using Answer = std::function<void(Bytes)>;
  using Handler = std::function<void(const Bytes& request, const std::string& from, Answer answer)>;

  /// Listens at those of the addresses that this machine has.
  JoinServer(boost::asio::io_context& io, const std::vector<std::string>& addresses, std::uint16_t port,
             Handler handler);
  ~JoinServer();
  JoinServer(const JoinServer&) = delete;
  JoinServer& operator=(const JoinServer&) = delete;
  /// How many addresses are listened at.
  [[nodiscard]] std::size_t listening() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace bascule::join
