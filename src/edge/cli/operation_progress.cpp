#include "edge/cli/operation_progress.h"

#include <fmt/format.h>

#include <ostream>
#include <thread>

#include "edge/cli/connection.h"
#include "edge/cli/status_text.h"

namespace bascule::cli {
namespace {

constexpr auto between_looks = std::chrono::milliseconds(50);
constexpr auto told_again_after = std::chrono::seconds(5);
constexpr auto rate_over = std::chrono::seconds(1);
constexpr Duration answer_within = seconds(10);

const json& list_in(const json& status, const char* key) {
  static const json none = json::array();
  const json& list = member(status, key);
  return list.is_array() ? list : none;
}

std::string step_under_way(const json& service) {
  for (const auto& step : list_in(service, "steps"))
    if (const auto state = text(step, "state"); state == "Stopping" || state == "Starting")
      return fmt::format(", {} {}", state == "Stopping" ? "stopping" : "starting", text(step, "name"));
  return "";
}

std::string with_why(const json& service, const std::string& sentence) {
  const auto why = text(service, "why");
  return sentence + step_under_way(service) + (why.empty() ? "" : ": " + why);
}

bool contains(const json& names, const std::string& name) {
  for (const auto& one : names)
    if (one.is_string() && one.get_ref<const std::string&>() == name) return true;
  return false;
}

std::string resync_of(const json& status, const json& before, const json& volume) {
  for (const auto& replica : list_in(volume, "replicas")) {
    const auto total = number(replica, "resync_total_bytes"), done = number(replica, "resync_done_bytes");
    if (total <= 0 || done >= total) continue;
    std::string out = fmt::format("resync of {} at {} %, {} left", text(volume, "name"), done / (total / 100 + 1),
                                  size_text(total - done));
    for (const auto& earlier : list_in(named(member(before, "volumes"), text(volume, "name")), "replicas")) {
      if (text(earlier, "node") != text(replica, "node")) continue;
      const auto took_ms = (number(status, "at_ns") - number(before, "at_ns")) / 1'000'000;
      const auto moved = done - number(earlier, "resync_done_bytes");
      const auto rate = took_ms > 0 ? moved * 1000 / took_ms : 0;
      if (rate > 0) out += fmt::format(", {}/s, done in {}", size_text(rate), age_text((total - done) * 1000 / rate));
    }
    return out;
  }
  return "";
}

}  // namespace

std::vector<std::string> still_on(const json& status, const json& before, const std::string& node) {
  std::vector<std::string> waiting;
  for (const auto& service : list_in(status, "services"))
    if (text(service, "owner") == node)
      waiting.push_back(with_why(service, fmt::format("{} is on {} yet", text(service, "name"), node)));
  for (const auto& volume : list_in(status, "volumes")) {
    if (text(volume, "owner") != node) continue;
    if (flag(volume, "held_by_hand"))
      waiting.push_back(fmt::format("{} is primary on {} by hand (bascule volume secondary {})", text(volume, "name"),
                                    node, text(volume, "name")));
    if (const auto resync = resync_of(status, before, volume); !resync.empty()) waiting.push_back(resync);
  }
  return waiting;
}

std::vector<std::string> still_running(const json& status) {
  std::vector<std::string> waiting;
  for (const auto& service : list_in(status, "services"))
    if (const auto owner = text(service, "owner"); !owner.empty())
      waiting.push_back(fmt::format("{} on {}{}", text(service, "name"), owner, step_under_way(service)));
  for (const auto& volume : list_in(status, "volumes"))
    if (const auto owner = text(volume, "owner"); !owner.empty())
      waiting.push_back(fmt::format("volume {} is primary on {}", text(volume, "name"), owner));
  return waiting;
}

namespace {

/// A copy of a node that is away or in standby: nothing is missing.
bool belongs_to_absent(const json& status, const json& service) {
  const std::string name = text(service, "name");
  if (text(service, "copy_of").empty()) return false;
  const json& node = named(member(status, "nodes"), name.substr(name.find('@') + 1));
  return !node.is_null() && (!flag(node, "online") || flag(node, "standby"));
}

}  // namespace

std::set<std::string> owned_by(const json& status, const std::string& node) {
  std::set<std::string> names;
  for (const auto& service : list_in(status, "services"))
    if (text(service, "owner") == node) names.insert(text(service, "name"));
  return names;
}

std::vector<std::string> not_started(const json& status, const std::optional<std::set<std::string>>& of) {
  std::vector<std::string> waiting;
  for (const auto& service : list_in(status, "services"))
    if ((!of || of->contains(text(service, "name"))) && text(service, "target") == "Started" &&
        text(service, "state") != "Started" && !belongs_to_absent(status, service))
      waiting.push_back(with_why(service, text(service, "name") + " does not run yet"));
  return waiting;
}

std::vector<std::string> reasons_not_to_power_off(const json& status, const std::string& node) {
  std::vector<std::string> reasons = still_on(status, json{}, node);
  const auto& nodes = list_in(status, "nodes");
  std::size_t left = 0;
  for (const auto& one : nodes) left += flag(one, "online") && text(one, "name") != node ? 1 : 0;
  if (2 * left <= nodes.size())
    reasons.push_back(fmt::format("without {} there are {} of {} votes: no majority", node, left, nodes.size()));
  for (const auto& volume : list_in(status, "volumes")) {
    const json& in_sync = member(volume, "in_sync");
    if (!in_sync.is_array() || !contains(in_sync, node)) continue;
    bool another = false;
    for (const auto& one : nodes)
      another = another || (flag(one, "online") && text(one, "name") != node && contains(in_sync, text(one, "name")));
    if (!another) reasons.push_back(fmt::format("nobody else who is online has all of {}", text(volume, "name")));
  }
  return reasons;
}

Result<json> ask_manager(const std::string& socket, const json& request) {
  auto connection = Connection::open(socket);
  if (!connection)
    return fail("no contact with bascule-managerd", connection.error().where, connection.error().why,
                "is it running on this machine, and may you open its socket?");
  return connection->ask(request, answer_within);
}

StatusWatch::StatusWatch(const OperateRequest& request, const Surroundings& surroundings)
    : request_(request), around_(surroundings) {}

std::int64_t StatusWatch::elapsed_ms() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began_).count();
}

void StatusWatch::tell(const std::vector<std::string>& waiting) {
  std::string words;
  for (const auto& one : waiting) words += (words.empty() ? "" : "; ") + one;
  const auto now = std::chrono::steady_clock::now();
  if (request_.as_json || (words == told_ && now < told_at_ + told_again_after)) return;
  told_ = words, told_at_ = now;
  around_.out << fmt::format("{:>8}  {}", age_text(elapsed_ms()), words) << std::endl;
}

Waited StatusWatch::wait(const Look& look) {
  auto sampled_at = std::chrono::steady_clock::now();
  for (;;) {
    const auto answer = ask_manager(request_.socket, {{"op", "status"}});
    bool failed = false;
    if (answer && flag(*answer, "ok")) {
      status_ = *answer;
      const auto waiting = look(status_, before_, failed);
      if (failed) return Waited::Failed;
      if (waiting.empty()) return Waited::Done;
      tell(waiting);
      if (before_.is_null() || std::chrono::steady_clock::now() > sampled_at + rate_over)
        before_ = status_, sampled_at = std::chrono::steady_clock::now();
    } else {
      tell({"no contact with bascule-managerd at the moment"});
    }
    if (milliseconds(elapsed_ms()) >= request_.timeout) return Waited::TimedOut;
    std::this_thread::sleep_for(between_looks);
  }
}

}  // namespace bascule::cli
