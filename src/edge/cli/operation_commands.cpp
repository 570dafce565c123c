#include "edge/cli/operation_commands.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ostream>
#include <thread>

#include "edge/cli/connection.h"
#include "edge/cli/failure.h"
#include "edge/cli/operation_progress.h"
#include "edge/cli/status_text.h"

namespace bascule::cli {
namespace {

constexpr auto between_history_looks = std::chrono::milliseconds(300);
constexpr Duration history_within = seconds(20);

/// Who asks, as far as this machine knows: for people, no right depends on it.
std::string who_asks() {
  if (const char* sudo = std::getenv("SUDO_USER"); sudo != nullptr && *sudo != '\0') return sudo;
  const passwd* user = ::getpwuid(::getuid());
  return user != nullptr ? user->pw_name : std::to_string(::getuid());
}

std::int64_t wall_clock_now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// One run of one of the commands.
class Operator {
 public:
  Operator(const OperateRequest& request, const Surroundings& surroundings)
      : request_(request), around_(surroundings) {}

  int maintenance(bool on);
  int drain();
  int restart();
  int stop_all();
  int start_all();
  int history();

 private:
  int failed(const Error& error, int code) const { return tell_failure(error, code, request_.as_json, around_); }
  Result<json> change(const json& request) const;
  int refused_by(const Error& error) const;
  int finish(json result, const std::string& text, int code) const;
  int restart_one(const std::string& service, json& result);
  int restart_each(const std::string& copied);
  int wait_for_restart(const std::string& service, const json& before, json& result);
  int waited(Waited outcome, json result, const std::string& done, const StatusWatch& watch,
             const std::string& failure) const;
  Result<std::string> tell_history(const json& query) const;

  const OperateRequest& request_;
  const Surroundings& around_;
};

int Operator::finish(json result, const std::string& text, int code) const {
  result["ok"] = code == ok;
  if (request_.as_json)
    around_.out << one_line(result) << "\n";
  else
    around_.out << printable(text) << "\n";
  return code;
}

Result<json> Operator::change(const json& request) const {
  auto answer = ask_manager(request_.socket, request);
  if (answer && !flag(*answer, "ok")) return tl::unexpected(error_in(*answer));
  return answer;
}

int Operator::refused_by(const Error& error) const {
  return failed(error, error.what.starts_with("no contact") ? no_contact : refused);
}

int Operator::waited(Waited outcome, json result, const std::string& done, const StatusWatch& watch,
                     const std::string& failure) const {
  result["duration_ms"] = watch.elapsed_ms();
  if (outcome == Waited::Done) return finish(std::move(result), done + " after " + age_text(watch.elapsed_ms()), ok);
  if (outcome == Waited::Failed) return failed({failure, "", "", "bascule status says why"}, refused);
  return failed({fmt::format("not done after {}", age_text(watch.elapsed_ms())), "", "",
                 "it goes on; bascule status shows how far it is"},
                timed_out);
}

int Operator::maintenance(bool on) {
  json request{{"op", "maintenance"}, {"off", !on}, {"by", who_asks()}, {"at_ms", wall_clock_now_ms()}};
  if (!request_.service.empty()) request["service"] = request_.service;
  if (!request_.node.empty()) request["node"] = request_.node;
  if (!request_.reason.empty()) request["reason"] = request_.reason;
  if (!request_.length.empty()) {
    const auto length = parse_length(request_.length);
    if (!length) return failed(length.error(), unusable);
    request["duration_ms"] = to_ms(*length);
  }
  const auto answer = change(request);
  if (!answer) return refused_by(answer.error());
  const std::string what = !request_.service.empty() ? request_.service
                           : !request_.node.empty()  ? "the node " + request_.node
                                                     : "the cluster";
  if (!on) return finish(*answer, "Maintenance of " + what + " is over; what does not run is started again.", ok);
  return finish(
      *answer,
      fmt::format("Maintenance of {} has begun{}: nothing is started, stopped, moved or recovered there. Leases "
                  "and safety go on.",
                  what, request_.length.empty() ? "" : " for " + request_.length),
      ok);
}

int Operator::drain() {
  const auto at_first = ask_manager(request_.socket, {{"op", "status"}});
  if (!at_first) return refused_by(at_first.error());
  const auto answer = change({{"op", "drain"}, {"node", request_.node}});
  if (!answer) return refused_by(answer.error());
  if (request_.no_wait) return finish(*answer, "Committed: " + request_.node + " is left as soon as it can be.", ok);
  StatusWatch watch(request_, around_);
  const auto outcome = watch.wait(
      [&](const json& status, const json& before, bool&) { return still_on(status, before, request_.node); });
  json result{{"node", request_.node}, {"drained", outcome == Waited::Done}};
  if (outcome != Waited::Done) return waited(outcome, result, "", watch, "");
  // What left is only safe once it runs elsewhere; what cannot is told as a reason.
  const auto not_back = [left = owned_by(*at_first, request_.node)](const json& status, const json&, bool&) {
    return not_started(status, left);
  };
  (void)watch.wait(not_back);
  auto reasons = reasons_not_to_power_off(watch.status(), request_.node);
  for (auto& reason : not_started(watch.status(), owned_by(*at_first, request_.node)))
    reasons.push_back(std::move(reason));
  result["safe_to_power_off"] = reasons.empty();
  result["reasons"] = reasons;
  result["duration_ms"] = watch.elapsed_ms();
  std::string text =
      fmt::format("Nothing runs on {} any more, after {}.\n", request_.node, age_text(watch.elapsed_ms()));
  text += reasons.empty() ? "It is safe to power it off." : "It is NOT safe to power it off:";
  for (const auto& reason : reasons) text += "\n  " + reason;
  result["ok"] = true;
  if (request_.as_json)
    around_.out << result << "\n";
  else
    around_.out << text << "\n";
  return reasons.empty() ? ok : refused;
}

int Operator::wait_for_restart(const std::string& service, const json& before, json& result) {
  const auto number_before = number(member(before, "restarts"), "asked");
  const auto epoch = number(before, "epoch");
  StatusWatch watch(request_, around_);
  const auto outcome = watch.wait([&](const json& status, const json&, bool& has_failed) {
    const json& now = named(member(status, "services"), service);
    has_failed = number(now, "epoch") != epoch || text(now, "state") == "Failed";
    const bool done = number(member(now, "restarts"), "done") > number_before && text(now, "state") == "Started";
    std::string step;
    for (const auto& one : member(now, "steps"))
      if (const auto state = text(one, "state"); state != "Started") step += " " + text(one, "name") + " " + state;
    return done ? std::vector<std::string>{} : std::vector<std::string>{service + ": " + text(now, "state") + step};
  });
  const json& now = named(member(watch.status(), "services"), service);
  result["service"] = service;
  result["duration_ms"] = watch.elapsed_ms();
  result["restarted"] = outcome == Waited::Done;
  result["steps"] = json::array();
  bool from_here = request_.step.empty();
  for (const auto& step : member(now, "steps")) {
    from_here = from_here || text(step, "name") == request_.step;
    if (from_here)
      result["steps"].push_back({{"name", text(step, "name")},
                                 {"stop_ms", number(step, "stop_ms", -1)},
                                 {"start_ms", number(step, "start_ms", -1)}});
  }
  if (outcome == Waited::Done) return ok;
  const auto why = text(now, "why");
  return waited(
      outcome, {}, "", watch,
      fmt::format("{} did not come back on {}{}", service, text(before, "owner"), why.empty() ? "" : ": " + why));
}

int Operator::restart_one(const std::string& service, json& result) {
  const auto status = change({{"op", "status"}});
  if (!status) return refused_by(status.error());
  const json before = named(member(*status, "services"), service);
  json request{{"op", "restart"}, {"service", service}};
  if (!request_.step.empty()) request["step"] = request_.step;
  const auto answer = change(request);
  if (!answer) return refused_by(answer.error());
  if (request_.no_wait) return ok;
  return wait_for_restart(service, before, result);
}

std::string restart_text(const json& result) {
  std::string out =
      fmt::format("{} was restarted in {}", text(result, "service"), age_text(number(result, "duration_ms")));
  for (const auto& step : member(result, "steps"))
    out += fmt::format("; {} stopped in {} ms and started in {} ms", text(step, "name"), number(step, "stop_ms"),
                       number(step, "start_ms"));
  return out;
}

/// Up to the first that does not come back: the others are left as they are. `copied`: only the copies of that service.
int Operator::restart_each(const std::string& copied) {
  const auto status = change({{"op", "status"}});
  if (!status) return refused_by(status.error());
  std::vector<std::string> services;
  for (const auto& service : member(*status, "services"))
    if (text(service, "state") == "Started" && text(service, "role").empty() &&
        (copied.empty() || text(service, "copy_of") == copied))
      services.push_back(text(service, "name"));
  for (std::size_t index = 0; index < services.size(); ++index) {
    json result;
    const int code = restart_one(services[index], result);
    if (code == ok) {
      (void)finish(result, request_.no_wait ? "Committed: restart " + services[index] : restart_text(result), ok);
      continue;
    }
    std::string untouched;
    for (std::size_t left = index + 1; left < services.size(); ++left) untouched += " " + services[left];
    if (!untouched.empty() && !request_.as_json) around_.err << "bascule: not restarted:" << untouched << "\n";
    return code;
  }
  if (services.empty()) return finish({}, "Nothing runs, so nothing was restarted.", ok);
  return ok;
}

int Operator::restart() {
  if (request_.all != request_.service.empty() || (request_.all && !request_.step.empty()))
    return failed({"it is not clear what", "", "name one service, or all by --all (without --step)",
                   "bascule restart shop --step apache"},
                  unusable);
  if (request_.all) return restart_each("");
  if (const auto status = change({{"op", "status"}}); status)
    for (const auto& service : member(*status, "services"))
      if (text(service, "copy_of") == request_.service) return restart_each(request_.service);
  json result;
  const int code = restart_one(request_.service, result);
  if (code != ok) return code;
  return finish(result, request_.no_wait ? "Committed: restart " + request_.service : restart_text(result), ok);
}

int Operator::stop_all() {
  const auto answer = change({{"op", "halt"}, {"by", who_asks()}});
  if (!answer) return refused_by(answer.error());
  if (request_.no_wait) return finish(*answer, "Committed: everything is to stop.", ok);
  StatusWatch watch(request_, around_);
  json stopped = json::array();
  std::vector<std::string> running;
  const auto outcome = watch.wait([&](const json& status, const json&, bool&) {
    std::vector<std::string> still;
    for (const auto& service : member(status, "services"))
      if (!text(service, "owner").empty()) still.push_back(text(service, "name"));
    for (const auto& name : running)
      if (std::find(still.begin(), still.end(), name) == still.end())
        stopped.push_back({{"service", name}, {"after_ms", watch.elapsed_ms()}});
    running = still;
    return still_running(status);
  });
  return waited(
      outcome, {{"stopped", stopped}},
      "Everything is stopped and no volume is primary (it stays so until `bascule start --all`, also over a power "
      "failure),",
      watch, "");
}

int Operator::start_all() {
  const auto answer = change({{"op", "resume"}, {"by", who_asks()}});
  if (!answer) return refused_by(answer.error());
  if (request_.no_wait) return finish(*answer, "Committed: everything may run again.", ok);
  StatusWatch watch(request_, around_);
  const auto outcome = watch.wait([&](const json& status, const json&, bool& has_failed) {
    for (const auto& service : member(status, "services"))
      has_failed = has_failed || text(service, "state") == "Failed";
    return not_started(status);
  });
  return waited(outcome, json::object(), "Everything that is to run does so,", watch,
                "not everything could be started");
}

/// Tells what is new; the cursor for the next question.
Result<std::string> Operator::tell_history(const json& query) const {
  auto connection = Connection::open(request_.socket);
  if (!connection) return tl::unexpected(connection.error());
  if (auto sent = connection->send(query); !sent) return tl::unexpected(sent.error());
  for (;;) {
    const auto line = connection->receive(history_within);
    if (!line) return tl::unexpected(line.error());
    if (!line->contains("ok")) {
      if (request_.as_json)
        around_.out << *line << "\n";
      else
        around_.out << event_text(*line, around_.style) << "\n";
      continue;
    }
    if (!flag(*line, "ok")) return tl::unexpected(error_in(*line));
    around_.out.flush();
    if (query.contains("cursor")) return text(*line, "cursor");
    for (const auto& node : member(*line, "nodes"))
      if (const auto note = text(node, "note"); !note.empty()) around_.err << "bascule: " << note << "\n";
    return text(*line, "cursor");
  }
}

int Operator::history() {
  json query{{"op", "history"}, {"limit", request_.limit}};
  if (!request_.service.empty()) query["service"] = request_.service;
  if (!request_.node.empty()) query["node"] = request_.node;
  if (!request_.kind.empty()) query["kind"] = request_.kind;
  if (!request_.length.empty()) {
    const auto length = parse_length(request_.length);
    if (!length) return failed(length.error(), unusable);
    query["since_ms"] = std::max<std::int64_t>(0, wall_clock_now_ms() - to_ms(*length));
  }
  auto cursor = tell_history(query);
  if (!cursor) return refused_by(cursor.error());
  query.erase("since_ms");
  while (request_.follow && around_.out) {
    std::this_thread::sleep_for(between_history_looks);
    query["cursor"] = *cursor;
    if (auto next = tell_history(query)) cursor = std::move(next);  // goes on over a restart of managerd
  }
  return ok;
}

}  // namespace

bool is_operation(const std::string& words) {
  static constexpr std::array all = {"maintenance on", "maintenance off", "drain", "restart", "history"};
  return std::find(all.begin(), all.end(), words) != all.end();
}

Result<Duration> parse_length(const std::string& written) {
  struct Unit {
    std::string_view name;
    std::int64_t seconds;
  };
  static constexpr std::array units = {Unit{"", 1},   Unit{"s", 1},    Unit{"min", 60},
                                       Unit{"m", 60}, Unit{"h", 3600}, Unit{"d", 86400}};
  constexpr std::int64_t seconds_max = 10LL * 366 * 86400;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), count);
  const std::string_view unit(end, static_cast<std::size_t>(written.data() + written.size() - end));
  for (const auto& known : units)
    if (error == std::errc{} && count > 0 && unit == known.name && count <= seconds_max / known.seconds)
      return seconds(count * known.seconds);
  return fail("this is not a time", written, "", "write it like 90s, 30min, 2h or 1d");
}

int run_operation(const std::string& words, const OperateRequest& request, const Surroundings& surroundings) {
  Operator run(request, surroundings);
  if (words == "maintenance on") return run.maintenance(true);
  if (words == "maintenance off") return run.maintenance(false);
  if (words == "drain") return run.drain();
  if (words == "restart") return run.restart();
  if (words == "stop --all") return run.stop_all();
  if (words == "start --all") return run.start_all();
  return run.history();
}

}  // namespace bascule::cli
