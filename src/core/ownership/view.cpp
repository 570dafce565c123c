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

const NodeView absent{.online = false, .lost = true};
const store::VolumeState new_volume;
const store::ServiceState new_service;
const store::NodeState new_node;

}  // namespace

const NodeView& View::node(const std::string& name) const { return found_or_empty(snapshot_.nodes, name, absent); }
bool View::standby(const std::string& name) const {
  return found_or_empty(snapshot_.state.nodes, name, new_node).standby;
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
  if (snapshot_.state.halted) return false;
  const auto& target = this->service(service.name).target;
  return target ? *target == store::Target::Started : service.autostart;
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
