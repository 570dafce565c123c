#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"
#include "wire/cluster_message/command.h"
#include "wire/cluster_message/message.h"

namespace bascule::api {

struct StatusRequest {};
struct EventsRequest {
  std::uint64_t since = 0;
  bool follow = false;
};

struct Request {
  nlohmann::json id;  ///< echoed; null when there was none
  /// A change is the command that it proposes: `volume_secondary` is a HoldVolume without a node, and so on.
  std::variant<StatusRequest, EventsRequest, message::Command> body;
};

/// One line from a client. Every fault is an Error: not JSON, not an object, unknown operation or parameter, a
/// parameter that is missing or of the wrong type.
[[nodiscard]] Result<Request> parse_request(std::string_view line);

[[nodiscard]] nlohmann::json to_json(const Error& error);
[[nodiscard]] nlohmann::json to_json(const message::Event& event);

}  // namespace bascule::api
