#include "runtime/sim/cluster/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/sim/cluster/swarm.h"

namespace bascule::sim::cluster {
namespace {

bool write_file(const std::string& path, const std::string& line) {
  std::ofstream file(path);
  file << line << '\n';
  file.close();
  if (!file) fmt::print(stderr, "the figures cannot be written to {}\n", path);
  return !file.fail();
}

int swarm_command(const SwarmOptions& options) {
  SwarmRequest request;
  request.seeds = options.seeds;
  request.start = options.start;
  request.jobs = options.jobs;
  if (isatty(STDERR_FILENO) == 1)
    request.progress = [&](std::uint64_t done) { fmt::print(stderr, "\r{} of {} seeds ", done, options.seeds); };
  const SwarmReport report = run_swarm(request);
  fmt::print("{}", text_of(report));
  if (!options.json_file.empty() && !write_file(options.json_file, json_of(report))) return 2;
  return report.violations.empty() ? 0 : 1;
}

int replay_command(std::uint64_t seed) {
  auto scenario = scenario_of(seed);
  scenario.trace = true;
  const Outcome outcome = cluster::run(scenario);
  for (const auto& line : outcome.last_events) fmt::print("{}\n", line);
  fmt::print("seed {}: event hash {:016x}, {} events, {}\n", seed, outcome.event_hash, outcome.events,
             outcome.violation.empty() ? "nothing was broken" : outcome.promise + ": " + outcome.violation);
  return outcome.violation.empty() ? 0 : 1;
}

int canaries_command(const SwarmOptions& options) {
  nlohmann::ordered_json found = nlohmann::ordered_json::array();
  bool all = true;
  for (const Canary& canary : canaries()) {
    const auto result = look_for(canary, options.start, options.seeds, options.jobs);
    all = all && result.seeds;
    if (result.seeds)
      fmt::print("{:<40} found after {:>4} seeds: {}: {}\n", result.name, *result.seeds, result.promise,
                 result.violation);
    else
      fmt::print("{:<40} NOT FOUND in {} seeds\n", result.name, options.seeds);
    std::fflush(stdout);
    found.push_back({{"name", result.name},
                     {"found", result.seeds.has_value()},
                     {"seeds", result.seeds.value_or(0)},
                     {"promise", result.promise},
                     {"text", result.violation}});
  }
  if (!options.json_file.empty() && !write_file(options.json_file, nlohmann::ordered_json{{"canaries", found}}.dump()))
    return 2;
  return all ? 0 : 1;
}

/// What the speed is measured with: three nodes, four services, 50 requests a second, ten faults an hour.
int pace_command(std::uint64_t hours) {
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t cpu_before = std::clock();
  const Scenario scenario = usual_cluster(1, 4, 50, static_cast<std::uint32_t>(10 * hours),
                                          std::chrono::hours(static_cast<std::int64_t>(hours)));
  const Outcome outcome = cluster::run(scenario);
  const double cpu_s = static_cast<double>(std::clock() - cpu_before) / CLOCKS_PER_SEC;
  const double wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  fmt::print(
      "{} simulated hours: {:.2f} CPU seconds an hour, {:.2f} s of wall time, {} events, {} writes acknowledged{}\n",
      hours, cpu_s / static_cast<double>(hours), wall_s, outcome.events, outcome.acknowledged,
      outcome.violation.empty() ? "" : ": " + outcome.promise + ": " + outcome.violation);
  return outcome.violation.empty() ? 0 : 1;
}

void add_swarm_options(CLI::App& command, SwarmOptions& options) {
  command.add_option("--seeds", options.seeds, "How many, at most")->capture_default_str();
  command.add_option("--start", options.start, "The first seed")->capture_default_str();
  command.add_option("--jobs", options.jobs, "Threads")->check(CLI::Range(1, 256))->capture_default_str();
  command.add_option("--json", options.json_file, "Write the figures to this file");
}

}  // namespace

Commands::Commands(CLI::App& app) {
  swarm_command_ =
      app.add_subcommand("swarm", "Whole clusters: managers and engines together, with faults of every kind");
  add_swarm_options(*swarm_command_, swarm_);
  replay_command_ = app.add_subcommand("replay", "One seed of the swarm, told event by event");
  replay_command_->add_option("seed", replayed_, "The seed")->required();
  canaries_command_ = app.add_subcommand("canaries", "Plants one mistake after the other, which the swarm has to find");
  add_swarm_options(*canaries_command_, canaries_);
  pace_command_ = app.add_subcommand("pace", "What an hour of a usual cluster costs");
  pace_command_->add_option("--hours", hours_, "Simulated hours")->capture_default_str();
}

std::optional<int> Commands::run() const {
  if (swarm_command_->parsed()) return swarm_command(swarm_);
  if (replay_command_->parsed()) return replay_command(replayed_);
  if (canaries_command_->parsed()) return canaries_command(canaries_);
  if (pace_command_->parsed()) return pace_command(hours_);
  return std::nullopt;
}

}  // namespace bascule::sim::cluster
