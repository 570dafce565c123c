#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/sim/cluster/command.h"
#include "runtime/sim/consensus/cluster.h"
#include "runtime/sim/crash/command.h"
#include "runtime/sim/liar/liar.h"
#include "runtime/sim/replication/world.h"

namespace {

using namespace bascule;

struct Request {
  std::uint64_t seeds = 1000;
  std::uint64_t first_seed = 1;
  std::vector<std::string> profiles;
  unsigned jobs = 1;
  bool json = false;
};

struct Totals {
  std::uint64_t seeds = 0, simulated_ms = 0, event_hash = 0;
  std::size_t crashes = 0, elections = 0, commits = 0, reads = 0, snapshots_restored = 0, member_changes = 0;
  double cpu_s = 0;
  std::vector<sim::Outcome> failures;

  void add(sim::Outcome outcome) {
    ++seeds;
    simulated_ms += outcome.simulated_ms;
    event_hash += outcome.event_hash;  // a sum, so that the order of the jobs does not matter
    crashes += outcome.crashes;
    elections += outcome.elections;
    commits += outcome.commits;
    reads += outcome.reads;
    snapshots_restored += outcome.snapshots_restored;
    member_changes += outcome.member_changes;
    if (outcome.violation) failures.push_back(std::move(outcome));
  }
};

double thread_cpu_s() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

constexpr std::size_t failures_max = 5;

Totals run_profile(const sim::Profile& profile, const Request& request) {
  Totals totals;
  std::mutex mutex;
  std::atomic<std::uint64_t> next{0};
  const auto work = [&] {
    for (std::uint64_t i = next++; i < request.seeds; i = next++) {
      auto outcome = sim::run_seed(profile, request.first_seed + i);
      const std::lock_guard lock(mutex);
      totals.add(std::move(outcome));
      if (totals.failures.size() >= failures_max) next = request.seeds;
    }
    const std::lock_guard lock(mutex);
    totals.cpu_s += thread_cpu_s();
  };
  std::vector<std::thread> threads;
  for (unsigned job = 0; job < request.jobs; ++job) threads.emplace_back(work);
  for (auto& thread : threads) thread.join();
  return totals;
}

void print_failure(const sim::Profile& profile, const sim::Outcome& failure) {
  const auto traced = sim::run_seed(profile, failure.seed, {.trace = true});
  for (const auto& line : traced.last_events) fmt::print("{}\n", line);
  fmt::print("{} seed {}: {}\n", profile.name, failure.seed, *failure.violation);
  fmt::print("replay: bascule-sim consensus --profile {} --first-seed {} --seeds 1\n\n", profile.name, failure.seed);
}

void print_text(const sim::Profile& profile, const Totals& totals) {
  const double n = static_cast<double>(totals.seeds);
  const double simulated_s = static_cast<double>(totals.simulated_ms) / 1000;
  fmt::print(
      "{:<14} {:>6} seeds  {:>3} failed  per seed: {:.0f} s, {:.1f} crashes, {:.1f} elections, {:.0f} commits, {:.0f} "
      "reads, "
      "{:.1f} snapshots, {:.1f} member changes  {:.0f} CPU s, {:.0f} simulated s per CPU s\n",
      profile.name, totals.seeds, totals.failures.size(), simulated_s / n, static_cast<double>(totals.crashes) / n,
      static_cast<double>(totals.elections) / n, static_cast<double>(totals.commits) / n,
      static_cast<double>(totals.reads) / n, static_cast<double>(totals.snapshots_restored) / n,
      static_cast<double>(totals.member_changes) / n, totals.cpu_s, simulated_s / totals.cpu_s);
  std::fflush(stdout);
}

void print_json(const sim::Profile& profile, const Totals& totals) {
  fmt::print(
      R"({{"profile":"{}","seeds":{},"failures":{},"simulated_ms":{},"crashes":{},"elections":{},"commits":{},"reads":{},)"
      R"("snapshots_restored":{},"member_changes":{},"cpu_s":{:.3f},"event_hash":"{:016x}"}})"
      "\n",
      profile.name, totals.seeds, totals.failures.size(), totals.simulated_ms, totals.crashes, totals.elections,
      totals.commits, totals.reads, totals.snapshots_restored, totals.member_changes, totals.cpu_s, totals.event_hash);
  std::fflush(stdout);
}

/// Returns how many profiles had a failure.
int run_consensus(const Request& request) {
  int failed = 0;
  for (const auto& profile : sim::profiles()) {
    const auto& wanted = request.profiles;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), profile.name) == wanted.end()) continue;
    const Totals totals = run_profile(profile, request);
    if (!request.json && !totals.failures.empty()) print_failure(profile, totals.failures.front());
    request.json ? print_json(profile, totals) : print_text(profile, totals);
    failed += !totals.failures.empty();
  }
  return failed;
}

/// What was told, how often, and whether the engine saw through all of it.
int run_liar(sim::LiarScenario scenario, bool json) {
  const auto begin = std::chrono::steady_clock::now();
  if (!json && isatty(STDERR_FILENO) == 1)
    scenario.progress = [&](std::uint64_t messages) {
      if (messages % 10'000 == 0) fmt::print(stderr, "\r{} of {} messages", messages, scenario.messages);
    };
  const sim::LiarReport report = sim::tell_lies(scenario);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (json) {
    fmt::print(
        R"({{"seed":{},"messages":{},"sessions":{},"disconnects":{},"harmless":{},"seconds":{:.2f},"failure":"{}"}})"
        "\n",
        scenario.seed, report.messages, report.sessions, report.disconnects, report.harmless, seconds, report.failure);
  } else {
    for (const auto& [name, count] : report.told) fmt::print("{:>8}  {}\n", count, name);
    fmt::print("{} untrue messages in {:.1f} s: {} ended the connection with a reason, {} were harmless\n",
               report.messages, seconds, report.disconnects, report.harmless);
    if (!report.failure.empty())
      fmt::print("FAILED: {}\nreplay: bascule-sim lying-peer --seed {} --messages {}\n", report.failure, scenario.seed,
                 report.messages);
  }
  return report.failure.empty() ? 0 : 1;
}

struct CrashRequest {
  std::uint64_t points = 10'000;
  std::uint64_t seed = 1;
  unsigned jobs = 1;
  bool json = false;
  bool trace = false;
  std::optional<std::uint64_t> sector;
};

/// Runs of two engines, each with several power losses, until there were enough of them.
class CrashPoints {
 public:
  explicit CrashPoints(const CrashRequest& request) : request_(request), next_(request.seed) {}

  int run() {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (unsigned job = 0; job < request_.jobs; ++job) threads.emplace_back([this] { work(); });
    for (auto& thread : threads) thread.join();
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    request_.json ? print_json() : print_text();
    return violation_.empty() ? 0 : 1;
  }

 private:
  void work() {
    for (;;) {
      std::uint64_t seed = 0;
      {
        const std::lock_guard lock(mutex_);
        if (sum_.power_losses >= request_.points || !violation_.empty()) return;
        seed = next_++;
      }
      sim::ReplicationScenario scenario = sim::scenario_of(seed);
      scenario.trace = request_.trace || request_.sector;
      scenario.trace_sector = request_.sector;
      add(seed, sim::ReplicationWorld(scenario).run());
    }
  }

  void add(std::uint64_t seed, const sim::ReplicationResult& result) {
    const std::lock_guard lock(mutex_);
    ++runs_;
    sum_.add(result);
    if (!result.violation.empty() && violation_.empty()) violation_ = result.violation, violating_seed_ = seed;
    if (!request_.json && isatty(STDERR_FILENO) == 1 && runs_ % 20 == 0)
      fmt::print(stderr, "\r{} of {} crash points ", sum_.power_losses, request_.points);
  }

  void print_text() const {
    fmt::print("{} power losses in {} runs, {:.0f} s", sum_.power_losses, runs_, seconds_);
    const char* separator = ": ";
    for (const auto& [name, count] : figures_of_losses()) {
      fmt::print("{}{} {}", separator, count, name);
      separator = ", ";
    }
    separator = "\n";
    for (const auto& [name, count] : figures_of_work()) {
      fmt::print("{}{} {}", separator, count, name);
      separator = ", ";
    }
    fmt::print("\n");
    if (!violation_.empty())
      fmt::print("FAILED: {}\nreplay: bascule-sim crash --seed {} --points 1\n", violation_, violating_seed_);
  }

  void print_json() const {
    fmt::print(R"({{"seed":{},"points":{},"runs":{},"seconds":{:.1f})", request_.seed, sum_.power_losses, runs_,
               seconds_);
    for (const auto& figures : {figures_of_losses(), figures_of_work()})
      for (const auto& [name, count] : figures) {
        std::string key = name;
        std::replace(key.begin(), key.end(), ' ', '_');
        fmt::print(R"(,"{}":{})", key, count);
      }
    fmt::print(R"(,"failed_seed":{},"failure":"{}"}})"
               "\n",
               violation_.empty() ? "null" : std::to_string(violating_seed_), violation_);
  }

  using Figures = std::vector<std::pair<const char*, std::uint64_t>>;
  [[nodiscard]] Figures figures_of_losses() const {
    return {{"during writes", sum_.during_writes},     {"during discards", sum_.during_discards},
            {"during metadata", sum_.during_metadata}, {"during resync", sum_.during_resync},
            {"during resize", sum_.during_resize},     {"under an operator", sum_.under_operator},
            {"under protocol A", sum_.under_a},        {"under protocol B", sum_.under_b}};
  }
  [[nodiscard]] Figures figures_of_work() const {
    return {{"acknowledged", sum_.acknowledged},
            {"flushes", sum_.flushes},
            {"zeroings", sum_.zeroings},
            {"reads", sum_.reads},
            {"promotions", sum_.promotions},
            {"resyncs", sum_.resyncs},
            {"split brains", sum_.split_brains},
            {"detaches", sum_.detaches},
            {"coverage checks", sum_.coverage_checks}};
  }

  CrashRequest request_;
  std::mutex mutex_;
  std::uint64_t next_;
  std::uint64_t runs_ = 0;
  sim::ReplicationResult sum_;
  std::string violation_;
  std::uint64_t violating_seed_ = 0;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Runs Bascule's cores in a simulated world."};
  app.require_subcommand(1);
  Request request;
  auto* consensus = app.add_subcommand("consensus", "The acceptance test of the consensus core");
  consensus->add_option("--seeds", request.seeds, "Runs per profile")->capture_default_str();
  consensus->add_option("--first-seed", request.first_seed, "The seed of the first run")->capture_default_str();
  std::vector<std::string> names;
  for (const auto& profile : sim::profiles()) names.emplace_back(profile.name);
  consensus->add_option("--profile", request.profiles, "Only these profiles")->check(CLI::IsMember(names));
  consensus->add_option("--jobs", request.jobs, "Threads")->check(CLI::Range(1, 256))->capture_default_str();
  consensus->add_flag("--json", request.json, "One JSON object per profile");
  sim::LiarScenario liar{.messages = 100'000, .seed = 1};
  bool liar_json = false;
  auto* lying_peer = app.add_subcommand("lying-peer", "A DRBD peer that speaks a correct handshake and then lies");
  lying_peer->add_option("--messages", liar.messages, "Untrue packets to send")->capture_default_str();
  lying_peer->add_option("--seed", liar.seed, "The same seed tells the same lies")->capture_default_str();
  lying_peer->add_flag("--json", liar_json, "The figures as one JSON object");
  CrashRequest crash;
  auto* crashes = app.add_subcommand("crash", "Every state after a crash; or two replicas that lose power at random");
  crashes->add_option("--points", crash.points, "Power losses")->capture_default_str();
  crashes->add_option("--seed", crash.seed, "The seed of the first run")->capture_default_str();
  crashes->add_option("--jobs", crash.jobs, "Threads")->check(CLI::Range(1, 256))->capture_default_str();
  std::string json_file;
  auto* json = crashes->add_option("--json", json_file, "The figures as one JSON object, in FILE")->expected(0, 1);
  crashes->add_flag("--trace", crash.trace, "Print the events of the engines");
  crashes->add_option("--sector", crash.sector, "Print them, and what is written to this sector");
  sim::CrashCommand states;
  sim::add_crash_options(*crashes, states);
  sim::cluster::Commands clusters(app);
  CLI11_PARSE(app, argc, argv);
  if (const auto exit_code = clusters.run()) return *exit_code;
  crash.json = json->count() != 0;
  if (crashes->parsed() && sim::asks_for_crash_states(*crashes)) {
    states.seed = crash.seed;
    states.jobs = crash.jobs;
    if (crash.json) states.json_file = json_file.empty() ? "-" : json_file;
    return sim::run_crash_command(states);
  }
  if (crashes->parsed()) return CrashPoints(crash).run();
  if (lying_peer->parsed()) return run_liar(liar, liar_json);
  return run_consensus(request) == 0 ? 0 : 1;
}
