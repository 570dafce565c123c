#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/uring/ring.h"
#include "wire/drbd/state.h"

namespace bascule::block_host {

class ControlClient;

/// The control socket blockd.VOLUME.sock: JSON lines, several clients (docs/architecture.md, Control of blockd).
class Control {
 public:
  static constexpr std::size_t kClients = 32;
  using ClientId = std::uint64_t;

  struct Events {
    virtual ~Events() = default;
    /// One request, a JSON object with "op". Answer now or later with Control::answer.
    virtual void requested(ClientId client, const nlohmann::json& request) = 0;
  };

  [[nodiscard]] static Result<std::unique_ptr<Control>> listen(uring::Ring& ring, const std::string& path,
                                                               Events& events);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Answers a request; `reply` gets "ok" and the request's "id". Ignored when the client is gone.
  void answer(ClientId client, const nlohmann::json& id, nlohmann::json reply);
  /// With DRBD's result, when the engine gave one, as "code" and "name" of the error.
  void refuse(ClientId client, const nlohmann::json& id, const Error& error,
              std::optional<drbd::StateChangeResult> result = {});
  /// To every client.
  void tell_all(const nlohmann::json& line);
  [[nodiscard]] bool heard() const { return !clients_.empty(); }
  /// At the end of a turn.
  void flush();

 private:
  friend class ControlClient;
  Control(uring::Ring& ring, std::string path, int listener, Events& events);
  void accept();
  void accepted(int result);
  void send(ClientId client, const nlohmann::json& line);
  void line(ControlClient& client, std::string_view text);

  uring::Ring& ring_;
  std::string path_;
  int listener_;
  Events& events_;
  uring::OperationHandle accepting_ = 0;
  uring::TimerHandle accept_again_ = 0;
  ClientId next_client_ = 1;
  std::vector<std::unique_ptr<ControlClient>> clients_;
};

}  // namespace bascule::block_host
