#include "runtime/sim/cluster/swarm.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/replication/canary.h"

namespace bascule::sim::cluster {
namespace {

double thread_cpu_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

void add(SwarmReport& report, Outcome outcome) {
  ++report.seeds;
  report.simulated_ms += outcome.simulated_ms;
  report.event_hash += outcome.event_hash;
  Outcome& sum = report.sum;
  for (std::size_t i = 0; i < fault_kinds; ++i) sum.faults[i] += outcome.faults[i];
  sum.failovers += outcome.failovers;
  sum.restarts += outcome.restarts;
  sum.acknowledged += outcome.acknowledged;
  sum.events += outcome.events;
  sum.decisions_replayed += outcome.decisions_replayed;
  for (const auto& [mark, count] : outcome.marks) sum.marks[mark] += count;
  if (!outcome.violation.empty()) report.violations.push_back(std::move(outcome));
}

/// The rare ones of docs/architecture.md, "Event kinds", and of the engine.
constexpr std::array expected_marks{"alone",
                                    "configuration-applied",
                                    "entry-skipped",
                                    "failures-faded",
                                    "fencing-failed",
                                    "in-sync-grown",
                                    "in-sync-shrunk",
                                    "lease-back",
                                    "lease-ended",
                                    "leader-elected",
                                    "maintenance-began",
                                    "maintenance-ended",
                                    "move",
                                    "node-back",
                                    "node-fenced",
                                    "node-lost",
                                    "restart",
                                    "service-blocked",
                                    "service-failed",
                                    "service-granted",
                                    "service-held",
                                    "service-killed",
                                    "service-released",
                                    "service-started",
                                    "service-stopped",
                                    "standby",
                                    "step-failed",
                                    "step-recovered",
                                    "takeover-refused",
                                    "unfenced",
                                    "volume-initialised",
                                    "watchdog-reset",
                                    "volume:peer-lost",
                                    "volume:attached",
                                    "volume:generation-made",
                                    "volume:resync-started",
                                    "volume:resync-finished",
                                    "volume:takeover-refused",
                                    "volume:writes-lost-behind-flush"};

}  // namespace

SwarmReport run_swarm(const SwarmRequest& request) {
  SwarmReport report;
  std::mutex mutex;
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    for (std::uint64_t i = next++; i < request.seeds; i = next++) {
      Scenario scenario = scenario_of(request.start + i);
      if (request.adjust) request.adjust(scenario);
      Outcome outcome = run(scenario);
      const std::lock_guard lock(mutex);
      add(report, std::move(outcome));
      if (report.violations.size() >= request.violations_max) next = request.seeds;
      if (request.progress) request.progress(report.seeds);
    }
    const std::lock_guard lock(mutex);
    report.cpu_seconds += thread_cpu_seconds();
  };
  std::vector<std::thread> threads;
  for (unsigned job = 0; job < std::max(1U, request.jobs); ++job) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  std::sort(report.violations.begin(), report.violations.end(),
            [](const Outcome& one, const Outcome& other) { return one.seed < other.seed; });
  return report;
}

std::vector<std::string> marks_never_reached(const SwarmReport& report) {
  std::vector<std::string> missing;
  for (const char* mark : expected_marks)
    if (!report.sum.marks.contains(mark)) missing.emplace_back(mark);
  for (std::size_t i = 0; i < fault_kinds; ++i)
    if (report.sum.faults[i] == 0) missing.push_back(std::string("fault:") + name_of(static_cast<Fault>(i)));
  return missing;
}

std::string json_of(const SwarmReport& report) {
  nlohmann::ordered_json json;
  json["seeds"] = report.seeds;
  json["violations"] = report.violations.size();
  json["simulated_hours"] = static_cast<double>(report.simulated_ms) / 3'600'000;
  json["cpu_seconds"] = report.cpu_seconds;
  auto& faults = json["faults"] = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < fault_kinds; ++i) faults[name_of(static_cast<Fault>(i))] = report.sum.faults[i];
  json["failovers"] = report.sum.failovers;
  json["restarts"] = report.sum.restarts;
  json["marks_never_reached"] = marks_never_reached(report);
  json["acknowledged_writes"] = report.sum.acknowledged;
  json["events"] = report.sum.events;
  json["decisions_replayed"] = report.sum.decisions_replayed;
  json["event_hash"] = fmt::format("{:016x}", report.event_hash);
  auto& failed = json["failed"] = nlohmann::ordered_json::array();
  for (const auto& outcome : report.violations)
    failed.push_back({{"seed", outcome.seed},
                      {"promise", outcome.promise},
                      {"text", outcome.violation},
                      {"replay", "bascule-sim replay " + std::to_string(outcome.seed)}});
  return json.dump();
}

std::string text_of(const SwarmReport& report) {
  const double hours = static_cast<double>(report.simulated_ms) / 3'600'000;
  std::uint64_t faults = 0;
  for (const auto count : report.sum.faults) faults += count;
  std::string text = fmt::format(
      "{} seeds, {} violations: {:.1f} simulated hours in {:.1f} CPU seconds, {} faults, {} failovers, {} restarts, {} "
      "writes acknowledged\n",
      report.seeds, report.violations.size(), hours, report.cpu_seconds, faults, report.sum.failovers,
      report.sum.restarts, report.sum.acknowledged);
  for (const auto& outcome : report.violations)
    text += fmt::format("seed {}: {}: {}\n  replay: bascule-sim replay {}\n", outcome.seed, outcome.promise,
                        outcome.violation, outcome.seed);
  const auto missing = marks_never_reached(report);
  if (!missing.empty()) text += fmt::format("never reached: {}\n", fmt::join(missing, " "));
  return text;
}

// ---- canaries ---------------------------------------------------------------------------------------------------

namespace planted = replication::detail::canary;

const std::vector<Canary>& canaries() {
  static const std::vector<Canary> all = {
      {"acknowledge-before-the-set-has-shrunk", planted::kAcknowledgeBeforeShrink, Plant::None},
      {"promote-a-non-member", planted::kPromoteNonMember, Plant::CarelessManager},
      {"skip-the-lease-wait", 0, Plant::LeasesLastTooLong},
      {"reissue-held-writes-after-a-takeover", 0, Plant::HeldWritesAfterTakeover},
      {"ignore-the-lease", planted::kIgnoreLease, Plant::NoSecondLookAtTheLease},
      {"forget-the-activity-log", planted::kForgetActivityLog, Plant::None},
      {"forget-unacknowledged-writes", planted::kForgetUnacknowledged, Plant::None},
      {"flush-only-here", planted::kFlushOnlyHere, Plant::None},
      {"acknowledge-once-sent", planted::kAcknowledgeOnceSent, Plant::None},
      {"forget-discards", planted::kForgetDiscards, Plant::None},
  };
  return all;
}

CanaryResult look_for(const Canary& canary, std::uint64_t start, std::uint64_t seeds_max, unsigned jobs) {
  SwarmRequest request;
  request.start = start;
  request.seeds = seeds_max;
  request.jobs = jobs;
  request.violations_max = 1;
  request.adjust = [&](Scenario& scenario) {
    scenario.engine_canaries = canary.engine;
    scenario.plant = canary.plant;
  };
  const SwarmReport report = run_swarm(request);
  if (report.violations.empty()) return {canary.name, std::nullopt, "", ""};
  const Outcome& found = report.violations.front();
  return {canary.name, found.seed - start + 1, found.promise, found.violation};
}

}  // namespace bascule::sim::cluster
