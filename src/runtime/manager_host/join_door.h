#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "core/manager/manager.h"
#include "runtime/join/join_server.h"
#include "wire/join/token.h"

namespace bascule::manager_host {

/// A member's part in joining: tokens given out, and taken from whoever knocks.
class JoinDoor {
 public:
  using Done = std::function<void(bool accepted, std::string why)>;
  using Change = std::function<void(message::Command command, Done done)>;
  using TokenDone = std::function<void(Result<std::string>)>;

  /// `change` proposes; `manager` tells which tokens are open, and the configuration. Both outlive the object.
  JoinDoor(boost::asio::io_context& io, const manager::Manager& manager, Change change);
  /// Listens at the node's addresses; again when they are others.
  void open(const config::ClusterConfig& config, const config::Node& self);
  void issue(const config::ClusterConfig& config, const std::string& node, std::uint64_t valid_s,
             const std::string& who, TokenDone done);

 private:
  void knocked(const Bytes& request, const std::string& from, const join::JoinServer::Answer& answer);
  /// Seals what the owner of the secret gets, or why it gets nothing.
  void hand_out(const sealed::Secret& secret, const Result<join::Secrets>& secrets,
                const join::JoinServer::Answer& answer) const;

  boost::asio::io_context& io_;
  const manager::Manager& manager_;
  Change change_;
  config::ClusterConfig config_;
  std::vector<std::string> addresses_;
  std::unique_ptr<join::JoinServer> server_;
};

}  // namespace bascule::manager_host
