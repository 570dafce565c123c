#include "runtime/manager_host/fence_runner.h"

#include "runtime/agent_metadata/kept_metadata.h"

namespace bascule::manager_host {

namespace {

constexpr Duration metadata_timeout = seconds(20);

/// The last line that says something: agents log more than one.
std::string last_line(const std::string& text) {
  const auto end = text.find_last_not_of(" \n\r\t");
  if (end == std::string::npos) return {};
  const auto begin = text.rfind('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

std::string words_of(const process::Completion& done) {
  if (!done.reason.empty()) return done.reason;
  const auto said = last_line(done.output);
  return said.empty() ? "exit code " + std::to_string(done.return_code) : said;
}

}  // namespace

FenceRunner::FenceRunner(boost::asio::io_context& io, Where where, process::Log log, Sink sink)
    : io_(io), where_(std::move(where)), log_(std::move(log)), sink_(std::move(sink)) {}

FenceRunner::~FenceRunner() = default;

FenceRunner::Place& FenceRunner::place(const std::string& name) {
  auto& place = places_[name];
  if (place.executor) return place;
  const std::string group = "fence-" + name;
  place.processes = process::open_service_processes(io_, where_.directory, group, log_, where_.cgroup);
  place.executor = std::make_unique<process::Executor>(io_, *place.processes, group, log_);
  return place;
}

process::Launch FenceRunner::launch(const std::string& agent, const std::string& step, const std::string& action,
                                    std::string input, Duration timeout) const {
  process::Launch launch;
  launch.step = step;
  launch.operation = action;
  launch.path = where_.agents + "/" + agent;
  launch.environment = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"HOME", "/"}, {"LC_ALL", "C"}};
  launch.timeout = timeout;
  launch.input = std::move(input);
  return launch;
}

void FenceRunner::ask_abilities(const config::ClusterConfig& config) {
  for (const auto& device : config.fences) {
    if (!asked_.insert(device.agent).second) continue;
    const auto stamp = agent_metadata::stamp_of(where_.agents + "/" + device.agent);
    const auto kept = fencing::parse_metadata(
        where_.cache.empty() ? "" : agent_metadata::kept(where_.cache + "/" + device.agent, stamp));
    if (kept)
      sink_(manager::input::FenceAbilities{device.agent, *kept});
    else
      ask(device.agent, stamp);
  }
}

void FenceRunner::ask(const std::string& agent, const std::string& stamp) {
  place(agent).executor->run(launch(agent, agent, "metadata", "action=metadata\n", metadata_timeout),
                             [this, agent, stamp](const process::Completion& done) {
                               const auto abilities = fencing::parse_metadata(done.printed);
                               if (!abilities && log_)
                                 log_(agent + ": " + abilities.error().text() + ": " + words_of(done));
                               if (abilities && !where_.cache.empty())
                                 agent_metadata::keep(where_.cache + "/" + agent, stamp, done.printed);
                               sink_(manager::input::FenceAbilities{agent, abilities.value_or(fencing::Abilities{})});
                             });
}

void FenceRunner::run(const std::string& node, const fencing::effect::RunAgent& run) {
  auto& one = place(run.device);
  auto* processes = one.processes.get();
  one.executor->run(launch(run.agent, run.device, run.action, run.input, run.timeout),
                    [this, node, processes, id = run.run](const process::Completion& done) {
                      manager::input::FenceAgentDone answer{node, {id, done.return_code, words_of(done)}};
                      // What it started and left behind could still act on the device while the next attempt runs.
                      if (!done.timed_out) return sink_(std::move(answer));
                      processes->kill_all([this, answer = std::move(answer)] { sink_(answer); });
                    });
}

}  // namespace bascule::manager_host
