// The operations of a resource as configured: timeouts, on-fail, recurring monitors.
#include "core/policy/operations.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/policy/detail/steps.h"
#include "core/policy/detail/words.h"
#include "wire/cib/times.h"

namespace bascule::policy::detail {
namespace {

std::uint32_t interval_of(const cib::Operation& operation) {
  return static_cast<std::uint32_t>(cib::parse_interval_ms(operation.interval).value_or(0));
}

bool enabled(const cib::Operation& operation) {
  const std::string* word = cib::find(operation.attributes, "enabled");
  return word == nullptr || truth(*word);
}

/// on-fail of a demotion is that of the promoted role's monitor, if nobody says otherwise; only what stands in the
/// operation itself counts.
std::string inherited_on_fail(const Resource& resource) {
  if (resource.definition == nullptr) return "";
  for (const cib::Operation& each : resource.definition->operations) {
    if (each.name != "monitor" || interval_of(each) == 0 || !enabled(each)) continue;
    const std::string on_fail = cib::value_of(each.attributes, "on-fail");
    if (role_of(cib::value_of(each.attributes, "role")) == Role::Promoted && !on_fail.empty() && on_fail != "demote")
      return on_fail;
  }
  return "";
}

/// Empty: nothing is said, or something that this operation cannot have.
std::string on_fail_word(const Resource& resource, std::string_view task, std::uint32_t interval_ms, const Meta& meta) {
  const std::string* word = find(meta, "on-fail");
  if (word == nullptr) return task == "demote" ? inherited_on_fail(resource) : "";
  if (task == "stop" && (*word == "standby" || *word == "stop")) return "";
  if (*word != "demote") return *word;
  const std::string* role = find(meta, "role");
  const bool promoted_monitor =
      task == "monitor" && interval_ms != 0 && role != nullptr && role_of(*role) == Role::Promoted;
  return task == "promote" || promoted_monitor ? "demote" : "";
}

/// nullopt: the word means nothing for this resource.
std::optional<OnFail> on_fail_from(const Board& board, const Resource& resource, const std::string& word) {
  if (word == "block") return OnFail::block;
  if (word == "fence") return board.properties.fencing ? OnFail::fence : OnFail::stop;
  if (word == "standby") return OnFail::standby;
  if (word == "ignore" || word == "nothing") return OnFail::ignore;
  if (word == "migrate") return OnFail::migrate;
  if (word == "stop") return OnFail::stop;
  if (word == "restart") return OnFail::recover;
  if (word == "demote") return OnFail::demote;
  if (word == "restart-container" && resource.container != kNone) return OnFail::restart_container;
  return std::nullopt;
}

}  // namespace

std::string operation_key(std::string_view resource, std::string_view task, std::uint32_t interval_ms) {
  std::string key(resource);
  key.append("_").append(task).append("_").append(std::to_string(interval_ms));
  return key;
}

KeyParts parse_key(std::string_view key) {
  KeyParts parts;
  const std::size_t last = key.rfind('_');
  if (last == std::string_view::npos || last == 0) return parts;
  const std::string_view number = key.substr(last + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), parts.interval_ms);
  if (error != std::errc{} || end != number.data() + number.size()) return parts;
  std::string_view rest = key.substr(0, last);
  std::size_t task = std::string_view::npos;
  for (const std::string_view known :
       {"_migrate_to", "_migrate_from", "_lrm_delete", "_pre_notify_start", "_post_notify_start"})
    if (rest.size() > known.size() && rest.substr(rest.size() - known.size()) == known)
      task = rest.size() - known.size();
  if (task == std::string_view::npos) task = rest.rfind('_');
  if (task == std::string_view::npos) return parts;
  parts.resource = rest.substr(0, task);
  parts.task = rest.substr(task + 1);
  parts.valid = true;
  return parts;
}

const cib::Operation* find_operation(const Resource& resource, std::string_view task, std::uint32_t interval_ms,
                                     bool disabled_too) {
  if (resource.definition == nullptr) return nullptr;
  for (const cib::Operation& each : resource.definition->operations)
    if (each.name == task && interval_of(each) == interval_ms && (disabled_too || enabled(each))) return &each;
  return nullptr;
}

Meta operation_meta(const Board& board, const Resource& resource, const cib::Operation* definition,
                    std::string_view task, std::uint32_t interval_ms) {
  Meta meta;
  if (definition != nullptr) {
    for (const auto& [name, value] : definition->attributes) meta[name] = value;
    for (auto& [name, value] : resolve(board, definition->meta)) meta.try_emplace(name, value);
  }
  for (auto& [name, value] : resolve_for(board, board.snapshot.cib->operation_defaults, resource, task, interval_ms))
    meta.try_emplace(name, value);
  return meta;
}

OnFail on_fail_of(const Board& board, const Resource& resource, std::string_view task, std::uint32_t interval_ms,
                  const cib::Operation* definition) {
  const Meta meta = operation_meta(board, resource, definition, task, interval_ms);
  const std::optional<OnFail> said = on_fail_from(board, resource, on_fail_word(resource, task, interval_ms, meta));
  if (!said && resource.container != kNone) return OnFail::restart_container;
  // Whatever ends a connection to a remote node needs fencing; of one that is not managed no other word is taken.
  const bool probe = task == "monitor" && interval_ms == 0;
  if ((!said || !resource.managed) && resource.remote_node != kNone && !probe && task != "start")
    return resource.managed ? OnFail::reset_remote : OnFail::stop;
  if (said) return *said;
  if (task == "stop") return board.properties.fencing ? OnFail::fence : OnFail::block;
  return OnFail::recover;
}

Role fail_role_of(OnFail on_fail, std::string_view task) {
  if (on_fail == OnFail::stop) return Role::Stopped;
  return task == "promote" ? Role::Unpromoted : Role::Started;
}

bool blocking_failure(const Board& board, const Resource& resource) {
  for (const cib::NodeState& state : board.snapshot.cib->node_states)
    for (const cib::ResourceHistory& history : state.resources) {
      if (history.id != resource.history_id && history.id != resource.id) continue;
      for (const cib::OperationResult& result : history.operations) {
        if (result.id.find("_last_failure_0") == std::string::npos) continue;
        const cib::Operation* definition = find_operation(resource, result.operation, result.interval_ms, true);
        if (definition != nullptr && cib::value_of(definition->attributes, "on-fail") == "block") return true;
      }
    }
  return false;
}

std::vector<Recurring> recurring_operations(const Board& board, const Resource& resource) {
  std::vector<Recurring> found;
  if (resource.definition == nullptr) return found;
  for (const cib::Operation& each : resource.definition->operations) {
    const std::uint32_t interval_ms = interval_of(each);
    if (interval_ms == 0 || !enabled(each)) continue;
    // Which of two with one interval is meant nobody can know: neither is run.
    const auto doubles = std::count_if(
        resource.definition->operations.begin(), resource.definition->operations.end(),
        [&](const cib::Operation& other) { return other.name == each.name && interval_of(other) == interval_ms; });
    if (doubles > 1) continue;
    const std::string role = cib::value_of(each.attributes, "role");
    found.push_back({&each, each.name, operation_key(resource.id, each.name, interval_ms), interval_ms,
                     role.empty() ? Role::Unknown : role_of(role)});
  }
  static_cast<void>(board);
  return found;
}

}  // namespace bascule::policy::detail
