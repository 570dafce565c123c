// How often a resource failed on a node, what is forgotten, and what follows from it.
#include "core/policy/detail/failures.h"

#include <algorithm>
#include <charconv>

#include "core/policy/detail/bundle.h"
#include "core/policy/detail/steps.h"
#include "core/policy/operations.h"

namespace bascule::policy::detail {
namespace {

/// Failures are counted for the instance; those of anonymous clones have none of their own.
bool is_unique(const Board& board, ResourceId id) {
  return board.resource(id).unique || board.resource(board.top_of(id)).variant != Variant::clone;
}

std::string base_name(const Resource& resource, bool unique) {
  if (unique) return resource.history_id;
  return resource.history_id.substr(
      0, resource.history_id.rfind(':') == std::string::npos ? std::string::npos : resource.history_id.rfind(':'));
}

/// Whether `attribute` is `prefix` + the resource, + #task_interval or nothing.
bool names(std::string_view attribute, std::string_view prefix, const std::string& resource, bool unique) {
  if (attribute.substr(0, prefix.size()) != prefix) return false;
  attribute.remove_prefix(prefix.size());
  if (attribute.substr(0, resource.size()) != resource) return false;
  attribute.remove_prefix(resource.size());
  if (!unique && !attribute.empty() && attribute[0] == ':') {
    attribute.remove_prefix(1);
    while (!attribute.empty() && attribute[0] >= '0' && attribute[0] <= '9') attribute.remove_prefix(1);
  }
  return attribute.empty() || attribute[0] == '#';
}

std::int64_t seconds_of(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool blocks(const Board& board, const Resource& resource) {
  if (resource.definition == nullptr) return false;
  return std::any_of(resource.definition->operations.begin(), resource.definition->operations.end(),
                     [](const cib::Operation& each) { return cib::value_of(each.attributes, "on-fail") == "block"; }) &&
         blocking_failure(board, resource);
}

}  // namespace

FailCount fail_count(Board& board, ResourceId id, NodeId node, bool effective) {
  Resource& resource = board.resource(id);
  const bool unique = is_unique(board, id);
  const std::string name = base_name(resource, unique);
  FailCount found;
  for (const auto& [attribute, value] : board.node(node).attributes) {
    if (names(attribute, "fail-count-", name, unique)) found.count = add(found.count, parse_score(value).value_or(0));
    if (names(attribute, "last-failure-", name, unique)) found.last_s = std::max(found.last_s, seconds_of(value));
  }
  if (found.count > 0 && resource.failure_timeout_s > 0 && blocks(board, resource)) resource.failure_timeout_s = 0;
  const bool old = resource.failure_timeout_s > 0 && found.last_s > 0 &&
                   board.snapshot.now_s > found.last_s + resource.failure_timeout_s;
  if (effective && old) found.count = 0;
  return found;
}

FailCount fail_count_with_fillers(Board& board, ResourceId id, NodeId node) {
  FailCount found = fail_count(board, id, node, true);
  if (bundled(board, id)) return found;  // a replica's connection fails for itself
  for (const ResourceId filler : board.resource(id).fillers) {
    const FailCount inside = fail_count(board, filler, node, true);
    found.count = add(found.count, inside.count);
    found.last_s = std::max(found.last_s, inside.last_s);
  }
  return found;
}

bool threshold_reached(Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  if (resource.migration_threshold == 0 || resource.failure_ignored) return false;
  const FailCount failures = fail_count_with_fillers(board, id, node);
  return failures.count > 0 && resource.migration_threshold <= failures.count;
}

bool worse(OnFail left, OnFail right) {
  static constexpr OnFail rising[] = {OnFail::ignore,       OnFail::demote,  OnFail::recover, OnFail::restart_container,
                                      OnFail::reset_remote, OnFail::migrate, OnFail::block,   OnFail::standby,
                                      OnFail::stop,         OnFail::fence};
  const auto rank = [](OnFail which) {
    return std::find(std::begin(rising), std::end(rising), which) - std::begin(rising);
  };
  return rank(left) > rank(right);
}

}  // namespace bascule::policy::detail
