#include "edge/api/request.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/api/operations.h"

namespace bascule::api {
namespace {

using nlohmann::json;

constexpr const char* what = "the request cannot be understood";
constexpr std::size_t name_length_max = 255;
constexpr std::size_t text_length_max = 4096;
constexpr std::uint64_t attribute_delay_max_ms = 3'600'000;

bool has_kind(const json& value, Parameter::Kind kind) {
  if (kind == Parameter::Kind::number) return value.is_number_unsigned();
  if (kind == Parameter::Kind::flag) return value.is_boolean();
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  if (kind == Parameter::Kind::text) return text.size() <= text_length_max;
  if (kind == Parameter::Kind::lifetime) return text == "permanent" || text == "transient";
  return !text.empty() && text.size() <= name_length_max;
}

Result<void> check_parameters(const json& object, const Operation& operation) {
  const auto& known = operation.parameters;
  for (const auto& [key, value] : object.items()) {
    if (key == "op" || key == "id") continue;
    const auto found =
        std::find_if(known.begin(), known.end(), [&key = key](const auto& one) { return one.name == key; });
    if (found == known.end())
      return fail(what, key.substr(0, 64), fmt::format("{} has no such parameter", operation.name));
    if (!value.is_null() && !has_kind(value, found->kind))
      return fail(what, key, "the value is of the wrong type or length");
  }
  for (const auto& parameter : known)
    if (parameter.required && (!object.contains(parameter.name) || object.at(std::string(parameter.name)).is_null()))
      return fail(what, std::string(parameter.name), fmt::format("{} needs it", operation.name));
  return {};
}

/// A checked parameter, or the default when it is absent.
template <typename Value>
Value value_of(const json& object, const char* key, Value fallback = {}) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? fallback : found->get<Value>();
}

message::SetMaintenance maintenance_of(const json& object) {
  const auto text = [&](const char* key) { return value_of<std::string>(object, key); };
  const auto of_service = text("service"), on_node = text("node");
  const auto scope = !of_service.empty() ? "service:" + of_service : !on_node.empty() ? "node:" + on_node : "cluster";
  return {scope,          !value_of<bool>(object, "off"),           text("by"),
          text("reason"), value_of<std::uint64_t>(object, "at_ms"), value_of<std::uint64_t>(object, "duration_ms")};
}

HistoryQuery history_of(const json& object) {
  const auto text = [&](const char* key) { return value_of<std::string>(object, key); };
  HistoryQuery query;
  query.since_ms = value_of<std::int64_t>(object, "since_ms");
  query.service = text("service"), query.node = text("node"), query.kind = text("kind"), query.cursor = text("cursor");
  query.limit = std::min<std::uint64_t>(value_of<std::uint64_t>(object, "limit", query.limit), query.limit);
  return query;
}

message::UpdateAttributes update_of(const json& object, bool deletes) {
  const auto text = [&](const char* key) { return value_of<std::string>(object, key); };
  message::UpdateAttributes update;
  update.node = text("node");
  update.transient = text("lifetime") == "transient";
  if (deletes)
    update.remove = {text("name")};
  else
    update.set[text("name")] = text("value");
  return update;
}

/// {"op":"agent_attribute","name":N,"value":V or absent,"node":N?,"delay_ms":D?}
Result<Request> agent_attribute(const json& object) {
  const auto is_text = [&](const char* key, std::size_t longest) {
    return !object.contains(key) || (object.at(key).is_string() && object.at(key).get<std::string>().size() <= longest);
  };
  if (!object.contains("name") || !is_text("name", message::attribute_name_bytes_max) ||
      object.at("name").get<std::string>().empty())
    return fail(what, "name",
                fmt::format("the name of an attribute has 1 to {} bytes", message::attribute_name_bytes_max));
  if (!is_text("value", message::attribute_value_bytes_max))
    return fail(what, "value",
                fmt::format("the value of an attribute has at most {} bytes", message::attribute_value_bytes_max));
  if (!is_text("node", name_length_max)) return fail(what, "node", "the value is of the wrong type or length");
  if (object.contains("delay_ms") && !object.at("delay_ms").is_number_unsigned())
    return fail(what, "delay_ms", "the value is of the wrong type or length");
  AgentAttributeRequest body{
      value_of<std::string>(object, "node"),
      value_of<std::string>(object, "name"),
      {},
      std::min<std::uint64_t>(value_of<std::uint64_t>(object, "delay_ms"), attribute_delay_max_ms)};
  if (object.contains("value")) body.value = object.at("value").get<std::string>();
  return Request{json{}, std::move(body)};
}

decltype(Request::body) body_of(const std::string& name, const json& object) {
  const auto text = [&](const char* key) { return value_of<std::string>(object, key); };
  if (name == "events")
    return EventsRequest{value_of<std::uint64_t>(object, "since"), value_of<bool>(object, "follow")};
  if (name == "move") return message::MoveService{text("service"), text("to")};
  if (name == "standby") return message::SetStandby{text("node"), true};
  if (name == "online") return message::SetStandby{text("node"), false};
  if (name == "goodbye") return message::SayGoodbye{text("node"), value_of<bool>(object, "back")};
  if (name == "start") return message::SetTarget{text("service"), true};
  if (name == "stop") return message::SetTarget{text("service"), false};
  if (name == "clear_failures") return message::ClearFailures{text("service"), text("node")};
  if (name == "attributes") return AttributesRequest{text("node")};
  if (name == "attribute_set" || name == "attribute_delete") return update_of(object, name == "attribute_delete");
  if (name == "volume_primary") return message::HoldVolume{text("volume"), text("node")};
  if (name == "volume_secondary") return message::HoldVolume{text("volume"), ""};
  if (name == "maintenance") return maintenance_of(object);
  if (name == "drain") return message::SetStandby{text("node"), true, true};
  if (name == "restart") return message::RestartService{text("service"), text("step")};
  if (name == "halt") return message::SetHalt{true, text("by")};
  if (name == "resume") return message::SetHalt{false, text("by")};
  if (name == "history") return history_of(object);
  if (name == "fence") return message::FenceByHand{text("node"), "fence", ""};
  if (name == "fence_test")
    return message::FenceByHand{text("node"), value_of<bool>(object, "really") ? "test-really" : "test",
                                text("device")};
  if (name == "fence_confirm") return message::FenceByHand{text("node"), "confirm", ""};
  if (name == "start_alone") return message::FenceByHand{text("node"), "start-alone", ""};
  return StatusRequest{};
}

/// The requests about configurations and joining, whose parameters are no names. Each key is checked; unknown ones are
/// refused.
class Parameters {
 public:
  Parameters(const json& object, std::vector<std::string> known) : object_(object) {
    for (const auto& [key, value] : object.items())
      if (key != "op" && key != "id" && std::find(known.begin(), known.end(), key) == known.end())
        note(key.substr(0, 64), "there is no such parameter");
  }
  std::string text(const char* key, std::size_t length_max, bool required) {
    const auto found = object_.find(key);
    if (found == object_.end() || found->is_null()) return required ? note(key, "it is needed") : "";
    if (!found->is_string()) return note(key, "it is no text");
    const auto& value = found->get_ref<const std::string&>();
    if (value.size() > length_max) return note(key, "it is too long");
    return required && value.empty() ? note(key, "it is empty") : value;
  }
  std::optional<std::uint64_t> number(const char* key, bool required) {
    const auto found = object_.find(key);
    if (found != object_.end() && found->is_number_unsigned()) return found->get<std::uint64_t>();
    if (required || (found != object_.end() && !found->is_null())) note(key, "it is no number");
    return std::nullopt;
  }
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

 private:
  std::string note(std::string where, std::string why) {
    if (!problem_) problem_ = Error{what, std::move(where), std::move(why), {}};
    return {};
  }
  const json& object_;
  std::optional<Error> problem_;
};

constexpr std::size_t words_length_max = 500;

using Body = decltype(Request::body);

Result<Body> checked(const Parameters& parameters, Body body) {
  if (parameters.problem()) return tl::unexpected(*parameters.problem());
  return body;
}

/// Nothing when it is another operation.
std::optional<Result<Body>> configuration_request(const std::string& op, const json& object) {
  if (op == "config_plan") {
    Parameters in(object, {"text"});
    return checked(in, ConfigurationQuery{true, in.text("text", message::config_text_bytes_max, true), {}});
  }
  if (op == "config_history") {
    Parameters in(object, {"version"});
    return checked(in, ConfigurationQuery{false, "", in.number("version", false)});
  }
  if (op == "config_apply") {
    Parameters in(object, {"base_version", "text", "reason", "who"});
    message::SetConfig command;
    command.base_version = in.number("base_version", true).value_or(0);
    command.text = in.text("text", message::config_text_bytes_max, true);
    command.reason = in.text("reason", words_length_max, false);
    command.who = in.text("who", words_length_max, false);
    return checked(in, message::Command(std::move(command)));
  }
  if (op == "node_token") {
    Parameters in(object, {"node", "valid_s", "who"});
    return checked(in, TokenRequest{in.text("node", name_length_max, true), in.number("valid_s", false).value_or(3600),
                                    in.text("who", words_length_max, false)});
  }
  return std::nullopt;
}

json id_of(const json& object) {
  const auto id = object.find("id");
  const bool usable =
      id != object.end() && (id->is_number() || (id->is_string() && id->get<std::string>().size() <= name_length_max));
  return usable ? *id : json();
}

}  // namespace

Result<Request> parse_request(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (object.is_discarded() || !object.is_object()) return fail(what, {}, "it is not one JSON object on one line");
  const auto op = object.find("op");
  if (op == object.end() || !op->is_string()) return fail(what, "op", "it names no operation", "{\"op\":\"status\"}");
  if (auto special = configuration_request(op->get<std::string>(), object)) {
    if (!*special) return tl::unexpected(special->error());
    return Request{id_of(object), std::move(**special)};
  }
  if (op->get_ref<const std::string&>() == "agent_attribute") return agent_attribute(object);
  const Operation* operation = find_operation(op->get_ref<const std::string&>());
  if (operation == nullptr)
    return fail(what, "op", fmt::format("there is no operation '{}'", op->get<std::string>().substr(0, 64)));
  if (auto checked = check_parameters(object, *operation); !checked) return tl::unexpected(checked.error());
  Request request;
  request.id = id_of(object);
  request.body = body_of(std::string(operation->name), object);
  return request;
}

json to_json(const Error& error) {
  return {{"what", error.what}, {"where", error.where}, {"why", error.why}, {"hint", error.hint}};
}

json to_json(const message::Event& event) {
  return {{"sequence", event.sequence}, {"node", event.node},       {"at_ns", event.at_ns}, {"wall_ms", event.wall_ms},
          {"kind", event.kind},         {"subject", event.subject}, {"text", event.text},   {"fields", event.fields}};
}

}  // namespace bascule::api
