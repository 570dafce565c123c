// The reply to `status`.

#include <functional>
#include <nlohmann/json.hpp>

#include "core/manager/detail/state.h"
#include "core/membership/lease_names.h"
#include "core/store/operations.h"

namespace bascule::manager {

namespace {

using Json = nlohmann::ordered_json;

Json optional_text(const std::optional<std::string>& text) { return text ? Json(*text) : Json(nullptr); }

const message::ServiceReport* find_service(const message::NodeReport* report, const std::string& name) {
  if (report == nullptr) return nullptr;
  for (const auto& service : report->services)
    if (service.name == name) return &service;
  return nullptr;
}

const message::VolumeReport* find_volume(const message::NodeReport* report, const std::string& name) {
  if (report == nullptr) return nullptr;
  for (const auto& volume : report->volumes)
    if (volume.name == name) return &volume;
  return nullptr;
}

Json steps_json(const message::ServiceReport& report, bool known) {
  Json steps = Json::array();
  for (const auto& step : report.steps)
    steps.push_back({{"name", step.name},
                     {"state", known ? step.state : "Unknown"},
                     {"start_ms", step.start_ms},
                     {"stop_ms", step.stop_ms},
                     {"warning", step.warning}});
  return steps;
}

struct Source {
  const membership::Liveness& liveness;
  const membership::Links& links;
  const config::ClusterConfig& config;
  Instant now;
  /// Older than two leases is not known any more.
  [[nodiscard]] bool known(const std::string& node) const {
    return liveness.report_age(node, now) <= 2 * config.timing.lease;
  }
  [[nodiscard]] std::int64_t age_ms(const std::string& node) const {
    const auto age = liveness.report_age(node, now);
    return age == Duration::max() ? -1 : to_ms(age);
  }
};

Json links_json(const Source& source, const std::string& node) {
  Json links = Json::array();
  for (const auto& link : source.links.status(node, source.now))
    links.push_back(
        {{"address", link.address}, {"up", link.up}, {"age_ms", link.ever_heard ? to_ms(link.age) : std::int64_t{-1}}});
  return links;
}

Json nodes_json(const Source& source, const store::ClusterState& state) {
  Json nodes = Json::array();
  for (const auto& node : source.config.nodes) {
    const auto agreed = state.nodes.find(node.name);
    const auto presence = source.liveness.presence(node.name, source.now);
    nodes.push_back({{"name", node.name},
                     {"role", node.role == config::NodeRole::witness ? "witness" : "data"},
                     {"online", presence != membership::Presence::lost},
                     {"presence", membership::text(presence)},
                     {"age_ms", to_ms(source.liveness.age(node.name, source.now))},
                     {"votes", node.votes()},
                     {"standby", agreed != state.nodes.end() && agreed->second.standby},
                     {"away", agreed != state.nodes.end() && agreed->second.away},
                     {"maintenance", store::in_maintenance(state, "", node.name) != nullptr},
                     {"address", node.address},
                     {"links", links_json(source, node.name)}});
    if (agreed == state.nodes.end()) continue;
    if (!agreed->second.attributes.empty()) nodes.back()["attributes"] = agreed->second.attributes;
    if (!agreed->second.transient_attributes.empty())
      nodes.back()["transient_attributes"] = agreed->second.transient_attributes;
  }
  return nodes;
}

/// The node whose word on a service counts: its owner, or whoever still has something of it running.
std::string speaker_for(const Source& source, const config::Service& service, const store::ServiceState& agreed) {
  if (agreed.owner) return *agreed.owner;
  for (const auto& node : source.config.nodes) {
    const auto* report = find_service(source.liveness.newest_report(node.name), service.name);
    if (report != nullptr && report->state != "Stopped" && source.known(node.name)) return node.name;
  }
  return {};
}

Json service_json(const Source& source, const config::Service& service, const store::ClusterState& state,
                  const ownership::Plan& plan) {
  const auto found = state.services.find(service.name);
  const store::ServiceState agreed = found == state.services.end() ? store::ServiceState{} : found->second;
  const bool wanted = ownership::is_wanted(state, service);
  const auto speaker = speaker_for(source, service, agreed);
  const auto* report = find_service(source.liveness.newest_report(speaker), service.name);
  const bool known = report != nullptr && source.known(speaker);
  const auto& explanation = plan.services.at(service.name);
  Json json;
  json["name"] = service.name;
  json["target"] = wanted ? "Started" : "Stopped";
  json["owner"] = optional_text(agreed.owner);
  json["epoch"] = agreed.epoch;
  json["state"] = speaker.empty() ? "Stopped" : known ? report->state : "Unknown";
  json["age_ms"] = speaker.empty() ? 0 : source.age_ms(speaker);
  json["why"] = !explanation.why.empty() || report == nullptr ? explanation.why : report->why;
  json["hint"] = explanation.hint;
  json["maintenance"] = store::in_maintenance(state, service.name, agreed.owner.value_or("")) != nullptr;
  json["restarts"] = {{"asked", agreed.restarts_asked}, {"done", agreed.restarts_done}};
  if (service.copy) json["copy_of"] = service.copy->of;
  if (service.is_role) json["role"] = "Promoted";
  for (const auto& [key, names] :
       {std::pair("after", &service.after), {"with", &service.with}, {"apart", &service.apart}})
    if (!names->empty()) json[key] = *names;
  json["steps"] = report != nullptr ? steps_json(*report, known) : Json::array();
  return json;
}

Json failures_json(const store::ClusterState& state, const std::string& service,
                   const std::function<std::int64_t(const std::string&)>& fades_in_ms) {
  Json failures = Json::array();
  const auto agreed = state.services.find(service);
  if (agreed == state.services.end()) return failures;
  for (const auto& [node, failure] : agreed->second.failures)
    failures.push_back({{"node", node},
                        {"count", failure.count},
                        {"start_failed", failure.start_failed},
                        {"step", failure.step},
                        {"text", failure.text},
                        {"reaction", failure.reaction},
                        {"at_ms", failure.at_ms},
                        {"fades_in_ms", fades_in_ms(node)},
                        {"output", failure.output}});
  return failures;
}

Json replica_json(const Source& source, const std::string& node, const std::string& volume) {
  const auto* report = find_volume(source.liveness.newest_report(node), volume);
  const bool known = report != nullptr && source.known(node);
  const message::VolumeReport blank;
  const auto& r = report != nullptr ? *report : blank;
  return {{"node", node},
          {"age_ms", source.age_ms(node)},
          {"attached", known && r.attached},
          {"role", known ? r.role : "Unknown"},
          {"disk", known ? r.disk : "DUnknown"},
          {"connection", known ? r.connection : "Unknown"},
          {"peer_disk", known ? r.peer_disk : "DUnknown"},
          {"just_created", r.just_created},
          {"out_of_sync_bytes", r.out_of_sync_bytes},
          {"resync_done_bytes", r.resync_done_bytes},
          {"resync_total_bytes", r.resync_total_bytes},
          {"writes_acknowledged", r.writes_acknowledged},
          {"writes_held", r.writes_held},
          {"device", r.device},
          {"why", r.why}};
}

std::uint64_t size_of(const Source& source, const config::Volume& volume) {
  for (const auto& [node, disk] : volume.disk)
    if (const auto* report = find_volume(source.liveness.newest_report(node), volume.name);
        report != nullptr && report->size_bytes != 0)
      return report->size_bytes;
  return volume.size_bytes;
}

Json volume_json(const Source& source, const config::Volume& volume, const store::ClusterState& state,
                 const ownership::Plan& plan) {
  const auto found = state.volumes.find(volume.name);
  const store::VolumeState agreed = found == state.volumes.end() ? store::VolumeState{} : found->second;
  const auto& explanation = plan.volumes.at(volume.name);
  Json replicas = Json::array();
  for (const auto& [node, disk] : volume.disk) replicas.push_back(replica_json(source, node, volume.name));
  return {{"name", volume.name},
          {"size_bytes", size_of(source, volume)},
          {"initialised", agreed.initialised},
          {"owner", optional_text(agreed.owner)},
          {"held_by_hand", agreed.held_by_hand},
          {"epoch", agreed.epoch},
          {"in_sync", agreed.in_sync},
          {"in_sync_version", agreed.in_sync_version},
          {"why", explanation.why},
          {"hint", explanation.hint},
          {"replicas", replicas}};
}

}  // namespace

std::string Manager::State::status_json() const {
  const auto plan = make_plan();
  const Source source{liveness, links, config, now};
  const auto leadership = raft.leadership();
  const auto* leader = config.node(leadership.leader);
  std::size_t seen = 0;
  const auto consensus = raft.status();
  const auto& members = consensus.configuration;
  for (const auto& node : config.nodes)
    seen += members.is_voter(node.id) && liveness.presence(node.name, now) != membership::Presence::lost ? 1 : 0;
  Json json;
  json["ok"] = true;
  json["cluster"] = config.name;
  json["node"] = self->name;
  json["at_ns"] = to_ns(now);
  json["summary"] = plan.summary;
  json["healthy"] = plan.healthy;
  json["problems"] = plan.problems;
  json["quorum"] = {{"have", leader != nullptr},
                    {"leader", leader != nullptr ? Json(leader->name) : Json(nullptr)},
                    {"term", leadership.term},
                    {"votes_seen", seen},
                    {"votes", members.voters.size()},
                    {"settled", consensus.configuration_committed},
                    {"applied_index", store.state().applied_index}};
  json["configuration"] = {{"version", store.state().configuration()},
                           {"agreed", followed.has_value()},
                           {"file_differed", file_differs},
                           {"waiting", members_wait}};
  json["nodes"] = nodes_json(source, store.state());
  json["maintenance"] = Json::array();
  for (const auto& [scope, agreed] : store.state().maintenance) {
    const auto left = maintenance_left(scope);
    json["maintenance"].push_back({{"scope", scope},
                                   {"of", store::scope_text(scope)},
                                   {"by", agreed.by},
                                   {"reason", agreed.reason},
                                   {"at_ms", agreed.at_ms},
                                   {"left_ms", left ? Json(to_ms(*left)) : Json(nullptr)}});
  }
  json["halted"] = store.state().halted;
  json["halted_by"] = store.state().halted_by;
  json["services"] = Json::array();
  for (const auto& service : config.services) {
    Json entry = service_json(source, service, store.state(), plan);
    const auto end = holder.end_of(membership::service_lease(service.name), entry["epoch"].get<std::uint64_t>());
    if (end && entry["owner"] == self->name) entry["lease_ms_left"] = std::max<std::int64_t>(0, to_ms(*end - now));
    auto failures = failures_json(store.state(), service.name, [&](const std::string& node) {
      const auto at = fades_at(service, node);
      return at == never ? std::int64_t{-1} : std::max<std::int64_t>(0, to_ms(at - now));
    });
    if (!failures.empty()) entry["failures"] = std::move(failures);
    json["services"].push_back(std::move(entry));
  }
  json["volumes"] = Json::array();
  for (const auto& volume : config.volumes) json["volumes"].push_back(volume_json(source, volume, store.state(), plan));
  fencing_json(json);
  return json.dump();
}

}  // namespace bascule::manager
