// OCF agents are run with `meta-data`, as Pacemaker does.
#include "runtime/agent_metadata/ocf_metadata.h"

#include <algorithm>

#include "core/agents/ocf.h"
#include "runtime/agent_metadata/kept_metadata.h"

namespace bascule::agent_metadata {
namespace {

constexpr const char* processes_name = "agent-metadata";
constexpr Duration patience_here = seconds(5);  // what OCF advises for meta-data

agents::Invocation invocation_of(const config::Step& agent, const agents::Roots& roots, Duration timeout) {
  agents::Request request;
  request.service = agent.type;
  request.operation = "meta-data";
  request.timeout = timeout;
  return agents::invocation(agent, request, roots);
}

std::string program_of(const config::Step& agent, const agents::Roots& roots) {
  return invocation_of(agent, roots, {}).path;
}

Error not_installed(const config::Step& agent, const std::string& program) {
  return {agents::agent_name(agent) + " is not on this machine", "", "there is no " + program,
          "install the package that has it"};
}

/// What it printed as meta-data, or what came of it.
Result<agents::AgentMetadata> judged(const config::Step& agent, const process::Completion& done) {
  const std::string what = agents::agent_name(agent) + " did not give its meta-data";
  if (done.timed_out) return fail(what, "", done.reason, "run it by hand with the argument meta-data");
  if (done.printed.size() >= agents::metadata_bytes_max)
    return fail(what, "", "it printed more than 1 MiB", "run it by hand with the argument meta-data");
  if (done.return_code != 0)
    return fail(what, "", agents::describe(done.return_code) + (done.reason.empty() ? "" : ": " + done.reason),
                "run it by hand with the argument meta-data");
  auto read = agents::parse_metadata(done.printed);
  if (!read) return fail(what, read.error().where, read.error().why, read.error().hint);
  return read;
}

config::ClusterConfig configuration_with(const config::Step& agent) {
  config::ClusterConfig config;
  config.services.emplace_back().steps = {agent};
  return config;
}

}  // namespace

OcfMetadata::OcfMetadata(boost::asio::io_context& io, Where where, process::Log log,
                         std::function<void(const Told&)> sink)
    : io_(io), where_(std::move(where)), log_(std::move(log)), sink_(std::move(sink)) {}

OcfMetadata::~OcfMetadata() = default;

void OcfMetadata::ask(const config::ClusterConfig& config) {
  for (const auto& service : config.services)
    for (const auto& step : service.steps)
      if (step.standard == "ocf") ask(step);
}

void OcfMetadata::ask(const config::Step& agent) {
  const auto program = program_of(agent, where_.roots);
  const auto stamp = stamp_of(program);
  const auto [known, is_new] = asked_.try_emplace(agents::agent_name(agent), stamp);
  if (!is_new && known->second == stamp) return;
  known->second = stamp;
  if (stamp.empty()) return sink_({agent, tl::unexpected(not_installed(agent, program)), false});
  if (!where_.cache.empty())
    if (auto read = agents::parse_metadata(kept(cache_of(agent), stamp))) return sink_({agent, std::move(read), true});
  queue_.push_back({agent, stamp});
  next();
}

std::string OcfMetadata::cache_of(const config::Step& agent) const {
  return where_.cache + "/" + agent.provider + ":" + agent.type;
}

/// One after the other: what one has left behind can be killed without meeting another.
void OcfMetadata::next() {
  if (running_ || queue_.empty()) return;
  if (!executor_) {
    processes_ = process::open_service_processes(io_, where_.directory, processes_name, log_, where_.cgroup);
    executor_ = std::make_unique<process::Executor>(io_, *processes_, processes_name, log_);
  }
  const Wanted wanted = queue_.front();
  queue_.pop_front();
  running_ = true;
  auto run = invocation_of(wanted.agent, where_.roots, where_.timeout);
  process::Launch launch{wanted.agent.provider + "-" + wanted.agent.type,
                         "meta-data",
                         std::move(run.path),
                         std::move(run.arguments),
                         std::move(run.environment),
                         where_.timeout};
  launch.printed_bytes_max = agents::metadata_bytes_max;
  executor_->run(std::move(launch), [this, wanted](const process::Completion& done) {
    if (!done.timed_out) return answered(wanted, done);
    processes_->kill_all([this, wanted, done] { answered(wanted, done); });
  });
}

void OcfMetadata::answered(const Wanted& wanted, const process::Completion& done) {
  running_ = false;
  auto metadata = judged(wanted.agent, done);
  if (metadata && !where_.cache.empty()) keep(cache_of(wanted.agent), wanted.stamp, done.printed);
  sink_({wanted.agent, std::move(metadata), true});
  next();
}

std::map<std::string, OcfMetadata::Told> ask_here(const config::ClusterConfig& config, const agents::Roots& roots) {
  boost::asio::io_context io;
  std::map<std::string, OcfMetadata::Told> all;
  OcfMetadata asker(
      io, {roots, "", "none", "", patience_here}, [](const std::string&) {},
      [&](const OcfMetadata::Told& told) { all.insert_or_assign(agents::agent_name(told.agent), told); });
  asker.ask(config);
  while (asker.busy() && io.run_one() > 0) {
  }
  return all;
}

OcfMetadata::Told ask_here(const config::Step& agent, const agents::Roots& roots) {
  return ask_here(configuration_with(agent), roots).begin()->second;
}

Findings findings_of(const config::ClusterConfig& config, const std::map<std::string, OcfMetadata::Told>& told) {
  Findings all;
  const auto add = [](std::vector<std::string>& list, const std::string& text) {
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);  // all copies say the same
  };
  for (const auto& service : config.services)
    for (const auto& step : service.steps) {
      const auto found = step.standard == "ocf" ? told.find(agents::agent_name(step)) : told.end();
      if (found == told.end()) continue;
      const auto& metadata = found->second.metadata;
      if (!metadata) {
        add(all.absent, metadata.error().text());
        continue;
      }
      for (const auto& text : agents::metadata_findings(service, step, *metadata)) add(all.wrong, text);
      for (const auto& text : agents::timeout_advice(service, step, *metadata)) add(all.advice, text);
    }
  return all;
}

}  // namespace bascule::agent_metadata
