#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/api/request.h"

namespace bascule::api {

/// What bascule-managerd offers behind RUN_DIR/manager.sock. All calls come from the server's io_context.
class ManagerDoor {
 public:
  virtual ~ManagerDoor() = default;
  /// The object of docs/architecture.md, *API*, without "ok".
  [[nodiscard]] virtual nlohmann::json status() = 0;
  /// The events that are kept with a sequence above `since`, oldest first.
  [[nodiscard]] virtual std::vector<message::Event> events(std::uint64_t since) = 0;
  /// node -> {"permanent": {}, "transient": {}}
  [[nodiscard]] virtual nlohmann::json attributes() = 0;
  /// Taken at once, agreed on when it can be; refused for a node that is not there.
  [[nodiscard]] virtual Result<void> set_attribute(const AgentAttributeRequest& request) = 0;
  /// `done` is called once, at once or later: with members to add to the answer when the command is committed, or with
  /// the reason why not. It may be called after the client is gone.
  using Done = std::function<void(Result<nlohmann::json>)>;
  virtual void change(message::Command command, Done done) = 0;
  struct History {
    std::vector<nlohmann::json> events;  ///< in their order
    nlohmann::json answer;               ///< `nodes` and `cursor`
  };
  /// `done` is called once, when the other nodes have answered or a moment later.
  virtual void history(const HistoryQuery& query, std::function<void(History)> done) {
    (void)query;
    done({});
  }
  /// The whole answer, with "ok".
  [[nodiscard]] virtual nlohmann::json configuration(const ConfigurationQuery& query) {
    (void)query;
    return {{"ok", false}};
  }
  /// `done` gets the token, as a member `token`.
  virtual void token(const TokenRequest& request, Done done) {
    done(fail("there is no token to be had here", request.node, ""));
  }
};

/// The server of manager.sock: JSON lines, a request and an answer each. Everything runs in the given io_context.
class ApiServer {
 public:
  static constexpr std::size_t clients_max = 64;
  static constexpr std::size_t line_bytes_max = 64 * 1024;
  static constexpr std::size_t unsent_bytes_max = 4 * 1024 * 1024;  ///< a client that reads too slowly is dropped

  /// Makes the socket (0660; an old one at `path` is replaced) and serves. `door` outlives the server.
  [[nodiscard]] static Result<std::unique_ptr<ApiServer>> start(boost::asio::io_context& context,
                                                                const std::string& path, ManagerDoor& door);
  ~ApiServer();
  /// To every client that follows; call it for each new event.
  void publish(const message::Event& event);
  [[nodiscard]] std::size_t client_count() const;

 private:
  class Session;
  struct State;
  explicit ApiServer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  static void accept(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;
};

}  // namespace bascule::api
