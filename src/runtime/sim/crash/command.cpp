#include "runtime/sim/crash/command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "runtime/files/replace_file.h"
#include "runtime/sim/crash/enumerate.h"

namespace bascule::sim {
namespace {

int wrong_usage(const std::string& sentence) {
  fmt::print(stderr, "bascule-sim crash: {}\n", sentence);
  return 2;
}

const CrashWriter* writer_named(const std::string& name) {
  const auto& all = crash_writers();
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& writer) { return writer.name == name; });
  return found == all.end() ? nullptr : &*found;
}

std::string names_of_writers() {
  std::string names;
  for (const auto& writer : crash_writers()) names += (names.empty() ? "" : ", ") + std::string(writer.name);
  return names;
}

int show(const CrashCommand& command) {
  const CrashWriter* const writer = writer_named(command.writer);
  if (writer == nullptr) return wrong_usage("--state needs --writer: " + names_of_writers());
  const auto id = CrashStateId::parse(command.state);
  if (!id) return wrong_usage("'" + command.state + "' is no state: OPERATIONS.POINT.BYTES.FORMS, as it was printed");
  const CrashReplay replay = replay_crash(*writer, *id, command.canary);
  for (const auto& line : replay.story) fmt::print("{}\n", line);
  if (!replay.known) return wrong_usage("writer " + command.writer + " has no state " + command.state);
  fmt::print("{}\n", replay.violation.empty() ? "the promise was kept: " + std::string(writer->promise)
                                              : "VIOLATION: " + replay.violation);
  return replay.violation.empty() ? 0 : 1;
}

std::string command_for(const CrashCommand& command, const CrashWriter& writer, const std::string& state) {
  return fmt::format("bascule-sim crash --writer {} --state {}{}", writer.name, state,
                     command.canary.empty() ? "" : " --canary " + command.canary);
}

nlohmann::ordered_json json_of(const CrashCommand& command, const std::vector<CrashWriterReport>& reports,
                               double seconds) {
  nlohmann::ordered_json json{{"seed", command.seed}, {"states", 0}, {"violations", 0}, {"seconds", seconds}};
  if (!command.canary.empty()) json["canary"] = command.canary;
  std::uint64_t states = 0, violations = 0;
  for (const auto& report : reports) {
    const auto& figures = report.figures;
    states += figures.states;
    violations += figures.violations.size();
    nlohmann::ordered_json one{{"writer", report.writer->name},     {"promise", report.writer->promise},
                               {"sequences", report.sequences},     {"points", figures.points},
                               {"states", figures.states},          {"violations", figures.violations.size()},
                               {"sampled", figures.sampled_points}, {"found", nlohmann::ordered_json::array()}};
    for (const auto& violation : figures.violations)
      one["found"].push_back({{"state", violation.id},
                              {"what", violation.text},
                              {"command", command_for(command, *report.writer, violation.id)}});
    json["writers"].push_back(std::move(one));
  }
  json["states"] = states;
  json["violations"] = violations;
  return json;
}

void print(const CrashCommand& command, const std::vector<CrashWriterReport>& reports, double seconds) {
  fmt::print("{:<20} {:>9} {:>8} {:>9} {:>10}\n", "writer", "sequences", "points", "states", "violations");
  Explorer::Figures sum;
  std::uint64_t sequences = 0;
  for (const auto& report : reports) {
    const auto& figures = report.figures;
    fmt::print("{:<20} {:>9} {:>8} {:>9} {:>10}\n", report.writer->name, report.sequences, figures.points,
               figures.states, figures.violations.size());
    sequences += report.sequences;
    sum.add(figures);
  }
  fmt::print("{:<20} {:>9} {:>8} {:>9} {:>10}   {:.1f} s, seed {}\n", "together", sequences, sum.points, sum.states,
             sum.violations.size(), seconds, command.seed);
  for (const auto& report : reports)
    for (const auto& violation : report.figures.violations)
      fmt::print("FAILED {}: {}\n  {}\n", report.writer->name, violation.text,
                 command_for(command, *report.writer, violation.id));
}

}  // namespace

void add_crash_options(CLI::App& app, CrashCommand& command) {
  app.add_option("--states", command.states, "Enumerate at least so many crash states of the writers of metadata");
  app.add_option("--writer", command.writer, "Of this writer only: " + names_of_writers());
  app.add_option("--state", command.state, "Show this one state of the writer, step by step");
  app.add_option("--canary", command.canary, "Plant this fault, which must be found");
}

bool asks_for_crash_states(const CLI::App& app) {
  const auto given = [&](const char* name) { return app.get_option(name)->count() != 0; };
  return given("--states") || given("--writer") || given("--state") || given("--canary");
}

int run_crash_command(const CrashCommand& given) {
  CrashCommand command = given;
  for (const auto& canary : crash_canaries())
    if (command.canary == canary.name) command.writer = canary.writer;
  if (!command.writer.empty() && writer_named(command.writer) == nullptr)
    return wrong_usage("there is no writer " + command.writer + ": " + names_of_writers());
  if (!command.canary.empty() && command.writer.empty()) return wrong_usage("there is no canary " + command.canary);
  if (!command.state.empty()) return show(command);
  const auto begin = std::chrono::steady_clock::now();
  const auto reports = enumerate_crashes({command.states, command.seed, command.writer, command.canary, command.jobs});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  const auto json = json_of(command, reports, seconds);
  if (command.json_file == "-")
    fmt::print("{}\n", json.dump());
  else
    print(command, reports, seconds);
  if (command.json_file && command.json_file != "-")
    if (const auto kept = files::replace_file(*command.json_file, json.dump(2) + "\n", "the figures cannot be kept");
        !kept)
      return wrong_usage(kept.error().text());
  return json["violations"] == 0 ? 0 : 1;
}

}  // namespace bascule::sim
