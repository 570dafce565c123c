#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/manager/manager.h"

namespace bascule::manager_host {

/// The manager's end of one blockd's control socket (docs/architecture.md, "Control of blockd"): connects, connects
/// again when it is lost, and turns lines into inputs of the manager.
class BlockClient {
 public:
  using Sink = std::function<void(manager::Input)>;

  BlockClient(boost::asio::io_context& io, std::string volume, std::string path, Sink sink);
  void start();

  void promote(std::uint64_t epoch, bool initial);
  void demote(bool force);
  void fail_io();
  void in_sync(std::uint64_t version, const std::vector<std::string>& members);
  void peer_lost(const std::string& reason);

 private:
  void connect();
  void connected();
  void read();
  void line(const std::string& text);
  void lost();
  void request(const std::string& operation, const std::string& json_fields);
  void write();

  boost::asio::local::stream_protocol::socket socket_;
  boost::asio::steady_timer retry_;
  std::string volume_;
  std::string path_;
  Sink sink_;
  std::string incoming_;
  std::deque<std::string> outgoing_;
  bool up_ = false;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, std::string> asked_;  ///< operation by id, until answered
};

/// The state object of a blockd; nothing when it is not one.
[[nodiscard]] Result<manager::VolumeState> parse_volume_state(const std::string& json, const std::string& volume);

}  // namespace bascule::manager_host
