// A cluster.toml as the resources and constraints of the policy's model.
#include "core/sources/services.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <utility>

namespace bascule::sources {
namespace {

constexpr const char* infinity = "INFINITY";
constexpr const char* promotion_score = "10000";  ///< of an UpToDate replica, as DRBD's agent says

std::string milliseconds_text(Duration duration) {
  return std::to_string(std::chrono::duration_cast<milliseconds>(duration).count()) + "ms";
}

cib::NameValueSet set_of(std::string id, std::vector<cib::NameValue> pairs) {
  cib::NameValueSet set;
  set.id = std::move(id);
  set.pairs = std::move(pairs);
  return set;
}

class Compiler {
 public:
  explicit Compiler(const config::ClusterConfig& config) : config_(config) {}

  cib::Cib made() {
    cib_.attributes = {{"have-quorum", "1"}, {"crm_feature_set", "3.16.2"}, {"validate-with", "pacemaker-3.9"}};
    cib_.properties.push_back(set_of("bascule", {{"stonith-enabled", "false"}, {"no-quorum-policy", "stop"}}));
    for (const config::Node& node : config_.nodes)
      if (node.role == config::NodeRole::data) add_node(node);
    for (const config::Service& service : config_.services) names_.insert(config::written_name(service.name));
    for (const config::Service& service : config_.services) add_service(service);
    for (const config::Service& service : config_.services) add_relations(service);
    return std::move(cib_);
  }

 private:
  void add_node(const config::Node& node) {
    cib::Node made;
    made.id = std::to_string(node.id);
    made.name = node.name;
    cib_.nodes.push_back(std::move(made));
  }

  std::string unique_name(const std::string& wanted, const std::string& suffix = "") {
    std::string name = wanted;
    for (int number = 1; !names_.insert(name).second; ++number)
      name = wanted + suffix + (number == 1 && !suffix.empty() ? "" : "-" + std::to_string(number));
    return name;
  }

  void add_service(const config::Service& service) {
    if (service.is_role) return prefer(service, service.name, "Promoted");
    if (service.copy) {
      if (service.copy->number == 0) add_clone(service);
      return;
    }
    const std::string volume = service.volume ? add_volume(*config_.volume(*service.volume)) : "";
    if (service.steps.empty()) {
      if (!volume.empty()) prefer(service, volume, "Promoted");
      return;
    }
    add_group(service);
    prefer(service, service.name, "");
    if (!volume.empty()) bind(service.name, volume);
  }

  std::string add_volume(const config::Volume& volume) {
    cib::Resource replica;
    const std::string name = unique_name(volume.name, "-volume");
    replica.id = unique_name(name + "-replica");
    replica.resource_class = "ocf";
    replica.provider = "bascule";
    replica.type = "volume";
    cib::Resource clone;
    clone.kind = cib::Resource::Kind::clone;
    clone.id = name;
    clone.meta.push_back(set_of(name + "-meta", {{"promotable", "true"},
                                                 {"clone-max", std::to_string(volume.disk.size())},
                                                 {"clone-node-max", "1"},
                                                 {"promoted-max", "1"}}));
    clone.children.push_back(std::move(replica));
    cib_.resources.push_back(std::move(clone));
    for (const cib::Node& node : cib_.nodes)
      if (!volume.disk.contains(node.name)) add_location(name + "-not-on-" + node.name, name, node.name, "-INFINITY");
    return name;
  }

  /// All copies of a service, by the first of them.
  void add_clone(const config::Service& copy) {
    config::Service one = copy;
    one.name = copy.copy->of;
    cib::Resource clone;
    clone.kind = cib::Resource::Kind::clone;
    clone.id = one.name;
    std::vector<cib::NameValue> meta{{"clone-max", std::to_string(copy.copy->count)},
                                     {"clone-node-max", "1"},
                                     {"interleave", "true"},
                                     {"migration-threshold", std::to_string(copy.migration_threshold)}};
    if (copy.notify) meta.push_back({"notify", "true"});
    if (copy.promotable) meta.insert(meta.end(), {{"promotable", "true"}, {"promoted-max", "1"}});
    if (!copy.autostart) meta.push_back({"target-role", "Stopped"});
    clone.meta.push_back(set_of(one.name + "-meta", std::move(meta)));
    cib::Resource inside;
    inside.kind = cib::Resource::Kind::group;
    inside.id = unique_name(one.name + "-copy");
    for (const config::Step& step : one.steps) inside.children.push_back(step_of(one, step));
    if (one.steps.size() == 1) inside = cib::Resource(inside.children.front());
    clone.children.push_back(std::move(inside));
    cib_.resources.push_back(std::move(clone));
  }

  /// What runs on several nodes is one clone here, and the Promoted role is a role of it.
  void add_relations(const config::Service& service) {
    if (service.copy && service.copy->number != 0) return;
    for (const auto& name : service.after)
      if (config::written_name(name) != config::written_name(service.name)) add_order(service, name);
    for (const auto& name : service.with)
      if (config::written_name(name) != config::written_name(service.name)) add_colocation(service, name, infinity);
    for (const auto& name : service.apart) add_colocation(service, name, "-INFINITY");
  }

  [[nodiscard]] bool names_a_role(const std::string& name) const {
    const auto* service = config_.service(name);
    return service != nullptr && service->is_role;
  }

  void add_order(const config::Service& service, const std::string& name) {
    const auto mine = config::written_name(service.name), first = config::written_name(name);
    cib::OrderConstraint order;
    order.id = mine + "-after-" + first;
    order.first = first;
    order.first_action = names_a_role(name) ? "promote" : "start";
    order.then = mine;
    order.then_action = "start";
    cib_.constraints.emplace_back(std::move(order));
  }

  void add_colocation(const config::Service& service, const std::string& name, const char* score) {
    const auto mine = config::written_name(service.name), with = config::written_name(name);
    cib::ColocationConstraint colocation;
    colocation.id = mine + (score == infinity ? "-with-" : "-apart-") + with;
    colocation.resource = mine;
    if (service.is_role) colocation.resource_role = "Promoted";
    colocation.with = with;
    if (names_a_role(name)) colocation.with_role = "Promoted";
    colocation.score = score;
    cib_.constraints.emplace_back(std::move(colocation));
  }

  void add_group(const config::Service& service) {
    cib::Resource group;
    group.kind = cib::Resource::Kind::group;
    group.id = service.name;
    const std::uint32_t stickiness = service.stickiness == 0 ? 0 : service.stickiness + 1;
    std::vector<cib::NameValue> meta{{"resource-stickiness", std::to_string(stickiness)},
                                     {"migration-threshold", std::to_string(service.migration_threshold)}};
    if (!service.autostart) meta.push_back({"target-role", "Stopped"});
    group.meta.push_back(set_of(service.name + "-meta", std::move(meta)));
    for (const config::Step& step : service.steps) group.children.push_back(step_of(service, step));
    cib_.resources.push_back(std::move(group));
  }

  cib::Resource step_of(const config::Service& service, const config::Step& step) {
    cib::Resource made;
    made.id = unique_name(service.name + "-" + step.name);
    const bool built_in = step.standard == config::built_in;  // to Pacemaker's tools it is the agent for the same
    made.resource_class = built_in ? "ocf" : step.standard;
    made.provider = built_in ? "heartbeat" : step.provider;
    made.type = !built_in ? step.type : step.type == "mount" ? "Filesystem" : "IPaddr2";
    std::vector<cib::NameValue> parameters;
    for (const auto& [name, value] : step.parameters) parameters.push_back({name, value});
    if (!parameters.empty()) made.parameters.push_back(set_of(made.id + "-parameters", std::move(parameters)));
    add_operation(made, "start", Duration{}, step.start_timeout);
    add_operation(made, "stop", Duration{}, step.stop_timeout);
    if (step.monitor_interval != Duration{})
      add_operation(made, "monitor", step.monitor_interval, step.monitor_timeout);
    if (service.notify) add_operation(made, "notify", Duration{}, step.notify_timeout);
    return made;
  }

  static void add_operation(cib::Resource& resource, const std::string& name, Duration interval, Duration timeout) {
    cib::Operation operation;
    operation.id = resource.id + "-" + name;
    operation.name = name;
    operation.interval = interval == Duration{} ? "0" : milliseconds_text(interval);
    operation.attributes = {{"id", operation.id},
                            {"name", name},
                            {"interval", operation.interval},
                            {"timeout", milliseconds_text(timeout)}};
    resource.operations.push_back(std::move(operation));
  }

  void prefer(const config::Service& service, const std::string& resource, const std::string& role) {
    if (!service.preferred_node) return;
    add_location(service.name + "-prefers-" + *service.preferred_node, resource, *service.preferred_node, "1", role);
  }

  void add_location(std::string id, const std::string& resource, const std::string& node, std::string score,
                    std::string role = "") {
    cib::LocationConstraint location;
    location.id = std::move(id);
    location.resource = resource;
    location.node = node;
    location.score = std::move(score);
    location.role = std::move(role);
    cib_.constraints.emplace_back(std::move(location));
  }

  void bind(const std::string& service, const std::string& volume) {
    cib::ColocationConstraint where;
    where.id = service + "-with-" + volume;
    where.resource = service;
    where.with = volume;
    where.with_role = "Promoted";
    where.score = infinity;
    cib_.constraints.emplace_back(std::move(where));
    cib::OrderConstraint when;
    when.id = service + "-after-" + volume;
    when.first = volume;
    when.first_action = "promote";
    when.then = service;
    when.then_action = "start";
    cib_.constraints.emplace_back(std::move(when));
  }

  const config::ClusterConfig& config_;
  cib::Cib cib_;
  std::set<std::string> names_;
};

/// What the agents of its volumes would say on each node.
std::vector<cib::NameValue> promotion_scores(const cib::Cib& compiled) {
  std::vector<cib::NameValue> scores;
  for (const cib::Resource& resource : compiled.resources)
    if (resource.kind == cib::Resource::Kind::clone)
      scores.push_back({"master-" + resource.children.front().id, promotion_score});
  return scores;
}

}  // namespace

cib::Cib compile(const config::ClusterConfig& config) { return Compiler(config).made(); }

void all_up(cib::Cib& compiled) {
  compiled.has_status = true;
  if (!compiled.nodes.empty()) compiled.attributes.emplace_back("dc-uuid", compiled.nodes.front().id);
  for (const cib::Node& node : compiled.nodes) {
    cib::NodeState state;
    state.id = node.id;
    state.name = node.name;
    state.in_ccm = "true";
    state.crmd = "online";
    state.join = state.expected = "member";
    state.has_lrm = true;
    state.transient_attributes.push_back(set_of("status-" + node.id, promotion_scores(compiled)));
    compiled.node_states.push_back(std::move(state));
  }
}

}  // namespace bascule::sources
