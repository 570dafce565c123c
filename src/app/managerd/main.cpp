#include <pthread.h>
#include <sched.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "edge/api/api_server.h"
#include "runtime/files/blank_device.h"
#include "runtime/manager_host/agent_runner.h"
#include "runtime/manager_host/manager_host.h"
#include "runtime/supervisor/notify.h"
#include "runtime/watchdog/config_file.h"

namespace {

using namespace bascule;

constexpr std::chrono::seconds restart_patience{2};
constexpr std::size_t thread_stack_bytes = 256 * 1024;

/// Locked memory is there from the start, and 8 MiB for the stack of a thread is more than this program needs in all.
void make_small_stacks() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, thread_stack_bytes);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
}

/// Heartbeats must not wait for whatever else this machine does. Agents are started with normal priority again.
void become_punctual() {
  make_small_stacks();
  sched_param priority{};
  priority.sched_priority = 10;
  if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority) != 0)
    spdlog::warn("no real-time priority: {}", std::strerror(errno));
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) spdlog::warn("memory is not locked: {}", std::strerror(errno));
}

std::uint64_t wall_clock_ms() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count());
}

/// The API's view of the manager.
class Door : public api::ManagerDoor {
 public:
  explicit Door(manager_host::ManagerHost& host) : host_(host) {}

  nlohmann::json status() override { return nlohmann::json::parse(host_.status_json()); }

  std::vector<message::Event> events(std::uint64_t since) override {
    std::vector<message::Event> found;
    for (const auto& event : host_.journal().events())
      if (event.sequence > since) found.push_back(event);
    return found;
  }

  nlohmann::json configuration(const api::ConfigurationQuery& query) override {
    return nlohmann::json::parse(query.plan ? host_.plan_json(query.text) : host_.history_json(query.version));
  }

  void token(const api::TokenRequest& request, Done done) override {
    host_.issue_token(request.node, request.valid_s, request.who, [done = std::move(done)](Result<std::string> token) {
      if (!token) return done(tl::unexpected(token.error()));
      done(nlohmann::json{{"token", *token}});
    });
  }

  nlohmann::json attributes() override { return nlohmann::json::parse(host_.attributes_json()); }

  Result<void> set_attribute(const api::AgentAttributeRequest& request) override {
    return host_.set_attribute(
        {request.node, request.name, request.value, milliseconds(static_cast<std::int64_t>(request.delay_ms))});
  }

  void change(message::Command command, Done done) override {
    if (auto* configuration = std::get_if<message::SetConfig>(&command)) configuration->at_ms = wall_clock_ms();
    const std::string what = message::text(command);
    host_.change(std::move(command), [done = std::move(done), what](bool accepted, const std::string& why) {
      if (accepted) return done(nlohmann::json{{"done", what}});
      done(fail("refused", "", why));
    });
  }

  void history(const api::HistoryQuery& query, std::function<void(History)> done) override {
    history::Filter filter{query.since_ms, {}, query.node, query.kind, query.limit};
    if (!query.service.empty()) filter.subjects.insert(query.service);
    host_.history(std::move(filter), query.cursor, [done = std::move(done)](manager_host::History::Answer answer) {
      History told;
      for (const auto& event : answer.events) told.events.push_back(nlohmann::json::parse(event));
      told.answer = nlohmann::json::parse(answer.about);
      done(std::move(told));
    });
  }

 private:
  manager_host::ManagerHost& host_;
};

/// `systemctl reload`: the key file is read again, each time.
void reload_keys_at(boost::asio::signal_set& signals, manager_host::ManagerHost& host) {
  signals.async_wait([&signals, &host](const boost::system::error_code& error, int) {
    if (error) return;
    if (const auto reloaded = host.reload_keys(); reloaded)
      spdlog::info("the keys were read again");
    else
      spdlog::error("{}; the keys in use stay", reloaded.error().text());
    reload_keys_at(signals, host);
  });
}

/// SIGTERM is a restart on purpose: what this node has stays leased to it until the manager is back, or for
/// restart_lease_ms. Whatever comes first ends the process: the leases, the patience, SIGINT, or a second signal.
void end_at(boost::asio::io_context& io, boost::asio::signal_set& signals, boost::asio::steady_timer& patience,
            manager_host::ManagerHost& host) {
  signals.async_wait([&](const boost::system::error_code& error, int number) {
    if (error) return;
    if (number == SIGINT) return io.stop();
    patience.expires_after(restart_patience);
    patience.async_wait([&io](const boost::system::error_code& cancelled) {
      if (!cancelled) spdlog::warn("no majority agreed to longer leases in time");
      io.stop();
    });
    signals.async_wait([&io](const boost::system::error_code&, int) { io.stop(); });
    host.prepare_restart([&io] {
      spdlog::info("the leases outlast a restart");
      io.stop();
    });
  });
}

Result<void> serve(const std::string& config_file, manager_host::Options options) {
  options.config_file = config_file;
  options.config_text = config::text_of_file(config_file);
  const auto whole = config::load(config_file);
  if (!whole) return tl::unexpected(whole.error());
  if (const auto* node = whole->node(options.node); node != nullptr && !node->runs_manager())
    return fail("nothing to do", options.node, "a peer only replicates: it has no manager");
  boost::asio::io_context io(1);
  auto host = manager_host::ManagerHost::open(io, *whole, options);
  if (!host) return tl::unexpected(host.error());
  Door door(**host);
  auto server = api::ApiServer::start(io, options.run_dir + "/manager.sock", door);
  if (!server) return tl::unexpected(server.error());
  (*host)->journal().listen([&](const message::Event& event) { (*server)->publish(event); });
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  boost::asio::steady_timer patience(io);
  end_at(io, signals, patience, **host);
  boost::asio::signal_set reload(io, SIGHUP);
  reload_keys_at(reload, **host);
  become_punctual();
  spdlog::info("{} of {} is up", options.node, whole->name);
  supervisor::notify("READY=1");
  io.run();
  spdlog::info("ends; services and volumes go on without a manager until their leases end");
  return {};
}

/// Not for people: see make_filesystem_word.
int make_filesystem(const char* device, const char* type) {
  const auto made = files::make_filesystem(device, type);
  if (made) return 0;
  std::fprintf(stderr, "%s\n", made.error().text().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == manager_host::make_filesystem_word) return make_filesystem(argv[2], argv[3]);
  std::string config_file = config::default_file;
  manager_host::Options options;
  options.node = config::host_name();
  CLI::App app("Consensus, leases, policy and services of this node.", "bascule-managerd");
  app.footer("Example:\n  bascule-managerd --config /etc/bascule/cluster.toml");
  app.add_option("--config", config_file, "configuration")->capture_default_str();
  app.add_option("--node", options.node, "which node this is")->capture_default_str();
  app.add_option("--run-dir", options.run_dir, "sockets")->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "consensus log, events")->capture_default_str();
  app.add_option("--fence-agents", options.fence_agents, "directory of the fence agents")->capture_default_str();
  app.add_option("--cgroup", options.cgroup,
                 "below which the services' processes live [the root of the cgroup 2 tree]");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  spdlog::set_default_logger(spdlog::stderr_logger_st("bascule-managerd"));
  spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e %n %l: %v");
  if (const auto served = serve(config_file, options); !served) {
    spdlog::error("{}", served.error().text());
    return 2;
  }
  return 0;
}
