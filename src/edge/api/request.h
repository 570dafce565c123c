#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
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

/// Events of all nodes (core/history).
struct HistoryQuery {
  std::int64_t since_ms = 0;        ///< wall clock; 0: all that is kept
  std::string service, node, kind;  ///< empty: any
  std::uint64_t limit = 10'000;
  std::string cursor;  ///< of an earlier answer: only what is new
};
/// What a new configuration would do (`text`), or which ones there were (`version`: one of them, with its text).
struct ConfigurationQuery {
  bool plan = false;
  std::string text;
  std::optional<std::uint64_t> version;
};
/// A token with which `node` may join, for so long.
struct TokenRequest {
  std::string node;
  std::uint64_t valid_s = 3600;
  std::string who;
};

struct AttributesRequest {
  std::string node;  ///< empty: all
};
/// Of an agent (edge/agent_tools): a transient attribute, answered as soon as this manager has it. Not in the table of
/// operations, since it is not for people.
struct AgentAttributeRequest {
  std::string node;  ///< empty: this one
  std::string name;
  std::optional<std::string> value;  ///< none: deleted
  std::uint64_t delay_ms = 0;
};

struct Request {
  nlohmann::json id;  ///< echoed; null when there was none
  /// A change is the command that it proposes: `volume_secondary` is a HoldVolume without a node, and so on.
  std::variant<StatusRequest, EventsRequest, HistoryQuery, message::Command, ConfigurationQuery, TokenRequest,
               AttributesRequest, AgentAttributeRequest>
      body;
};

/// One line from a client. Every fault is an Error: not JSON, not an object, unknown operation or parameter, a
/// parameter that is missing or of the wrong type.
[[nodiscard]] Result<Request> parse_request(std::string_view line);

[[nodiscard]] nlohmann::json to_json(const Error& error);
[[nodiscard]] nlohmann::json to_json(const message::Event& event);

}  // namespace bascule::api
