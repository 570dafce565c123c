#include <nlohmann/json.hpp>
#include <set>

#include "core/store/detail/fence_json.h"
#include "core/store/store.h"

/// The snapshot: versioned JSON, FORMAT.md. Reading uses the library's typed access, whose exceptions end in restore().
namespace bascule::store {
namespace {

using Json = nlohmann::ordered_json;
using Text = std::optional<std::string>;

constexpr std::uint64_t version = 3;

Json json_of(const Text& text) { return text ? Json(*text) : Json(nullptr); }
Text text_of_json(const Json& json) { return json.is_null() ? Text() : Text(json.get<std::string>()); }

Json json_of(const VolumeState& volume) {
  return {{"initialised", volume.initialised},
          {"in_sync", volume.in_sync},
          {"in_sync_version", volume.in_sync_version},
          {"owner", json_of(volume.owner)},
          {"epoch", volume.epoch},
          {"held_by_hand", volume.held_by_hand},
          {"hold_on", json_of(volume.hold_on)},
          {"stop_requested", volume.stop_requested}};
}

VolumeState volume_of(const Json& json) {
  VolumeState volume;
  volume.initialised = json.at("initialised").get<bool>();
  volume.in_sync = json.at("in_sync").get<std::set<std::string>>();
  volume.in_sync_version = json.at("in_sync_version").get<std::uint64_t>();
  volume.owner = text_of_json(json.at("owner"));
  volume.epoch = json.at("epoch").get<std::uint64_t>();
  volume.held_by_hand = json.at("held_by_hand").get<bool>();
  volume.hold_on = text_of_json(json.at("hold_on"));
  volume.stop_requested = json.at("stop_requested").get<bool>();
  return volume;
}

Json json_of(const ServiceFailure& failure) {
  return {{"count", failure.count},       {"start_failed", failure.start_failed},
          {"text", failure.text},         {"step", failure.step},
          {"reaction", failure.reaction}, {"output", failure.output},
          {"at_ms", failure.at_ms},       {"version", failure.version}};
}

ServiceFailure failure_of(const Json& json) {
  ServiceFailure failure;
  failure.count = json.at("count").get<std::uint32_t>();
  failure.start_failed = json.at("start_failed").get<bool>();
  failure.text = json.at("text").get<std::string>();
  failure.step = json.at("step").get<std::string>();
  failure.reaction = json.at("reaction").get<std::string>();
  failure.output = json.at("output").get<std::string>();
  failure.at_ms = json.at("at_ms").get<std::uint64_t>();
  failure.version = json.at("version").get<std::uint64_t>();
  return failure;
}

Json json_of(const NodeState& node) {
  return {{"standby", node.standby},
          {"away", node.away},
          {"restart_lease_ms", node.restart_lease_ms},
          {"restart_version", node.restart_version},
          {"boot", node.boot},
          {"attributes", node.attributes},
          {"transient_attributes", node.transient_attributes}};
}

NodeState node_of(const Json& json) {
  NodeState node;
  node.standby = json.at("standby").get<bool>();
  node.away = json.value("away", false);  // snapshots of earlier versions do not have it
  node.restart_lease_ms = json.at("restart_lease_ms").get<std::uint64_t>();
  node.restart_version = json.at("restart_version").get<std::uint64_t>();
  node.boot = json.at("boot").get<std::string>();
  node.attributes = json.at("attributes").get<std::map<std::string, std::string>>();
  node.transient_attributes = json.at("transient_attributes").get<std::map<std::string, std::string>>();
  return node;
}

Json json_of(const std::optional<Target>& target) {
  if (!target) return nullptr;
  return *target == Target::Started ? "Started" : "Stopped";
}

std::optional<Target> target_of(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return json.get<std::string>() == "Started" ? Target::Started : Target::Stopped;
}

Json json_of(const ServiceState& service) {
  Json failures = Json::object();
  for (const auto& [node, failure] : service.failures) failures[node] = json_of(failure);
  return {{"target", json_of(service.target)},
          {"owner", json_of(service.owner)},
          {"epoch", service.epoch},
          {"stop_requested", service.stop_requested},
          {"last_owner", json_of(service.last_owner)},
          {"move_to", json_of(service.move_to)},
          {"move_from", json_of(service.move_from)},
          {"pinned", service.pinned},
          {"failures", std::move(failures)},
          {"reason", service.reason},
          {"restarts_asked", service.restarts_asked},
          {"restarts_done", service.restarts_done},
          {"restart_step", service.restart_step},
          {"configuration", service.configuration}};
}

ServiceState service_of(const Json& json) {
  ServiceState service;
  service.target = target_of(json.at("target"));
  service.owner = text_of_json(json.at("owner"));
  service.epoch = json.at("epoch").get<std::uint64_t>();
  service.stop_requested = json.at("stop_requested").get<bool>();
  service.last_owner = text_of_json(json.at("last_owner"));
  service.move_to = text_of_json(json.at("move_to"));
  service.move_from = text_of_json(json.at("move_from"));
  service.pinned = json.at("pinned").get<bool>();
  for (const auto& [node, failure] : json.at("failures").items()) service.failures[node] = failure_of(failure);
  service.reason = json.at("reason").get<std::string>();
  service.restarts_asked = json.at("restarts_asked").get<std::uint64_t>();
  service.restarts_done = json.at("restarts_done").get<std::uint64_t>();
  service.restart_step = json.at("restart_step").get<std::string>();
  service.configuration = json.at("configuration").get<std::uint64_t>();
  return service;
}

Json json_of(const Maintenance& maintenance) {
  return {{"by", maintenance.by},
          {"reason", maintenance.reason},
          {"at_ms", maintenance.at_ms},
          {"left_ms", maintenance.left_ms},
          {"version", maintenance.version}};
}

Maintenance maintenance_of(const Json& json) {
  return {json.at("by").get<std::string>(), json.at("reason").get<std::string>(), json.at("at_ms").get<std::uint64_t>(),
          json.at("left_ms").get<std::uint64_t>(), json.at("version").get<std::uint64_t>()};
}

void write_operations(const ClusterState& state, Json& json) {
  json["maintenance"] = Json::object();
  for (const auto& [scope, maintenance] : state.maintenance) json["maintenance"][scope] = json_of(maintenance);
  json["maintenance_version"] = state.maintenance_version;
  json["halted"] = state.halted;
  json["halted_by"] = state.halted_by;
}

void read_operations(const Json& json, ClusterState& state) {
  for (const auto& [scope, maintenance] : json.at("maintenance").items())
    state.maintenance[scope] = maintenance_of(maintenance);
  state.maintenance_version = json.at("maintenance_version").get<std::uint64_t>();
  state.halted = json.at("halted").get<bool>();
  state.halted_by = json.at("halted_by").get<std::string>();
}

Json json_of(const ConfigurationVersion& one) {
  return {{"version", one.version}, {"text", one.text}, {"reason", one.reason}, {"who", one.who}, {"at_ms", one.at_ms}};
}

/// The agreed configurations and the tokens.
void read_membership(const Json& json, ClusterState& state) {
  for (const auto& one : json.at("configurations"))
    state.configurations.push_back({one.at("version").get<std::uint64_t>(), one.at("text").get<std::string>(),
                                    one.at("reason").get<std::string>(), one.at("who").get<std::string>(),
                                    one.at("at_ms").get<std::uint64_t>()});
  state.highest_node_id = json.at("highest_node_id").get<std::uint64_t>();
  for (const auto& [hash, token] : json.at("tokens").items())
    state.tokens[hash] = {token.at("node").get<std::string>(), token.at("expires_at_ms").get<std::uint64_t>(),
                          token.at("used").get<bool>()};
}

void write_membership(Json& json, const ClusterState& state) {
  json["configurations"] = Json::array();
  for (const auto& one : state.configurations) json["configurations"].push_back(json_of(one));
  json["highest_node_id"] = state.highest_node_id;
  json["tokens"] = Json::object();
  for (const auto& [hash, token] : state.tokens)
    json["tokens"][hash] = {{"node", token.node}, {"expires_at_ms", token.expires_at_ms}, {"used", token.used}};
}

ClusterState state_of(const Json& json) {
  ClusterState state;
  state.applied_index = json.at("applied_index").get<std::uint64_t>();
  for (const auto& [name, node] : json.at("nodes").items()) state.nodes[name] = node_of(node);
  for (const auto& [name, volume] : json.at("volumes").items()) state.volumes[name] = volume_of(volume);
  for (const auto& [name, service] : json.at("services").items()) state.services[name] = service_of(service);
  read_operations(json, state);
  read_membership(json, state);
  state.fencing = detail::fencing_of(json.at("fencing"));
  return state;
}

tl::unexpected<Error> refuse(std::string why) {
  return fail("the snapshot of the cluster's state cannot be used", "", std::move(why));
}

}  // namespace

std::string Store::brief() const {
  Store copy;
  copy.state_ = state_;
  auto& versions = copy.state_.configurations;
  if (!versions.empty()) versions = {versions.back()};
  for (auto& one : versions) one.text.clear();
  copy.state_.tokens.clear();
  copy.state_.fencing.history.clear();
  copy.state_.fencing.tests.clear();
  const Bytes bytes = copy.snapshot();
  return std::string(text_of(bytes));
}

Bytes Store::snapshot() const {
  Json json{{"version", version},         {"applied_index", state_.applied_index},
            {"nodes", Json::object()},    {"volumes", Json::object()},
            {"services", Json::object()}, {"proposals", Json::array()}};
  for (const auto& [name, node] : state_.nodes) json["nodes"][name] = json_of(node);
  for (const auto& [name, volume] : state_.volumes) json["volumes"][name] = json_of(volume);
  for (const auto& [name, service] : state_.services) json["services"][name] = json_of(service);
  write_operations(state_, json);
  write_membership(json, state_);
  json["fencing"] = detail::json_of(state_.fencing);
  for (const auto id : order_) {
    const auto& answer = answers_.at(id);
    json["proposals"].push_back({{"id", id}, {"accepted", answer.accepted}, {"why", answer.why}});
  }
  const auto text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {text.begin(), text.end()};
}

Result<Store> Store::restore(ByteView bytes) {
  try {
    const auto json = Json::parse(bytes.begin(), bytes.end());
    const auto found = json.at("version").get<std::uint64_t>();
    if (found != version)
      return refuse("it has version " + std::to_string(found) + ", this program knows version " +
                    std::to_string(version));
    Store store;
    store.state_ = state_of(json);
    for (const auto& proposal : json.at("proposals")) {
      const auto id = proposal.at("id").get<std::uint64_t>();
      store.answers_[id] = {proposal.at("accepted").get<bool>(), proposal.at("why").get<std::string>()};
      store.order_.push_back(id);
    }
    if (store.order_.size() > remembered_proposals || store.order_.size() != store.answers_.size())
      return refuse("its list of proposals is damaged");
    return store;
  } catch (const std::exception& exception) {
    return refuse(exception.what());
  }
}

}  // namespace bascule::store
