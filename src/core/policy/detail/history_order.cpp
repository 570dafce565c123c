// In which order recorded operations happened.
#include <charconv>
#include <iterator>
#include <string_view>

#include "core/policy/detail/history.h"

namespace bascule::policy::detail {
namespace {

struct Origin {
  std::string_view cluster;  ///< empty: unknown
  int graph = -1;
};

/// Which transition asked for it: STATUS:RC;ACTION:GRAPH:TARGET:UUID.
Origin origin_of(const cib::OperationResult& result) {
  std::string_view key = result.transition_magic;
  Origin origin;
  const std::size_t semicolon = key.find(';');
  if (semicolon == std::string_view::npos) return origin;
  key.remove_prefix(semicolon + 1);
  const std::size_t first = key.find(':');
  if (first == std::string_view::npos) return origin;
  std::from_chars(key.data() + first + 1, key.data() + key.size(), origin.graph);
  const std::size_t last = key.rfind(':');
  origin.cluster = key.substr(last + 1);
  return origin;
}

int sign(std::int64_t left, std::int64_t right) { return left < right ? -1 : left > right ? 1 : 0; }

int compare_pending(const cib::OperationResult& left, const cib::OperationResult& right) {
  const Origin a = origin_of(left);
  const Origin b = origin_of(right);
  if (a.cluster.empty() || b.cluster.empty()) return 0;
  if (a.cluster != b.cluster || a.graph == b.graph) return right.call_id == -1 ? -1 : left.call_id == -1 ? 1 : 0;
  // A graph of -1 is a shutdown: always last.
  if ((a.graph >= 0 && a.graph < b.graph) || b.graph == -1) return -1;
  return (b.graph >= 0 && a.graph > b.graph) || a.graph == -1 ? 1 : 0;
}

int compare(const cib::OperationResult& left, const cib::OperationResult& right, bool same_node) {
  if (same_node && left.call_id == -1 && right.call_id == -1) return 0;
  if (left.call_id >= 0 && right.call_id >= 0) {
    if (same_node && left.call_id != right.call_id) return sign(left.call_id, right.call_id);
    return left.has_last_change && right.has_last_change ? sign(left.last_change_s, right.last_change_s) : 0;
  }
  return compare_pending(left, right);
}

using Results = std::vector<const cib::OperationResult*>;

Results merge_sorted(const Results& results) {
  if (results.size() < 2) return results;
  const auto middle = results.begin() + static_cast<std::ptrdiff_t>(results.size() / 2);
  const Results left = merge_sorted(Results(results.begin(), middle));
  const Results right = merge_sorted(Results(middle, results.end()));
  Results merged;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < left.size() && j < right.size())
    merged.push_back(compare(*left[i], *right[j], true) <= 0 ? left[i++] : right[j++]);
  merged.insert(merged.end(), left.begin() + static_cast<std::ptrdiff_t>(i), left.end());
  merged.insert(merged.end(), right.begin() + static_cast<std::ptrdiff_t>(j), right.end());
  return merged;
}

}  // namespace

std::vector<const cib::OperationResult*> in_order(const cib::ResourceHistory& history) {
  Results results;
  for (auto each = history.operations.rbegin(); each != history.operations.rend(); ++each) results.push_back(&*each);
  return merge_sorted(results);
}

bool later_than(const cib::OperationResult& left, const cib::OperationResult& right, bool same_node) {
  return compare(left, right, same_node) > 0;
}

Activity activity(const std::vector<const cib::OperationResult*>& results) {
  Activity last;
  std::ptrdiff_t found = -1, role = -1;
  for (std::ptrdiff_t i = 0; i < std::ssize(results); ++i) {
    const cib::OperationResult& each = *results[static_cast<std::size_t>(i)];
    if (each.operation == "stop" && each.status == Outcome::done) last.stop = i;
    if (each.operation == "start" || each.operation == "migrate_from") last.start = i;
    if (found <= last.stop && each.operation == "monitor" && (each.rc == 0 || each.rc == 8)) found = i;
    if (each.operation == "promote" || each.operation == "demote") role = i;
  }
  if (last.start < 0) last.start = role < 0 ? found : role;
  return last;
}

}  // namespace bascule::policy::detail
