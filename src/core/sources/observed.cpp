// What the managers know of their cluster, as the status section of a CIB.
#include "core/sources/observed.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/policy/board.h"
#include "core/policy/operations.h"
#include "core/policy/plan.h"

namespace bascule::sources {
namespace {

constexpr int not_running = 7;            ///< OCF_NOT_RUNNING
constexpr const char* current = "10000";  ///< promotion score of an UpToDate replica, as DRBD's agent says

template <typename T>
const T* named(const std::vector<T>& things, const std::string& name) {
  const auto found = std::find_if(things.begin(), things.end(), [&](const T& one) { return one.name == name; });
  return found == things.end() ? nullptr : &*found;
}

bool is_replica(const cib::Resource& resource) { return resource.provider == "bascule" && resource.type == "volume"; }

void say(cib::NameValueSets& sets, const std::string& id, std::string name, std::string value) {
  if (sets.empty()) sets.emplace_back().id = id;
  auto& pairs = sets.front().pairs;
  std::erase_if(pairs, [&](const cib::NameValue& one) { return one.name == name; });
  pairs.push_back({std::move(name), std::move(value)});
}

/// The status of one node.
class NodeStatus {
 public:
  NodeStatus(const Observed& observed, const cib::Node& node) : observed_(observed), name_(node.name) {
    made_.id = node.id;
    made_.name = node.name;
    const auto found = observed.online.find(node.name);
    const bool online = found != observed.online.end();
    if (online) report_ = found->second;
    made_.in_ccm = online ? "true" : "false";
    made_.crmd = online ? "online" : "offline";
    made_.join = made_.expected = online ? "member" : "down";
    made_.has_lrm = true;
  }

  void add(const cib::Resource& top) {
    if (made_.crmd != "online") return;
    if (top.kind == cib::Resource::Kind::clone && is_replica(top.children.front())) return add_replica(top);
    for (const auto& service : observed_.config.services)
      if (!service.is_role && config::written_name(service.name) == top.id && (!service.copy || is_here(service)))
        return add_steps(service, top);
    for_each_primitive(top, [&](const cib::Resource& step) { add_result(step, "monitor", not_running, -1); });
  }

  cib::NodeState made() { return std::move(made_); }

 private:
  template <typename Act>
  static void for_each_primitive(const cib::Resource& resource, const Act& act) {
    if (resource.children.empty()) return act(resource);
    for (const auto& child : resource.children) for_each_primitive(child, act);
  }

  [[nodiscard]] bool is_here(const config::Service& copy) const {
    const auto found = observed_.state.services.find(copy.name);
    return found != observed_.state.services.end() && found->second.owner == name_;
  }

  void add_steps(const config::Service& service, const cib::Resource& top) {
    const auto* told = report_ == nullptr ? nullptr : named(report_->services, service.name);
    std::size_t place = 0;
    for_each_primitive(top, [&](const cib::Resource& step) {
      if (place == service.steps.size()) return;
      const auto& name = service.steps[place++].name;
      const auto* seen = told == nullptr ? nullptr : named(told->steps, name);
      const bool runs = seen != nullptr && seen->state == "Started";
      if (seen != nullptr && seen->stop_ms >= 0) add_result(step, "stop", 0, seen->stop_ms);
      if (runs)
        add_result(step, "start", 0, seen->start_ms);
      else
        add_result(step, "monitor", not_running, -1);
      add_failure(service, name, step);
    });
  }

  void add_failure(const config::Service& service, const std::string& step_name, const cib::Resource& step) {
    const auto state = observed_.state.services.find(service.name);
    if (state == observed_.state.services.end()) return;
    const auto failure = state->second.failures.find(name_);
    if (failure == state->second.failures.end() || failure->second.step != step_name) return;
    const bool start = failure->second.start_failed;
    const auto monitor = std::find_if(step.operations.begin(), step.operations.end(),
                                      [](const cib::Operation& one) { return one.name == "monitor"; });
    const auto interval =
        monitor == step.operations.end() ? "0" : monitor->interval.substr(0, monitor->interval.size() - 2);
    const auto what = step.id + "#" + (start ? std::string("start_0") : "monitor_" + interval);
    tell("fail-count-" + what, start ? "INFINITY" : std::to_string(failure->second.count));
    tell("last-failure-" + what, std::to_string(failure->second.at_ms / 1000));
  }

  void add_replica(const cib::Resource& clone) {
    const auto& replica = clone.children.front();
    const auto volume = std::find_if(
        observed_.config.volumes.begin(), observed_.config.volumes.end(),
        [&](const auto& one) { return clone.id == one.name || clone.id.rfind(one.name + "-volume", 0) == 0; });
    const auto* told = report_ == nullptr || volume == observed_.config.volumes.end()
                           ? nullptr
                           : named(report_->volumes, volume->name);
    if (told == nullptr || !told->attached) return add_result(replica, "monitor", not_running, -1);
    if (told->disk == "UpToDate") tell("master-" + replica.id, current);
    add_result(replica, "start", 0, -1);
    if (told->role == "Primary") add_result(replica, "promote", 0, -1);
  }

  void tell(std::string name, std::string value) {
    say(made_.transient_attributes, "status-" + made_.id, std::move(name), std::move(value));
  }

  void add_result(const cib::Resource& resource, const std::string& operation, int rc, std::int64_t took_ms) {
    auto history = std::find_if(made_.resources.begin(), made_.resources.end(),
                                [&](const cib::ResourceHistory& one) { return one.id == resource.id; });
    if (history == made_.resources.end()) {
      cib::ResourceHistory made;
      made.id = resource.id;
      made.resource_class = resource.resource_class, made.provider = resource.provider, made.type = resource.type;
      made_.resources.push_back(std::move(made));
      history = std::prev(made_.resources.end());
    }
    cib::OperationResult result;
    result.id = resource.id + "_last_" + operation;
    result.operation = operation;
    result.operation_key = resource.id + "_" + operation + "_0";
    result.call_id = ++calls_;
    result.rc = rc;
    result.transition_key = "0:0:" + std::to_string(rc) + ":observed";
    result.transition_magic = "0:" + std::to_string(rc) + ";" + result.transition_key;
    result.exec_time_ms = std::max<std::int64_t>(took_ms, 0);
    result.last_change_s = observed_.now_s;
    result.has_last_change = true;
    history->operations.push_back(std::move(result));
  }

  const Observed& observed_;
  std::string name_;
  const message::NodeReport* report_ = nullptr;
  cib::NodeState made_;
  int calls_ = 0;
};

/// What people have said of services and nodes.
void add_words(cib::Cib& cib, const store::ClusterState& state) {
  for (auto& node : cib.nodes)
    if (const auto found = state.nodes.find(node.name); found != state.nodes.end() && found->second.standby)
      say(node.attributes, "nodes-" + node.id, "standby", "on");
  for (auto& resource : cib.resources) {
    const auto found = state.services.find(resource.id);
    if (found != state.services.end() && found->second.target)
      say(resource.meta, resource.id + "-meta", "target-role",
          *found->second.target == store::Target::Started ? "Started" : "Stopped");
    if (state.maintenance.contains("service:" + resource.id))
      say(resource.meta, resource.id + "-meta", "maintenance", "true");
  }
  for (auto& node : cib.nodes)
    if (state.maintenance.contains("node:" + node.name)) say(node.attributes, "nodes-" + node.id, "maintenance", "on");
  if (state.maintenance.contains("cluster")) say(cib.properties, "bascule", "maintenance-mode", "true");
  if (state.halted) say(cib.properties, "bascule", "stop-all-resources", "true");
}

/// With the parameters it has now: the configuration is the one it was started by.
void add_digests(cib::NodeState& state, const policy::detail::Board& board, policy::detail::ResourceId id,
                 policy::detail::NodeId node) {
  const cib::Resource* definition = board.resource(id).definition;
  for (auto& history : state.resources) {
    if (definition == nullptr || history.id != definition->id) continue;
    for (auto& result : history.operations) result.op_digest = policy::detail::digest_now(board, id, node, result);
  }
}

/// A result without a digest counts as one of another definition.
void add_digests(cib::Cib& cib, std::int64_t now_s) {
  const policy::Plan seen = policy::observe({std::make_shared<const cib::Cib>(cib), now_s, false});
  const policy::detail::Board& board = seen.board();
  for (policy::detail::ResourceId id = 0; id < board.resources.size(); ++id)
    for (const auto node : board.resource(id).running_on)
      for (auto& state : cib.node_states)
        if (board.resource(id).children.empty() && state.name == board.nodes[node].name)
          add_digests(state, board, id, node);
}

}  // namespace

void as_observed(cib::Cib& compiled, const Observed& observed) {
  compiled.has_status = true;
  add_words(compiled, observed.state);
  compiled.node_states.clear();
  for (const auto& node : compiled.nodes) {
    NodeStatus status(observed, node);
    for (const auto& resource : compiled.resources) status.add(resource);
    if (observed.online.contains(node.name) && cib::find(compiled.attributes, "dc-uuid") == nullptr)
      compiled.attributes.emplace_back("dc-uuid", node.id);
    compiled.node_states.push_back(status.made());
  }
  add_digests(compiled, observed.now_s);
}

}  // namespace bascule::sources
