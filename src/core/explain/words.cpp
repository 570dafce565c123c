// Failures, nodes and causes in words.
#include "core/explain/words.h"

#include <algorithm>
#include <charconv>

#include "wire/cib/times.h"

namespace bascule::explain {
namespace {

using namespace policy::detail;  // NOLINT: this file reads what is there
using policy::Score;
using Kind = Cause::Kind;

constexpr std::int64_t kWhole = 1'000'000'000;

std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j <= right.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t replaced = diagonal + (left[i - 1] == right[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

/// 500000000 is "0.5".
std::string factor_text(std::int64_t factor) {
  std::string digits = std::to_string((factor < 0 ? -factor : factor) % kWhole + kWhole).substr(1);
  while (!digits.empty() && digits.back() == '0') digits.pop_back();
  const std::string whole = std::to_string((factor < 0 ? -factor : factor) / kWhole);
  return (factor < 0 ? "-" : "") + whole + (digits.empty() ? "" : "." + digits);
}

/// Everything that speaks through what is with a resource.
void collect_behind(const Board& board, ResourceId id, std::vector<std::string>& names) {
  for (const std::uint32_t index : board.resource(id).others_with) {
    const std::string& name = board.resource(board.colocations[index].dependent).id;
    if (names.size() > 8 || std::find(names.begin(), names.end(), name) != names.end()) continue;
    names.push_back(name);
    collect_behind(board, board.colocations[index].dependent, names);
  }
}

std::string place_text(const Board& board, const Resource& resource) {
  return resource.node == kNone ? "runs nowhere" : "is on " + board.node(resource.node).name;
}

std::string colocation_name(const std::string& id) {
  if (id.rfind("#group-members", 0) == 0) return "its group";
  return !id.empty() && id[0] == '#' ? "its container" : "colocation " + id;
}

std::string role_wanted(const Board& board, const Contribution& summand) {
  for (const Colocation& each : board.colocations)
    if (each.id == summand.text && each.primary == summand.other)
      return each.primary_role == policy::Role::Promoted ? " promoted" : "";
  return "";
}

std::string colocation_text(const Board& board, const Contribution& summand) {
  const Resource& primary = board.resource(summand.other);
  if (primary.variant == Variant::clone || primary.variant == Variant::bundle)
    return colocation_name(summand.text) + ": where " + primary.id + " is" + role_wanted(board, summand);
  return colocation_name(summand.text) + ": " + primary.id + " " + place_text(board, primary);
}

std::string attraction_text(const Board& board, NodeId node, const Contribution& summand) {
  const Resource& dependent = board.resource(summand.other);
  std::string text = colocation_name(summand.text) + ": " + dependent.id + " is with it and " +
                     (summand.score < 0 ? "avoids " : "prefers ") + board.node(node).name;
  if (summand.factor != kWhole && summand.factor != 0) text += ", times " + factor_text(summand.factor);
  std::vector<std::string> behind;
  collect_behind(board, summand.other, behind);
  return behind.empty() ? text : text + ", together with what is with " + dependent.id + ": " + list_text(behind, 3);
}

std::string failures_text(const Board& board, ResourceId id, NodeId node) {
  const Failures failures = failures_of(board, id, node);
  std::string text = failures.count >= policy::kInfinity ? "a failure that bans it from the node"
                                                         : std::to_string(failures.count) + " failures there";
  if (failures.last_s > 0) text += ", the last at " + time_text(failures.last_s);
  return text + "; migration-threshold is " + policy::text_of(board.resource(id).migration_threshold);
}

std::string health_text(const Board& board, NodeId node) {
  std::string text = "node health";
  for (const auto& [name, value] : board.node(node).attributes)
    if (name.rfind("#health", 0) == 0) text += (text.find('(') == std::string::npos ? " (" : ", ") + name + "=" + value;
  return text.find('(') == std::string::npos ? text : text + ")";
}

/// fail-count-NAME#TASK_INTERVAL, or with an instance's number behind the name.
bool about(std::string_view attribute, std::string_view prefix, const std::string& name) {
  if (attribute.rfind(prefix, 0) != 0) return false;
  attribute.remove_prefix(prefix.size());
  const std::size_t end = attribute.find('#');
  return base_of(std::string(attribute.substr(0, end))) == name;
}

int expected_of(const cib::OperationResult& result) {
  int parts[3] = {0, 0, 0};
  const char* at = result.transition_key.data();
  const char* end = at + result.transition_key.size();
  for (int& part : parts) {
    const auto [rest, error] = std::from_chars(at, end, part);
    if (error != std::errc{} || rest == end || *rest != ':') return -1;
    at = rest + 1;
  }
  return parts[2];
}

bool is_failure(const cib::OperationResult& result) {
  if (result.status > 1) return true;
  const bool degraded = result.rc == 190 || result.rc == 191;
  const bool probe = result.operation == "monitor" && result.interval_ms == 0;
  const int expected = expected_of(result);
  if (result.status != 0 || degraded || expected < 0 || result.rc == expected) return false;
  return !probe || (result.rc != 0 && result.rc != 7 && result.rc != 8);
}

}  // namespace

std::string base_of(const std::string& id) {
  const std::size_t colon = id.rfind(':');
  return colon == std::string::npos ? id : id.substr(0, colon);
}

std::string time_text(std::int64_t epoch_s) {
  const cib::CalendarTime time = cib::calendar_of(epoch_s);
  const auto two = [](int number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  return std::to_string(time.year) + "-" + two(time.month) + "-" + two(time.month_day) + " " + two(time.hours) + ":" +
         two(time.minutes) + ":" + two(time.seconds) + "Z";
}

std::string length_text(std::int64_t length_ms) {
  if (length_ms < 1000) return std::to_string(length_ms) + " ms";
  const std::int64_t seconds = length_ms / 1000;
  if (seconds >= 120) return std::to_string(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
  const std::int64_t tenths = length_ms % 1000 / 100;
  return std::to_string(seconds) + (tenths == 0 ? "" : "." + std::to_string(tenths)) + " s";
}

std::string list_text(const std::vector<std::string>& names, std::size_t most) {
  const std::size_t shown = names.size() <= most ? names.size() : most;
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == names.size();
    text += (i == 0 ? "" : last ? " and " : ", ") + names[i];
  }
  return shown == names.size() ? text : text + " and " + std::to_string(names.size() - shown) + " more";
}

std::string most_like(std::string_view wanted, const std::vector<std::string>& names) {
  std::string best;
  std::size_t least = std::max<std::size_t>(2, wanted.size() / 2) + 1;
  for (const std::string& name : names) {
    if (name.size() > wanted.size() + least || wanted.size() > name.size() + least) continue;
    const std::size_t found = distance(wanted, name);
    if (found < least) {
      least = found;
      best = name;
    }
  }
  return best;
}

std::string node_trouble(const Board& board, NodeId id) {
  const Node& node = board.node(id);
  if (node.is_guest() && board.resource(node.container).node == kNone)
    return "has no place: its container " + board.resource(node.container).id + " runs nowhere";
  if (node.unclean && !node.online) return "is lost and has to be fenced first";
  if (node.unclean) return "has to be fenced" + (node.fence_reason.empty() ? "" : ": " + node.fence_reason);
  if (!node.online) return "is offline";
  if (node.shutdown) return "is shutting down";
  if (node.pending) return "is still joining";
  if (node.standby_on_fail) return "is in standby after a failure (on-fail=standby)";
  if (node.standby) return "is in standby";
  return node.maintenance ? "is in maintenance" : "";
}

Failures failures_of(const Board& board, ResourceId id, NodeId node) {
  const Resource& resource = board.resource(id);
  const std::string name = base_of(resource.id);
  Failures found;
  for (const auto& [attribute, value] : board.node(node).attributes) {
    if (about(attribute, "fail-count-", name))
      found.count = policy::add(found.count, policy::parse_score(value).value_or(0));
    if (!about(attribute, "last-failure-", name)) continue;
    std::int64_t time_s = 0;
    std::from_chars(value.data(), value.data() + value.size(), time_s);
    found.last_s = std::max(found.last_s, time_s);
  }
  if (board.node(node).state == nullptr) return found;
  for (const cib::ResourceHistory& history : board.node(node).state->resources) {
    if (history.id != resource.id && history.id != resource.history_id && history.id != name) continue;
    for (const cib::OperationResult& each : history.operations)
      if (is_failure(each) && (found.result == nullptr || each.call_id > found.result->call_id)) found.result = &each;
  }
  if (found.result != nullptr) found.last_s = std::max(found.last_s, found.result->last_change_s);
  return found;
}

std::string failure_text(const Board& board, ResourceId id, NodeId node) {
  const Failures found = failures_of(board, id, node);
  if (found.result == nullptr) return "";
  const cib::OperationResult& result = *found.result;
  std::string text = result.operation + (result.status == 2 ? " timed out on " : " failed on ") + board.node(node).name;
  if (result.last_change_s > 0) text += " at " + time_text(result.last_change_s);
  text += " (rc " + std::to_string(result.rc);
  if (!result.exit_reason.empty()) text += ", \"" + result.exit_reason + "\"";
  return text + ")";
}

std::string cause_text(const Board& board, ResourceId id, NodeId node, const Contribution& summand) {
  switch (summand.kind) {
    case Kind::location:
      return "location " + summand.text;
    case Kind::stickiness:
      return "stickiness: it runs there";
    case Kind::failures:
      return failures_text(board, summand.other == kNone ? id : summand.other, node);
    case Kind::colocation:
      return colocation_text(board, summand);
    case Kind::attraction:
      return attraction_text(board, node, summand);
    case Kind::health:
      return health_text(board, node);
    case Kind::discovery:
      return "exclusive resource discovery elsewhere";
    case Kind::lock:
      return "shutdown lock: it stays with " +
             (board.resource(id).lock_node == kNone ? "its node" : board.node(board.resource(id).lock_node).name);
    case Kind::target_role:
      return "target-role=Stopped";
    case Kind::ticket:
      return "ticket " + summand.text + " is not granted or in standby";
    case Kind::utilization:
      return "the node has no room for it (utilization)";
    case Kind::promotion:
      return "what its agent says about being promoted there";
    case Kind::clone:
      return "no more instances are wanted there";
    case Kind::container:
      return summand.other == kNone ? "its container" : "it runs with " + board.resource(summand.other).id;
    case Kind::start:
      return "the node is not for it";
    case Kind::taken_back:
    case Kind::other:
      break;
  }
  return summand.text.empty() ? "unknown" : summand.text;
}

}  // namespace bascule::explain
