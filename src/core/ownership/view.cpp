// What a snapshot says, in the words of the rules.
#include "core/ownership/detail/view.h"

namespace bascule::ownership::detail {
namespace {

template <typename T>
const T& found_or_empty(const std::map<std::string, T>& things, const std::string& name, const T& empty) {
  const auto found = things.find(name);
  return found == things.end() ? empty : found->second;
}

template <typename T>
const T* named(const std::vector<T>& things, const std::string& name) {
  for (const auto& thing : things)
    if (thing.name == name) return &thing;
  return nullptr;
}

/// The first service with a failure on this node whose reaction is "standby"; empty: none.
std::string put_into_standby(const store::ClusterState& state, const std::string& node) {
  for (const auto& [name, service] : state.services)
    if (const auto failure = service.failures.find(node);
        failure != service.failures.end() && failure->second.reaction == "standby")
      return name;
  return {};
}

const NodeView absent{.online = false, .lost = true};
const store::VolumeState new_volume;
const store::ServiceState new_service;
const store::NodeState new_node;

}  // namespace

const NodeView& View::node(const std::string& name) const { return found_or_empty(snapshot_.nodes, name, absent); }
bool View::standby(const std::string& name) const {
  return found_or_empty(snapshot_.state.nodes, name, new_node).standby ||
         !put_into_standby(snapshot_.state, name).empty();
}
std::string View::standby_reason(const std::string& name) const {
  const auto service = put_into_standby(snapshot_.state, name);
  if (service.empty()) return name + " is in standby";
  return name + " is in standby because of a failure there: " + this->service(service).failures.at(name).text;
}
std::string View::standby_hint(const std::string& name) const {
  const auto service = put_into_standby(snapshot_.state, name);
  return service.empty() ? "bascule online " + name : "remove the cause, then: bascule clear " + service;
}
const store::VolumeState& View::volume(const std::string& name) const {
  return found_or_empty(snapshot_.state.volumes, name, new_volume);
}
const store::ServiceState& View::service(const std::string& name) const {
  return found_or_empty(snapshot_.state.services, name, new_service);
}

const message::VolumeReport* View::replica(const std::string& node_name, const std::string& volume_name) const {
  const auto* report = node(node_name).report;
  return report == nullptr ? nullptr : named(report->volumes, volume_name);
}
const message::ServiceReport* View::report(const std::string& node_name, const std::string& service_name) const {
  const auto* report = node(node_name).report;
  return report == nullptr ? nullptr : named(report->services, service_name);
}

bool View::wants_started(const config::Service& service) const {
  return !snapshot_.state.halted && is_wanted(snapshot_.state, service);
}

std::optional<std::string> View::future(const std::string& name) const {
  const auto found = futures_.find(name);
  return found == futures_.end() ? std::nullopt : found->second.node;
}

std::string View::future_why(const std::string& name) const {
  const auto found = futures_.find(name);
  return found == futures_.end() ? "" : found->second.why;
}

std::optional<std::string> View::holder(const config::Service& service) const {
  const auto& owner = this->service(service.name).owner;
  if (owner || !service.volume) return owner;
  const auto& held = volume(*service.volume);
  return held.held_by_hand ? std::nullopt : held.owner;
}

bool View::runs(const config::Service& service) const {
  const auto& state = this->service(service.name);
  if (!state.owner || !online(*state.owner)) return false;
  const auto* told = report(*state.owner, service.name);
  return told != nullptr && told->epoch == state.epoch && told->state == "Started";
}

std::string listed(const std::vector<std::string>& names, const char* last) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? std::string(" ") + last + " " : ", ";
    text += names[i];
  }
  return text;
}

std::vector<std::string> to_vector(const std::set<std::string>& names) { return {names.begin(), names.end()}; }

}  // namespace bascule::ownership::detail

namespace bascule::ownership {

bool is_wanted(const store::ClusterState& state, const config::Service& service) {
  const auto target_of = [&](const std::string& name) {
    const auto found = state.services.find(name);
    return found == state.services.end() ? std::nullopt : found->second.target;
  };
  // What is said of all copies forgets what was said of one before, so the latest word counts.
  const auto own = target_of(service.name);
  const auto target = own || !service.copy ? own : target_of(service.copy->of);
  return target ? *target == store::Target::Started : service.autostart;
}

}  // namespace bascule::ownership
