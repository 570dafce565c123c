// bascule fence ..., bascule start-alone.

#include "edge/cli/fence_commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <istream>
#include <ostream>

#include "edge/cli/connection.h"
#include "edge/cli/detail/command_line.h"

namespace bascule::cli {
namespace {

constexpr std::array fence_words = {"node", "test", "confirm", "history"};

std::int64_t wall_ms_now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string long_age_text(std::int64_t ms) {
  constexpr std::int64_t day_ms = 86'400'000;
  return ms < 2 * day_ms ? age_text(std::max<std::int64_t>(ms, 0)) : fmt::format("{} days", ms / day_ms);
}

std::string nodes_text(const json& nodes) {
  std::string out;
  for (const auto& node : nodes) out += (out.empty() ? "" : ", ") + node.get<std::string>();
  return out;
}

std::string tested_text(const json& device, std::int64_t now_ms) {
  const auto passed_at = number(device, "passed_at_ms"), tried_at = number(device, "tried_at_ms");
  if (tried_at == 0) return "never tested";
  const std::string worked =
      passed_at == 0 ? "never seen to work" : "worked " + long_age_text(now_ms - passed_at) + " ago";
  if (flag(device, "passed")) return worked;
  return fmt::format("FAILED {} ago, {}: {}", long_age_text(now_ms - tried_at), worked, text(device, "text"));
}

std::string fencing_moment_text(std::int64_t wall_ms) {
  if (wall_ms == 0) return "-";
  const std::time_t wall_s = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  localtime_r(&wall_s, &local);
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", local);
}

}  // namespace

bool is_about_fencing(const api::Operation& operation) {
  return operation.name.starts_with("fence") || operation.name == "start_alone";
}

std::vector<std::string> with_fence_node(std::vector<std::string> arguments) {
  const auto fence = std::find(arguments.begin(), arguments.end(), "fence");
  if (fence == arguments.end() || fence + 1 == arguments.end() || (fence + 1)->starts_with("-")) return arguments;
  if (fence != arguments.begin() && !arguments.front().starts_with("-")) return arguments;  // of another command
  if (std::find(fence_words.begin(), fence_words.end(), *(fence + 1)) == fence_words.end())
    arguments.insert(fence + 1, "node");
  return arguments;
}

std::string fence_devices_text(const json& status, std::int64_t now_ms) {
  const json& devices = member(member(status, "fencing"), "devices");
  if (!devices.is_array() || devices.empty()) return {};
  std::string out = "\nFencing\n";
  for (const auto& device : devices)
    out += fmt::format("  {:<12} {} of {}, level {}: {}\n", text(device, "name"), text(device, "agent"),
                       nodes_text(member(device, "nodes")), number(device, "level"),
                       tested_text(device, now_ms == 0 ? wall_ms_now() : now_ms));
  const json& running = member(member(status, "fencing"), "running");
  if (running.is_array())
    for (const auto& one : running)
      out += fmt::format("  {} is being fenced ({}): {}\n", text(one, "node"), text(one, "state"), text(one, "why"));
  return out;
}

std::string fence_history_text(const json& status) {
  const json& history = member(member(status, "fencing"), "history");
  std::string out;
  if (history.is_array())
    for (const auto& one : history)
      out += fmt::format("{}  {:<10} {:<7} by {:<10} in {:<8} {} ({})\n", fencing_moment_text(number(one, "at_ms")),
                         text(one, "node"), flag(one, "proven") ? "fenced" : "FAILED", text(one, "by"),
                         age_text(number(one, "took_ms")), text(one, "text"), text(one, "reason"));
  return out.empty() ? "Nobody was ever fenced.\n" : out;
}

namespace detail {

void CommandLine::add_fence_options(CLI::App& app, const api::Operation& operation) {
  app.add_flag("--yes", options_.yes, "without the question");
  app.add_option("--timeout", options_.timeout_s, "seconds to wait")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.callback([this, &operation] { chosen_ = [this, &operation] { return fence(operation); }; });
}

bool CommandLine::confirmed(const std::string& warning, const std::string& word) const {
  if (options_.yes) return true;
  if (around_.in == nullptr) return false;
  around_.out << warning << "\nType " << word << " to go on: " << std::flush;
  std::string answer;
  return std::getline(*around_.in, answer) && answer == word;
}

int CommandLine::fence(const api::Operation& operation) {
  const std::string node = options_.values["node"];
  std::string warning;
  if (operation.name == "fence") warning = node + " loses its power now, with everything that runs there.";
  if (operation.name == "fence_test" && options_.flags["really"])
    warning = node + " is switched off and on, with everything that runs there.";
  if (operation.name == "fence_confirm")
    warning = "If " + node +
              " is not off, or can come on by itself, its services may run twice and data be lost.\nMake sure, "
              "with your own eyes or its management board, that it has no power.";
  if (operation.name == "start_alone")
    warning = "What " + node + " did without this node is lost: its writes, and what was changed in the cluster.\n" +
              node + " must be off; when it comes back it takes over the data of this node.";
  if (!warning.empty() && !confirmed(warning, node))
    return failed({"nothing was done", node, "it was not confirmed", "--yes goes without the question"}, refused);
  const auto answer = ask(request_of(operation), seconds(options_.timeout_s));
  if (!answer) return failed(answer.error(), code_without_answer(answer.error()));
  if (!flag(*answer, "ok")) return failed(error_in(*answer), refused);
  if (options_.as_json) {
    around_.out << *answer << "\n";
    return ok;
  }
  around_.out << "Done: " << text(*answer, "done") << "\n";
  return ok;
}

int CommandLine::fence_history() {
  const auto answer = ask({{"op", "status"}});
  if (!answer) return failed(answer.error(), no_contact);
  if (!flag(*answer, "ok")) return failed(error_in(*answer), refused);
  if (options_.as_json)
    around_.out << json{{"ok", true}, {"fencing", member(*answer, "fencing")}} << "\n";
  else
    around_.out << fence_history_text(*answer) << fence_devices_text(*answer);
  return ok;
}

}  // namespace detail
}  // namespace bascule::cli
