#include "edge/cli/rehearse_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>

#include "edge/cli/connection.h"
#include "edge/cli/failure.h"
#include "edge/cli/operation_commands.h"
#include "edge/cli/rehearse_text.h"
#include "runtime/files/read_file.h"
#include "runtime/sim/rehearse/kinds.h"

namespace bascule::cli {
namespace {

namespace rehearse = sim::rehearse;
using Clock = std::chrono::steady_clock;

constexpr std::size_t config_bytes_max = 1 << 20;

constexpr const char* examples =
    "Examples:\n"
    "  bascule rehearse --config ./cluster.toml\n"
    "  bascule rehearse --config ./cluster.toml --faults node,link --runs 1000 --start 4s\n"
    "  bascule rehearse --live --faults node --json\n"
    "  bascule rehearse --config ./cluster.toml --faults node,link --seed 17 --runs 1\n\n"
    "Exit codes:\n"
    "0  every service came back in every run, and nothing was lost\n"
    "1  a service did not come back, data were lost, or another promise was broken\n"
    "2  wrong usage, or a configuration that is wrong or cannot be rehearsed\n"
    "3  --live: no contact with bascule-managerd\n";

/// A configuration, and what is known of who has what.
struct Cluster {
  std::string text, file;
  std::map<std::string, std::string> owners;
  std::vector<std::string> otherwise;
};

Result<Cluster> from_file(const std::string& file) {
  auto text = files::read_file(file, "the configuration cannot be read", config_bytes_max);
  if (!text) return tl::unexpected(text.error());
  return Cluster{std::move(*text), file, {}, {}};
}

Result<json> answer_to(const Ask& ask, const json& question) {
  auto answer = ask(question);
  if (answer && !flag(*answer, "ok")) return tl::unexpected(error_in(*answer));
  return answer;
}

void note_owners(Cluster& cluster, const json& status) {
  for (const auto& service : member(status, "services")) {
    const std::string name = text(service, "name"), owner = text(service, "owner");
    if (!owner.empty())
      cluster.owners[name] = owner;
    else
      cluster.otherwise.push_back("Service " + name + " has no owner now; in the rehearsal it is started.");
  }
  for (const auto& node : member(status, "nodes")) {
    const std::string name = text(node, "name");
    if (!flag(node, "online")) cluster.otherwise.push_back(name + " is away now; in the rehearsal it is there.");
    if (flag(node, "standby"))
      cluster.otherwise.push_back(name + " is in standby now; in the rehearsal it runs services.");
  }
  if (!member(status, "maintenance").empty())
    cluster.otherwise.emplace_back("There is maintenance now; in the rehearsal there is none.");
}

Result<Cluster> from_live(const Ask& ask) {
  const auto history = answer_to(ask, {{"op", "config_history"}});
  if (!history) return tl::unexpected(history.error());
  const auto version = answer_to(ask, {{"op", "config_history"}, {"version", number(*history, "in_force")}});
  if (!version) return tl::unexpected(version.error());
  const auto status = answer_to(ask, {{"op", "status"}});
  if (!status) return tl::unexpected(status.error());
  Cluster cluster{whole_text(*version), "the configuration in force", {}, {}};
  note_owners(cluster, *status);
  return cluster;
}

/// "300ms", "1s", "2min".
Result<Duration> agent_time(const std::string& option, const std::string& written) {
  constexpr std::int64_t most_ms = 600'000;
  const bool is_ms = written.ends_with("ms") && written.size() > 2 && written.size() < 10;
  const std::string digits = is_ms ? written.substr(0, written.size() - 2) : "";
  const bool all_digits = is_ms && digits.find_first_not_of("0123456789") == std::string::npos;
  const auto length = all_digits ? Result<Duration>(milliseconds(std::stoll(digits))) : parse_length(written);
  if (!length || to_ms(*length) > most_ms)
    return fail("this is no time for an agent", option + " " + written, "it is not between 0 and 10 minutes",
                "write it like 300ms, 1s or 2min");
  return *length;
}

/// One line on the terminal: how far, how fast, how long still.
class ProgressLine {
 public:
  ProgressLine(std::ostream& out, std::uint64_t runs) : out_(out), runs_(runs), shown_(isatty(STDERR_FILENO) == 1) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() {
    if (shown_) out_ << "\r\033[K" << std::flush;
  }
  void operator()(std::uint64_t done) {
    if (!shown_) return;
    const double elapsed_s = std::chrono::duration<double>(Clock::now() - begun_).count();
    const double rate = static_cast<double>(done) / std::max(elapsed_s, 0.001);
    const auto left_s = static_cast<std::int64_t>(static_cast<double>(runs_ - done) / rate);
    out_ << fmt::format("\r\033[K{} of {} runs, {:.1f} a second, {}:{:02} left", done, runs_, rate, left_s / 60,
                        left_s % 60)
         << std::flush;
  }

 private:
  std::ostream& out_;
  std::uint64_t runs_;
  bool shown_;
  Clock::time_point begun_ = Clock::now();
};

std::string command_of(const RehearseRequest& request, const std::string& kinds) {
  std::string command = "bascule rehearse";
  command += request.live ? " --live" : " --config " + request.config_file;
  command += " --faults " + kinds;
  if (request.faults_in_run != 1) command += fmt::format(" --faults-in-run {}", request.faults_in_run);
  if (request.start != "1s") command += " --start " + request.start;
  if (request.stop != "1s") command += " --stop " + request.stop;
  return command;
}

struct Prepared {
  rehearse::Request request;
  RehearsalAsked asked;
};

Result<Prepared> prepare(const RehearseRequest& given, const Cluster& cluster) {
  const std::string list = given.faults.empty() ? rehearse::usual_kinds() : given.faults;
  const auto kinds = rehearse::parse_kinds(list);
  if (!kinds) return tl::unexpected(kinds.error());
  const auto start = agent_time("--start", given.start), stop = agent_time("--stop", given.stop);
  if (!start) return tl::unexpected(start.error());
  if (!stop) return tl::unexpected(stop.error());
  Prepared prepared;
  auto& request = prepared.request;
  request.text = cluster.text, request.file = cluster.file, request.kinds = *kinds;
  request.seed = given.seed, request.runs = given.runs, request.faults = given.faults_in_run;
  request.given.agent_start = *start, request.given.agent_stop = *stop, request.given.owners = cluster.owners;
  request.jobs = given.jobs == 0 ? std::max(1U, std::thread::hardware_concurrency()) : given.jobs;
  prepared.asked = {command_of(given, list), *kinds, given.faults_in_run, *start, *stop, cluster.otherwise};
  return prepared;
}

}  // namespace

void add_rehearse_options(CLI::App& app, RehearseRequest& request) {
  app.footer(examples);
  std::string kinds;
  for (const auto& kind : rehearse::kinds())
    kinds += fmt::format("{}{}: {}", kinds.empty() ? "" : "; ", kind.name, kind.what);
  auto* config = app.add_option("--config", request.config_file, "a cluster.toml")->capture_default_str();
  app.add_flag("--live", request.live, "instead: the configuration in force, with everything where it runs now")
      ->excludes(config);
  app.add_option("--faults", request.faults, "which fall, with commas between. " + kinds)
      ->default_str(rehearse::usual_kinds());
  app.add_option("--runs", request.runs, "how many, each from a seed of its own")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--seed", request.seed, "the first seed; the same seed is the same run")->capture_default_str();
  app.add_option("--faults-in-run", request.faults_in_run, "so many fall in each run, all within five seconds")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  app.add_option("--start", request.start, "how long each agent takes to start")->capture_default_str();
  app.add_option("--stop", request.stop, "and to stop")->capture_default_str();
  app.add_option("--jobs", request.jobs, "threads; 0: one for each processor")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
}

int run_rehearse(const RehearseRequest& request, const Ask& ask, const Surroundings& around) {
  const auto failed = [&](const Error& error, int code) { return tell_failure(error, code, request.as_json, around); };
  const auto cluster = request.live ? from_live(ask) : from_file(request.config_file);
  if (!cluster) return failed(cluster.error(), request.live ? no_contact : unusable);
  auto prepared = prepare(request, *cluster);
  if (!prepared) return failed(prepared.error(), unusable);
  const auto report = [&] {
    ProgressLine progress(around.err, request.runs);
    prepared->request.progress = [&](std::uint64_t done) { progress(done); };
    return rehearse::rehearse(prepared->request);
  }();
  if (!report) return failed(report.error(), unusable);
  if (request.as_json)
    around.out << one_line(rehearsal_json(*report, prepared->asked)) << "\n";
  else
    around.out << rehearsal_text(*report, prepared->asked);
  return report->figures.good() ? ok : refused;
}

}  // namespace bascule::cli
