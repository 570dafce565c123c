// Changed parameters and agents: what is reloaded, restarted, cancelled or forgotten because of them.
#include "core/policy/detail/changes.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/policy/detail/assign.h"
#include "core/policy/detail/bundle.h"
#include "core/policy/detail/failures.h"
#include "core/policy/detail/history.h"
#include "core/policy/detail/make_action.h"
#include "core/policy/detail/schedule.h"
#include "core/policy/detail/steps.h"
#include "core/policy/detail/unfencing.h"
#include "core/policy/operations.h"
#include "wire/cib/digest.h"
#include "wire/cib/times.h"

namespace bascule::policy::detail {
namespace {

enum class Digest : std::uint8_t { match, unknown, all, restart };

/// As the address of a connection into a bundle: that of the container's host.
constexpr std::string_view kHostName = "#uname";

// ---- what an operation would be given now -------------------------------------------------------------------------

/// The timeout is part of a recurring operation: only by running it anew does it come to be used.
std::string timeout_ms(const Board& board, const Resource& resource, const cib::OperationResult& result,
                       const Meta& parameters) {
  const cib::Operation* definition = find_operation(resource, result.operation, result.interval_ms, true);
  const Meta meta = operation_meta(board, resource, definition, result.operation, result.interval_ms);
  const auto written = meta.find("timeout");
  std::string word = written == meta.end() ? "20s" : written->second;
  const auto of_device = parameters.find("pcmk_monitor_timeout");
  if (resource.fence_device && result.operation == "monitor" && of_device != parameters.end()) word = of_device->second;
  return std::to_string(cib::parse_interval_ms(word).value_or(20'000));
}

Meta resource_parameters(const Board& board, ResourceId id, NodeId node) {
  Meta all;
  for (ResourceId each = id; each != kNone; each = board.resource(each).parent)
    if (board.resource(each).definition != nullptr)
      for (auto& [name, value] : resolve(board, board.resource(each).definition->parameters, node))
        all.try_emplace(name, value);
  const auto address = all.find("addr");
  if (address != all.end() && address->second == kHostName && made_for_bundle(board, id)) {
    // A replica without an address is reached by its host: the one to come, or else the one that is.
    const ResourceId container = board.resource(id).container;
    NodeId host = container == kNone ? kNone : board.resource(container).node;
    if (host == kNone && container != kNone) host = current_node(board, container);
    if (host != kNone) address->second = board.node(host).name;
  }
  return all;
}

Meta operation_parameters(const Board& board, ResourceId id, NodeId node, const cib::OperationResult& result) {
  const Resource& resource = board.resource(id);
  Meta all;
  if (const cib::Operation* definition = find_operation(resource, result.operation, result.interval_ms, true))
    all = resolve(board, definition->parameters, node);
  const Meta own = resource_parameters(board, id, node);
  all.insert(own.begin(), own.end());
  std::erase_if(all, [](const auto& each) { return each.first.rfind("CRM_meta_", 0) == 0; });
  if (result.interval_ms > 0) all["CRM_meta_timeout"] = timeout_ms(board, resource, result, own);
  return all;
}

std::string digest_of(const Meta& parameters) {
  cib::DigestPairs pairs;
  for (const auto& [name, value] : parameters) pairs.emplace_back(name, value);
  return cib::digest_of_parameters(std::move(pairs));
}

/// The agent lists, with spaces around each, what it cannot reload.
std::string restart_digest_of(Meta parameters, const std::string& not_reloadable) {
  if (!not_reloadable.empty())
    std::erase_if(parameters,
                  [&](const auto& each) { return not_reloadable.find(" " + each.first + " ") == std::string::npos; });
  return digest_of(parameters);
}

/// Whether the result says something of what cannot be reloaded, and it is not as it says. Only the first result of an
/// operation is asked what that is: if it does not say, it counts for no other either.
bool needs_restart(Board& board, ResourceId id, NodeId node, const cib::OperationResult& result, const Meta& now) {
  const bool failure_expired = std::count(board.rescheduled.begin(), board.rescheduled.end(), &result) != 0;
  const bool says = failure_expired || !result.op_restart_digest.empty();
  std::optional<std::string> own;
  if (says) own = result.op_force_restart;
  const auto [asked, first] = board.not_reloadable.try_emplace({id, node, result.operation_key}, own);
  if (!says || !asked->second) return false;
  return failure_expired || restart_digest_of(now, *asked->second) != result.op_restart_digest;
}

Digest compare(Board& board, ResourceId id, NodeId node, const cib::OperationResult& result) {
  const Meta now = operation_parameters(board, id, node, result);
  if (needs_restart(board, id, node, result, now)) return Digest::restart;
  if (result.op_digest.empty()) return Digest::unknown;
  if (digest_of(now) == result.op_digest) return Digest::match;
  // A reload would not hand over what is configured for this operation alone.
  const cib::Operation* definition = find_operation(board.resource(id), result.operation, result.interval_ms, true);
  const bool own = definition != nullptr && !resolve(board, definition->parameters, node).empty();
  return result.interval_ms == 0 && own ? Digest::restart : Digest::all;
}

bool differs(Board& board, ResourceId id, NodeId node, const cib::OperationResult& result) {
  const Digest digest = compare(board, id, node, result);
  return digest != Digest::match && digest != Digest::unknown;
}

/// The connection into a bundle without addresses: while it is not known where its container runs, its parameters are
/// not either.
bool reached_by_host(const Board& board, ResourceId id) {
  if (!made_for_bundle(board, id) || board.resource(id).definition == nullptr) return false;
  const Meta parameters = resolve(board, board.resource(id).definition->parameters);
  const auto address = parameters.find("addr");
  return address != parameters.end() && address->second == kHostName;
}

/// What a device is told about its own use; older versions did not count it.
bool is_fencing_parameter(std::string_view name) {
  if (name == "provides" || name == "stonith-timeout") return true;
  if (name.substr(0, 5) != "pcmk_") return false;
  name.remove_prefix(5);
  for (const std::string_view known :
       {"action_limit", "delay_base", "delay_max", "host_argument", "host_check", "host_list", "host_map"})
    if (name == known) return true;
  const std::size_t end = name.find('_');
  const std::string_view about = end == std::string_view::npos ? std::string_view() : name.substr(end);
  return about == "_action" || about == "_timeout" || about == "_retries";
}

/// Before 3.16.0 timeouts and what concerns fencing alone were left out.
bool is_old(const std::string& feature_set) {
  int major = 0;
  int minor = 0;
  const char* end = feature_set.data() + feature_set.size();
  const auto [at, error] = std::from_chars(feature_set.data(), end, major);
  if (error == std::errc{} && at != end) std::from_chars(at + 1, end, minor);
  return major < 3 || (major == 3 && minor < 16);
}

/// A CIB that was handed on has its secrets replaced: that they differ is no change.
bool only_secrets_differ(const Board& board, ResourceId id, NodeId node, const cib::OperationResult& result) {
  if (result.op_secure_digest.empty()) return false;
  const bool old = is_old(result.feature_set);
  Meta open = old ? resource_parameters(board, id, node) : operation_parameters(board, id, node, result);
  std::erase_if(open, [&](const auto& each) {
    return result.op_secure_params.find(" " + each.first + " ") != std::string::npos ||
           each.first.rfind("CRM_meta_", 0) == 0 ||
           (old && board.resource(id).fence_device && is_fencing_parameter(each.first));
  });
  if (!old && result.interval_ms > 0)
    open["CRM_meta_timeout"] = timeout_ms(board, board.resource(id), result, resource_parameters(board, id, node));
  return digest_of(open) == result.op_secure_digest;
}

// ---- what follows -------------------------------------------------------------------------------------------------

void cancel(Board& board, ResourceId id, NodeId node, const cib::OperationResult& result, std::string_view reason) {
  const ActionId made = make_cancel(board, id, result.operation, result.interval_ms, node);
  board.action(made).reason = reason;
  order_later(board, id, operation_key(board.resource(id).id, "stop", 0), kNone, id, "", made, order_optional);
}

void reload(Board& board, ResourceId id, NodeId node) {
  Resource& resource = board.resource(id);
  if (!resource.managed || resource.failed) return;
  if (resource.start_pending) return require_stop(board, id, node);
  resource.reload_needed = true;
  const ActionId made = make_simple(board, id, "reload-agent", node, false);
  board.action(made).reason = "resource definition change";
  for (const char* task : {"stop", "demote"})
    order_later(board, id, "", made, id, operation_key(board.resource(id).id, task, 0), kNone,
                order_optional | order_then_cancels_first);
}

void run_again(Board& board, ResourceId id, NodeId node, const cib::OperationResult& result) {
  const std::string key = operation_key(board.resource(id).id, result.operation, result.interval_ms);
  const ActionId made = make_action(board, id, key, result.operation, node, true);
  board.action(made).reschedule = true;
}

/// Wherever it is to be by then.
void require_again(Board& board, ResourceId id, std::string_view task, std::uint32_t interval_ms) {
  const std::string key = operation_key(board.resource(id).id, task, interval_ms);
  const ActionId made = make_action(board, id, key, task, kNone, false);
  board.action(made).reason = "resource definition change";
}

/// Returns whether something is different.
bool check_result(Board& board, ResourceId id, NodeId node, const cib::OperationResult& result) {
  const Resource& resource = board.resource(id);
  if (result.interval_ms > 0 && find_operation(resource, result.operation, result.interval_ms) == nullptr) {
    if (board.properties.cancel_orphan_actions) cancel(board, id, node, result, "orphan");
    return true;
  }
  // A result without a digest counts as one with other parameters.
  const Digest digest = compare(board, id, node, result);
  if (digest == Digest::match || only_secrets_differ(board, id, node, result)) return false;
  switch_on_anew(board, id, node, "Device parameters changed");
  if (digest != Digest::restart && result.interval_ms > 0)
    run_again(board, id, node, result);
  else if (digest != Digest::restart && !result.op_restart_digest.empty())
    reload(board, id, node);
  else if (result.interval_ms > 0)
    require_again(board, id, result.operation, result.interval_ms);
  else
    require_again(board, id, "start", 0);  // that a role or a probe came from
  return true;
}

// ---- histories ----------------------------------------------------------------------------------------------------

bool agent_changed(const Resource& resource, const cib::ResourceHistory& history) {
  return history.type != resource.type || history.provider != resource.provider ||
         history.resource_class != resource.resource_class;
}

/// What has run since the last start or change of role.
std::vector<const cib::OperationResult*> current_results(const cib::ResourceHistory& history) {
  std::vector<const cib::OperationResult*> results = in_order(history);
  const auto [start, stop] = activity(results);
  if (start < stop) return {};
  results.erase(results.begin(), results.begin() + std::max<std::ptrdiff_t>(start, 0));
  return results;
}

void check_and_forget(Board& board, ResourceId id, NodeId node, const cib::OperationResult& result) {
  if (check_result(board, id, node, result) && fail_count(board, id, node, true).count != 0)
    clear_fail_count(board, id, node, "action definition changed");
}

void check_active(Board& board, ResourceId id, NodeId node, const cib::ResourceHistory& history) {
  for (const cib::OperationResult* result : current_results(history)) {
    const Resource& resource = board.resource(id);
    if (result->interval_ms > 0 && (resource.maintenance || board.node(node).maintenance)) {
      cancel(board, id, node, *result, "maintenance mode");
      continue;
    }
    const bool tells = result->interval_ms > 0 || result->operation == "monitor" || result->operation == "start" ||
                       result->operation == "promote" || result->operation == "migrate_from";
    if (!tells) continue;
    if (reached_by_host(board, id))
      board.later_checks.push_back({id, node, result, false});
    else
      check_and_forget(board, id, node, *result);
  }
}

void check_history(Board& board, ResourceId id, NodeId node, const cib::ResourceHistory& history) {
  const Resource& resource = board.resource(id);
  if (resource.orphan) {
    const Resource& top = board.resource(board.top_of(id));
    if (top.variant != Variant::clone || top.unique) schedule_cleanup(board, id, node, false);
    return;
  }
  const bool here = std::count(resource.running_on.begin(), resource.running_on.end(), node) != 0;
  if (agent_changed(resource, history)) {
    if (here) {
      require_stop(board, id, node);
      board.resource(id).start_pending = true;
    }
    schedule_cleanup(board, id, node, false);
  }
  if (here) check_active(board, id, node, history);
}

}  // namespace

void schedule_cleanup(Board& board, ResourceId id, NodeId node, bool optional) {
  const Node& place = board.node(node);
  if (board.resource(id).failed || place.unclean || !place.online) return;
  make_simple(board, id, "delete", node, optional);
  const OrderFlags flags = optional ? order_implies_then : order_optional;
  order_tasks(board, id, "stop", id, "delete", flags);
  order_tasks(board, id, "delete", id, "start", flags);
}

std::string digest_now(const Board& board, ResourceId resource, NodeId node, const cib::OperationResult& result) {
  return digest_of(operation_parameters(board, resource, node, result));
}

bool parameters_changed(Board& board, ResourceId resource, NodeId node, const cib::OperationResult& result) {
  if (result.operation != "start" && result.operation != "monitor") return false;
  if (reached_by_host(board, resource)) {
    board.later_checks.push_back({resource, node, &result, true});
    return false;
  }
  return differs(board, resource, node, result);
}

void check_changes_of_placed(Board& board) {
  for (const LaterCheck& check : std::vector<LaterCheck>(board.later_checks)) {
    if (!check.failure)
      check_and_forget(board, check.resource, check.node, *check.result);
    else if (differs(board, check.resource, check.node, *check.result))
      clear_fail_count(board, check.resource, check.node, "resource parameters have changed");
  }
}

ActionId clear_fail_count(Board& board, ResourceId resource, NodeId node, std::string_view reason) {
  const std::string key = operation_key(board.resource(resource).id, "clear_failcount", 0);
  const ActionId made = make_action(board, resource, key, "clear_failcount", node, false);
  board.action(made).reason = reason;
  return made;
}

void forget_orphaned_failures(Board& board) {
  for (ResourceId id = 0; id < board.resources.size(); ++id) {
    if (!board.resource(id).orphan || board.resource(id).parent != kNone) continue;
    for (NodeId node = 0; node < board.nodes.size(); ++node) {
      if (!board.node(node).online || fail_count(board, id, node, true).count == 0) continue;
      const ActionId forget = clear_fail_count(board, id, node, "it is orphaned");
      order_later(board, id, "", forget, id, operation_key(board.resource(id).id, "stop", 0), kNone, order_optional);
    }
  }
}

void check_changes(Board& board) {
  std::map<std::string, std::vector<ResourceId>, std::less<>> named;
  for (ResourceId id = 0; id < board.resources.size(); ++id) {
    const Resource& resource = board.resource(id);
    if (!resource.primitive()) continue;
    named[resource.history_id].push_back(id);
    if (resource.id != resource.history_id) named[resource.id].push_back(id);
  }
  for (NodeId node = 0; node < board.nodes.size(); ++node) {
    const Node& place = board.node(node);
    if (place.state == nullptr || (!board.usable(node) && !place.maintenance)) continue;
    for (const cib::ResourceHistory& history : place.state->resources) {
      if (history.operations.empty()) continue;
      const auto found = named.find(history.id);
      if (found == named.end()) continue;
      for (const ResourceId id : found->second) check_history(board, id, node, history);
    }
  }
}

}  // namespace bascule::policy::detail
