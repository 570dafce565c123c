#include "edge/cli/rehearse_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/sim/rehearse/kinds.h"

namespace bascule::cli {
namespace {

using sim::rehearse::Distribution;
using sim::rehearse::Figures;
using sim::rehearse::Report;

constexpr std::size_t story_lines_max = 120;

std::string seconds_of(Duration duration) {
  return fmt::format("{:.2f} s", static_cast<double>(to_ms(duration)) / 1000);
}

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string lengths_of(const Distribution& gone) {
  return fmt::format("then median {}, 90 % at most {}, worst {} (seed {})", seconds_of(gone.median),
                     seconds_of(gone.p90), seconds_of(gone.worst), gone.worst_seed);
}

std::string services_text(const Figures& figures) {
  std::string text;
  for (const auto& [name, gone] : figures.services) {
    if (gone.runs == 0) {
      text += fmt::format("{}: never interrupted in {}.\n", name, counted(figures.runs, "run", "runs"));
      continue;
    }
    text += fmt::format("{}: interrupted in {} of {}; {}. ", name, gone.runs, counted(figures.runs, "run", "runs"),
                        lengths_of(gone));
    text += gone.not_back == 0 ? "It came back each time.\n"
                               : fmt::format("In {} IT DID NOT COME BACK.\n", counted(gone.not_back, "run", "runs"));
  }
  return text;
}

std::string copies_text(const Figures& figures) {
  if (figures.copies.empty()) return "";
  std::string text =
      figures.lost_data.empty()
          ? "Data: no acknowledged write was lost.\n"
          : fmt::format("Data: ACKNOWLEDGED WRITES WERE LOST, or nobody knows which copy is right, in {}.\n",
                        counted(figures.lost_data.size(), "run", "runs"));
  for (const auto& [name, gone] : figures.copies) {
    if (gone.runs == 0) {
      text += fmt::format("Volume {}: both copies were there all the time.\n", name);
      continue;
    }
    text += fmt::format("Volume {}: only one copy was up to date in {} of {}; {}.{}\n", name, gone.runs,
                        counted(figures.runs, "run", "runs"), lengths_of(gone),
                        gone.not_back == 0 ? "" : " At the end of some it still was.");
  }
  return text;
}

std::string broken_text(const Figures& figures) {
  std::string text;
  for (const auto& run : figures.broken) text += fmt::format("Seed {}: {}: {}\n", run.seed, run.promise, run.violation);
  return text;
}

std::string imitated_text(const Report& report, const RehearsalAsked& asked) {
  std::string text = fmt::format(
      "\nWhat is imitated: each agent takes {} to start and {} to stop; volumes of 8 MiB with ten requests a second; "
      "one "
      "link between two machines; clients that reach whatever answers.\n",
      seconds_of(asked.start), seconds_of(asked.stop));
  text += "The faults, one kind as often as the other:\n";
  for (const auto& kind : sim::rehearse::kinds())
    if (std::find(asked.kinds.begin(), asked.kinds.end(), kind.name) != asked.kinds.end())
      text += fmt::format("  {:<8} {}\n", kind.name, kind.what);
  for (const auto& sentence : report.left_out) text += sentence + "\n";
  for (const auto& sentence : asked.live) text += sentence + "\n";
  return text;
}

std::string again_of(const Report& report, const RehearsalAsked& asked) {
  return fmt::format("{} --seed {} --runs 1", asked.again, *report.figures.worst_seed);
}

std::string story_text(const Report& report, const RehearsalAsked& asked) {
  if (!report.figures.worst_seed) return "";
  std::string text = fmt::format("\nThe worst run, seed {}:\n", *report.figures.worst_seed);
  const std::size_t shown = std::min(story_lines_max, report.worst.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const auto& line = report.worst[i];
    text += fmt::format("{:>9.3f} s  {}{}\n", std::chrono::duration<double>(line.at).count(),
                        line.who.empty() ? "" : line.who + ": ", printable(line.text));
  }
  if (shown < report.worst.size())
    text += fmt::format("  ... and {} lines more: --json has all of them\n", report.worst.size() - shown);
  return text + "Again: " + again_of(report, asked) + "\n";
}

json json_of(const std::map<std::string, Distribution>& all, const char* key) {
  json list = json::array();
  for (const auto& [name, gone] : all)
    list.push_back({{"name", name},
                    {key, gone.runs},
                    {"median_ms", to_ms(gone.median)},
                    {"p90_ms", to_ms(gone.p90)},
                    {"worst_ms", to_ms(gone.worst)},
                    {"worst_seed", gone.worst_seed},
                    {"runs_not_back", gone.not_back}});
  return list;
}

}  // namespace

std::string rehearsal_text(const Report& report, const RehearsalAsked& asked) {
  const Figures& figures = report.figures;
  const auto witnesses = std::count_if(report.config.nodes.begin(), report.config.nodes.end(),
                                       [](const auto& node) { return node.role == config::NodeRole::witness; });
  std::string text = fmt::format("Cluster {} with {} ({}), {} and {}: {}, {} in each.\n", report.config.name,
                                 counted(report.config.nodes.size(), "node", "nodes"),
                                 counted(static_cast<std::uint64_t>(witnesses), "witness", "witnesses"),
                                 counted(report.config.services.size(), "service", "services"),
                                 counted(report.config.volumes.size(), "volume", "volumes"),
                                 counted(figures.runs, "run", "runs"), counted(asked.faults, "fault", "faults"));
  text += services_text(figures);
  text += fmt::format("In {} nobody noticed anything.\n", counted(figures.undisturbed, "run", "runs"));
  text += copies_text(figures) + broken_text(figures);
  return text + imitated_text(report, asked) + story_text(report, asked);
}

json rehearsal_json(const Report& report, const RehearsalAsked& asked) {
  const Figures& figures = report.figures;
  json made{{"ok", figures.good()},
            {"cluster", report.config.name},
            {"runs", figures.runs},
            {"runs_undisturbed", figures.undisturbed},
            {"faults", asked.kinds},
            {"faults_in_run", asked.faults},
            {"assumed", {{"start_ms", to_ms(asked.start)}, {"stop_ms", to_ms(asked.stop)}}},
            {"services", json_of(figures.services, "runs_interrupted")},
            {"volumes", json_of(figures.copies, "runs_with_one_copy")},
            {"runs_with_lost_data", figures.lost_data},
            {"broken", json::array()},
            {"left_out", report.left_out},
            {"live", asked.live},
            {"worst", nullptr}};
  for (const auto& run : figures.broken)
    made["broken"].push_back({{"seed", run.seed}, {"promise", run.promise}, {"text", run.violation}});
  if (!figures.worst_seed) return made;
  json story = json::array();
  for (const auto& line : report.worst)
    story.push_back({{"at_ms", to_ms(line.at)}, {"who", line.who}, {"text", line.text}});
  made["worst"] = {{"seed", *figures.worst_seed}, {"command", again_of(report, asked)}, {"story", std::move(story)}};
  return made;
}

}  // namespace bascule::cli
