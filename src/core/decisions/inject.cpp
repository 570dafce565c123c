#include "core/decisions/inject.h"

#include <algorithm>

namespace bascule::decisions {
namespace {

using explain::Injection;
using Verb = Injection::Verb;

tl::unexpected<Error> refuse(const Injection& injection, std::string why) {
  return fail("this cannot be supposed of a decision", explain::text_of(injection), std::move(why),
              "node-fail, node-standby, node-online, resource-stop, resource-start, op-fail, quorum-lost");
}

void fail_node(Record& record, const std::string& name) {
  auto& view = record.nodes[name];
  view.online = false;
  view.lost = true;
  view.lease_certainly_over = true;
  view.lease_over_at = std::min(view.lease_over_at, record.now);
}

/// The services that are meant by one of their names in the policy's model: all copies, or the one a step belongs to.
std::vector<const config::Service*> services_of(const Record& record, const std::string& resource) {
  std::vector<const config::Service*> found;
  for (const auto& service : record.config.services) {
    const auto written = config::written_name(service.name);
    const auto is_step = [&](const config::Step& step) { return written + "-" + step.name == resource; };
    if (!service.is_role && (written == resource || std::any_of(service.steps.begin(), service.steps.end(), is_step)))
      found.push_back(&service);
  }
  return found;
}

Result<void> set_target(Record& record, const Injection& injection, store::Target target) {
  const auto services = services_of(record, injection.subject);
  if (services.empty()) return refuse(injection, "it is no service");
  for (const auto* service : services) record.state.services[service->name].target = target;
  return {};
}

Result<void> fail_operation(Record& record, const Injection& injection) {
  const auto services = services_of(record, injection.subject);
  if (services.empty()) return refuse(injection, "it is no step of a service");
  for (const auto* service : services) {
    auto& state = record.state.services[service->name];
    if (service->copy && state.owner != injection.node) continue;
    auto& failure = state.failures[injection.node];
    failure.count += 1;
    failure.start_failed = failure.start_failed || injection.task == "start";
    failure.text = explain::text_of(injection);
  }
  return {};
}

}  // namespace

Result<void> apply(Record& record, const Injection& injection) {
  switch (injection.verb) {
    case Verb::node_fail:
      fail_node(record, injection.subject);
      return {};
    case Verb::node_standby:
      record.state.nodes[injection.subject].standby = true;
      return {};
    case Verb::node_online:
      record.state.nodes[injection.subject].standby = false;
      return {};
    case Verb::resource_stop:
      return set_target(record, injection, store::Target::Stopped);
    case Verb::resource_start:
      return set_target(record, injection, store::Target::Started);
    case Verb::op_fail:
      return fail_operation(record, injection);
    case Verb::quorum_lost:
      record.may_decide = record.leader_known = false;
      return {};
    default:
      return refuse(injection, "the manager has no word for it");
  }
}

}  // namespace bascule::decisions
