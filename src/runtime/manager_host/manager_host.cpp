#include "runtime/manager_host/manager_host.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "base/crc32c.h"
#include "core/manager/manager.h"
#include "runtime/address/address_watch.h"
#include "runtime/agent_metadata/ocf_metadata.h"
#include "runtime/keys/key_file.h"
#include "runtime/keys/random.h"
#include "runtime/manager_host/agent_runner.h"
#include "runtime/manager_host/block_client.h"
#include "runtime/manager_host/fence_runner.h"
#include "runtime/manager_host/join_door.h"
#include "runtime/manager_host/kept_files.h"
#include "runtime/manager_host/udp_links.h"
#include "runtime/mount/mount_watch.h"
#include "runtime/raft_storage/raft_storage.h"
#include "runtime/watchdog/client.h"
#include "runtime/watchdog/lease_file.h"

namespace bascule::manager_host {

namespace asio = boost::asio;

namespace {

constexpr membership::LinkMask all_links = 0xff;
constexpr const char* installed_tools = "/usr/lib/bascule/agent-tools";

Result<std::uint64_t> random_seed() {
  std::array<Byte, sizeof(std::uint64_t)> bytes{};
  if (auto filled = keys::fill_at_random(bytes); !filled) return tl::unexpected(filled.error());
  return get_big<std::uint64_t>(ByteView(bytes), 0);
}

/// Where the links to bascule-agent-tools lie: installed, or beside this program in a build; empty: nowhere.
std::string tools_directory() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  for (const auto& directory : {program.parent_path() / "agent-tools", std::filesystem::path(installed_tools)})
    if (std::filesystem::exists(directory / "crm_attribute", ignored)) return directory;
  return {};
}

/// The boot id, and the pid namespace: a container that is started again has lost what a boot loses.
std::string boot_of_this_host() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  struct stat space {};
  if (::stat("/proc/self/ns/pid", &space) == 0) boot += "-" + std::to_string(space.st_ino);
  return boot;
}

Result<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return {};
  return fail_errno("a directory cannot be made", path, errno);
}

}  // namespace

struct ManagerHost::State {
  State(asio::io_context& io_in, const config::ClusterConfig& config_in, Options options_in)
      : io(io_in),
        whole(config_in),
        config(config_in.of_managers()),
        options(std::move(options_in)),
        timer(io),
        wall_timer(io) {}

  Result<void> open();
  Result<void> open_storage(std::uint64_t seed);
  Result<void> open_links();
  void open_data_node();
  void change(message::Command command, Done done);
  void tell_machine(const std::string& boot);
  void open_fencing();
  void ask_agents();
  void agent_told(const agent_metadata::OcfMetadata::Told& told);
  void step(const manager::Input& input);
  void carry_out(manager::Effect& effect);
  void arm_timer();
  void send_grants();
  void send_releases();
  void persisted(const consensus::Input& input);
  void open_runner(const config::Service& service, const std::string& directory);
  void define_runner(const manager::effect::DefineRunner& defined);
  void close_runner(const std::string& name);
  void attend_volume(const std::string& volume, bool open);
  void configured(const manager::effect::Configured& now);
  void tell_watchdog();

  template <typename Action>
  void with_block(const std::string& volume, Action action) {
    if (const auto it = blocks.find(volume); it != blocks.end()) action(*it->second);
  }
  template <typename Action>
  void with_runner(const std::string& runner, Action action) {
    if (const auto it = runners.find(runner); it != runners.end()) action(*it->second);
  }

  asio::io_context& io;
  config::ClusterConfig whole;   ///< as it was at the start
  config::ClusterConfig config;  ///< of the managers, in force
  Options options;
  asio::steady_timer timer;
  Instant timer_at = never;
  std::optional<UdpLinks> links;
  Journal journal;
  std::optional<History> history;
  std::map<std::string, std::unique_ptr<BlockClient>> blocks;
  std::map<std::string, std::shared_ptr<int>> attended;  ///< whose blockd is listened to
  std::vector<std::unique_ptr<BlockClient>> let_go;
  std::optional<units::Units> units;  ///< of a data node
  std::map<std::string, std::unique_ptr<AgentRunner>> runners;
  asio::steady_timer wall_timer;
  std::unique_ptr<FenceRunner> fence_runner;
  std::optional<agent_metadata::OcfMetadata> agent_metadata;  ///< of a data node
  std::optional<address::AddressWatch> address_watch;
  std::optional<mount::MountWatch> mount_watch;
  std::unique_ptr<watchdog::Client> watchdog_client;
  std::vector<watchdog::Client::Grant> grants;          ///< not told yet: all of a moment are told at once
  std::vector<manager::effect::ReleaseLease> releases;  ///< not delivered yet: an armed slot would reset the machine
  bool watchdog_to_read = false;                        ///< the configuration is another one, and it was not told yet
  std::unique_ptr<manager::Manager> manager;
  std::optional<JoinDoor> join_door;
  std::map<manager::RequestId, Done> waiting;
  manager::RequestId next_request = 1;
  std::function<void()> restart_ready;
  bool stepping = false;
  std::vector<manager::Input> queued;  ///< inputs that arose while effects were carried out
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  std::unique_ptr<raft_storage::RaftStorage> storage;  ///< last: its worker ends before what it calls
};

Result<void> ManagerHost::State::open() {
  for (const auto& directory : {options.run_dir, options.state_dir})
    if (auto made = make_directory(directory); !made) return made;
  if (auto opened = journal.open(options.state_dir); !opened) return opened;
  const auto seed = random_seed();
  if (!seed) return tl::unexpected(seed.error());
  if (auto opened = open_storage(*seed); !opened) return opened;
  history.emplace(io, config, options.node, journal, [this](std::uint32_t to, message::Message message) {
    if (!links) return;
    links->send(to, all_links, message);
    if (!stepping) links->flush();
  });
  if (auto opened = history->open(options.state_dir); !opened) return opened;
  if (auto opened = open_links(); !opened) return opened;
  join_door.emplace(io, *manager,
                    [this](message::Command command, Done done) { change(std::move(command), std::move(done)); });
  join_door->open(config, *config.node(options.node));
  if (config.node(options.node)->role == config::NodeRole::data) open_data_node();
  open_fencing();
  tell_machine(boot_of_this_host());
  return {};
}

/// The manager has no wall clock of its own; people want to read when something was.
void ManagerHost::State::tell_machine(const std::string& boot) {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  const auto wall_ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall).count();
  ask_agents();
  step(manager::input::Machine{boot, static_cast<std::uint64_t>(std::max<std::int64_t>(0, wall_ms))});
  wall_timer.expires_after(std::chrono::minutes(10));
  wall_timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) tell_machine("");
  });
}

Result<void> ManagerHost::State::open_links() {
  std::optional<sealed::Keyring> keyring;
  if (config.key_file) {
    auto read = keys::read(*config.key_file);
    if (!read) return tl::unexpected(read.error());
    keyring = std::move(*read);
  } else {
    spdlog::warn(
        "key_file = \"none\": whoever can send from a node's address is believed, and the network reads along");
  }
  links.emplace(io, config, *config.node(options.node), std::move(keyring));
  return links->open(
      [this](std::uint32_t from, std::size_t link, message::Message message) {
        if (auto* request = std::get_if<message::HistoryRequest>(&message)) return history->received(from, *request);
        if (auto* reply = std::get_if<message::HistoryReply>(&message)) return history->received(from, *reply);
        step(manager::input::Received{from, std::move(message), link});
      },
      [this](std::uint32_t from, std::size_t link) {
        step(manager::input::LinkHeard{from, link});
      });
}

Result<void> ManagerHost::State::open_storage(std::uint64_t seed) {
  const raft::FileOwner owner{crc32c(view_of(config.name)), config.node(options.node)->id};
  auto report = [this, guard = std::weak_ptr<int>(alive)](consensus::Input input) {
    asio::post(io, [this, guard, input = std::move(input)] {
      if (!guard.expired()) persisted(input);
    });
  };
  auto opened = raft_storage::RaftStorage::open(options.state_dir, owner, report);
  if (!opened) return tl::unexpected(opened.error());
  storage = std::move(opened->storage);
  manager = std::make_unique<manager::Manager>(whole, options.node, std::move(opened->restored), seed,
                                               journal.told_index(), watchdog::boot_now(),
                                               manager::Startup{options.config_text, has_joined(options.state_dir)});
  return {};
}

void ManagerHost::State::persisted(const consensus::Input& input) {
  if (const auto* done = std::get_if<consensus::Persisted>(&input)) step(manager::input::Persisted{done->sequence});
  if (const auto* failed = std::get_if<consensus::PersistFailed>(&input))
    step(manager::input::PersistFailed{failed->why});
}

void ManagerHost::State::open_data_node() {
  watchdog_client = std::make_unique<watchdog::Client>(options.run_dir);
  if (auto prepared = process::prepare_agent_directories(); !prepared) spdlog::warn("{}", prepared.error().text());
  address_watch.emplace(io, [this] {
    for (auto& [name, runner] : runners) runner->look_now();
  });
  if (auto watched = address_watch->open(); !watched) spdlog::warn("{}", watched.error().text());
  mount_watch.emplace(io, [this] {
    for (auto& [name, runner] : runners) runner->mounts_changed();
  });
  if (auto watched = mount_watch->open(); !watched) spdlog::warn("{}", watched.error().text());
  units.emplace(io, [](const std::string& line) { spdlog::warn("{}", line); });
  const std::string directory = process::node_directory(config.name, options.node);
  if (!options.cgroup.empty() && ::access(options.cgroup.c_str(), W_OK) != 0) {
    spdlog::warn("the services' processes live at the root of the cgroup tree: {}: {}", options.cgroup,
                 std::strerror(errno));
    options.cgroup.clear();
  }
  agent_metadata.emplace(
      io,
      agent_metadata::OcfMetadata::Where{
          .directory = directory, .cgroup = options.cgroup, .cache = options.state_dir + "/agents"},
      [](const std::string& line) { spdlog::info("{}", line); },
      [this](const agent_metadata::OcfMetadata::Told& told) { agent_told(told); });
}

void ManagerHost::State::attend_volume(const std::string& volume, bool open) {
  // One that is let go is not heard any more, and not destroyed inside of its own call.
  if (const auto found = blocks.find(volume); found != blocks.end()) {
    let_go.push_back(std::move(found->second));
    blocks.erase(found);
    attended.erase(volume);
  }
  if (!open) return;
  auto sink = [this, current = std::weak_ptr<int>(attended[volume] = std::make_shared<int>(0))](manager::Input input) {
    if (!current.expired()) step(input);
  };
  auto client = std::make_unique<BlockClient>(io, volume, options.run_dir + "/blockd." + volume + ".sock", sink);
  client->start();
  blocks.emplace(volume, std::move(client));
}

void ManagerHost::State::define_runner(const manager::effect::DefineRunner& defined) {
  const auto found = runners.find(defined.runner);
  if (found != runners.end() && !defined.afresh) return found->second->redefine(defined.service);
  close_runner(defined.runner);
  open_runner(defined.service, process::node_directory(config.name, options.node));
}

/// Not inside of its own call.
void ManagerHost::State::close_runner(const std::string& name) {
  const auto found = runners.find(name);
  if (found == runners.end()) return;
  asio::post(io, [old = std::shared_ptr<AgentRunner>(std::move(found->second))] {});
  runners.erase(found);
}

/// In this order: what the file says is what the others read.
void ManagerHost::State::configured(const manager::effect::Configured& now) {
  config = *now.config;
  const auto* self = config.node(options.node);
  const auto linked_self = std::find_if(now.linked.begin(), now.linked.end(),
                                        [&](const config::Node& node) { return node.name == options.node; });
  if (linked_self != now.linked.end()) links->configure(now.linked, self != nullptr ? *self : *linked_self);
  if (self != nullptr && join_door) join_door->open(config, *self);
  keep_configuration(options.config_file, now.edited ? "" : options.config_text, now.text);
  options.config_text = now.text;
  watchdog_to_read = watchdog_client != nullptr;
  tell_watchdog();
  if (fence_runner) fence_runner->ask_abilities(config);
  ask_agents();
}

/// Those that were not asked, or are other files by now.
void ManagerHost::State::ask_agents() {
  if (agent_metadata) agent_metadata->ask(config);
}

void ManagerHost::State::agent_told(const agent_metadata::OcfMetadata::Told& told) {
  const auto findings = agent_metadata::findings_of(config, {{agents::agent_name(told.agent), told}});
  for (const auto* list : {&findings.wrong, &findings.absent})
    for (const auto& text : *list) spdlog::warn("{}", text);
  const bool offers_notify = !told.metadata || told.metadata->offers("notify");
  step(manager::input::AgentSays{agents::agent_name(told.agent), offers_notify});
}

/// Until it was delivered: bascule-watchdogd has to know the leases and addresses of new services.
void ManagerHost::State::tell_watchdog() {
  if (watchdog_to_read && watchdog_client->configure()) watchdog_to_read = false;
}

void ManagerHost::State::open_fencing() {
  fence_runner = std::make_unique<FenceRunner>(
      io,
      FenceRunner::Where{options.fence_agents, process::node_directory(config.name, options.node), options.cgroup,
                         options.state_dir + "/fence-agents"},
      [](const std::string& line) { spdlog::info("{}", line); }, [this](manager::Input input) { step(input); });
  fence_runner->ask_abilities(config);
}

void ManagerHost::State::open_runner(const config::Service& service, const std::string& directory) {
  auto log = [name = service.name](const std::string& line) { spdlog::info("{}: {}", name, line); };
  const AgentRunner::Place place{directory, options.cgroup, tools_directory(), options.run_dir + "/manager.sock"};
  auto sink = [this, name = service.name](transition::Input input) {
    step(manager::input::ForRunner{name, std::move(input)});
  };
  runners.emplace(service.name, std::make_unique<AgentRunner>(io, service, options.node, place, *units, log, sink));
}

void ManagerHost::State::step(const manager::Input& input) {
  queued.push_back(input);
  if (stepping) return;
  stepping = true;
  while (!queued.empty()) {
    std::vector<manager::Input> inputs;
    inputs.swap(queued);
    for (const auto& next : inputs) {
      manager::Effects effects;
      manager->step(next, watchdog::boot_now(), effects);
      for (auto& effect : effects) carry_out(effect);
    }
  }
  send_grants();
  stepping = false;
  if (links) links->flush();
  if (!releases.empty()) send_releases();
  tell_watchdog();
  arm_timer();
}

void ManagerHost::State::send_grants() {
  for (std::span<const watchdog::Client::Grant> left(grants); !left.empty();) {
    const auto some = left.first(std::min<std::size_t>(left.size(), watchdog::lease_updates_max));
    (void)watchdog_client->grant(some);  // not delivered: the next heartbeat renews it
    left = left.subspan(some.size());
  }
  grants.clear();
}

void ManagerHost::State::send_releases() {
  std::erase_if(releases, [&](const auto& release) { return watchdog_client->release(release.slot, release.epoch); });
}

void ManagerHost::State::arm_timer() {
  const Instant deadline = manager->next_deadline();
  if (deadline == timer_at) return;
  timer_at = deadline;
  timer.expires_after(std::clamp(deadline - watchdog::boot_now(), Duration::zero(), Duration(seconds(1))));
  timer.async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    timer_at = never;
    step(manager::input::Tick{});
  });
}

void ManagerHost::State::carry_out(manager::Effect& effect) {
  namespace me = manager::effect;
  if (auto* e = std::get_if<me::Send>(&effect)) return links->send(e->to, e->links, e->message);
  if (auto* e = std::get_if<me::GrantLease>(&effect)) return grants.push_back({e->slot, e->epoch, e->end});
  send_grants();  // before anything that may rely on them
  if (auto* e = std::get_if<me::Persist>(&effect)) return storage->persist({e->sequence, std::move(e->change)});
  if (auto* e = std::get_if<me::Promote>(&effect))
    return with_block(e->volume, [&](BlockClient& block) { block.promote(e->epoch, e->initial); });
  if (auto* e = std::get_if<me::Demote>(&effect))
    return with_block(e->volume, [&](BlockClient& block) { block.demote(e->force); });
  if (auto* e = std::get_if<me::FailIo>(&effect))
    return with_block(e->volume, [](BlockClient& block) { block.fail_io(); });
  if (auto* e = std::get_if<me::InSync>(&effect))
    return with_block(e->volume, [&](BlockClient& block) { block.in_sync(e->version, e->members); });
  if (auto* e = std::get_if<me::PeerLost>(&effect))
    return with_block(e->volume, [&](BlockClient& block) { block.peer_lost(e->reason); });
  if (auto* e = std::get_if<me::RunAction>(&effect))
    return with_runner(e->runner, [&](AgentRunner& runner) { runner.run(e->action); });
  if (auto* e = std::get_if<me::CancelActions>(&effect))
    return with_runner(e->runner, [](AgentRunner& runner) { runner.cancel(); });
  if (auto* e = std::get_if<me::KillCgroup>(&effect))
    return with_runner(e->runner, [](AgentRunner& runner) { runner.kill(); });
  if (auto* e = std::get_if<me::Unmount>(&effect)) {
    const std::string device = e->volume.empty() ? "" : options.run_dir + "/device/" + e->volume;
    return with_runner(e->runner, [&](AgentRunner& runner) { runner.unmount(device); });
  }
  if (auto* e = std::get_if<me::ReleaseLease>(&effect)) {
    releases.push_back(*e);
    return send_releases();
  }
  if (auto* e = std::get_if<me::RunFenceAgent>(&effect)) return fence_runner->run(e->node, e->run);
  if (auto* e = std::get_if<me::ChangeDone>(&effect)) {
    const auto it = waiting.find(e->request);
    if (it == waiting.end()) return;
    const Done done = std::move(it->second);
    waiting.erase(it);
    return done(e->accepted, e->why);
  }
  if (auto* e = std::get_if<me::Story>(&effect)) {
    spdlog::info("{} {}: {}", e->event.kind, e->event.subject, e->event.text);
    return journal.add(std::move(e->event));
  }
  if (auto* e = std::get_if<me::Configured>(&effect)) return configured(*e);
  if (auto* e = std::get_if<me::DefineRunner>(&effect)) return define_runner(*e);
  if (auto* e = std::get_if<me::CloseRunner>(&effect)) return close_runner(e->runner);
  if (auto* e = std::get_if<me::AttendVolume>(&effect)) return attend_volume(e->volume, e->open);
  if (std::holds_alternative<me::RestartReady>(effect)) return restart_ready ? restart_ready() : void();
  if (auto* e = std::get_if<me::KeepDecision>(&effect)) return journal.keep_decision(e->json);
  if (auto* e = std::get_if<me::Stop>(&effect)) {
    spdlog::critical("cannot go on: {}", e->reason);
    std::_Exit(1);  // a failed disk is not tried again; the supervisor starts us anew
  }
}

ManagerHost::ManagerHost(std::unique_ptr<State> state) : state_(std::move(state)) {}
ManagerHost::~ManagerHost() = default;

Result<std::unique_ptr<ManagerHost>> ManagerHost::open(asio::io_context& io, const config::ClusterConfig& config,
                                                       Options options) {
  if (config.of_managers().node(options.node) == nullptr)
    return fail("this node is not in the configuration", options.node,
                "cluster.toml has no [node." + options.node + "]", "start with --node, or set the host name");
  auto state = std::make_unique<State>(io, config, std::move(options));
  if (auto opened = state->open(); !opened) return tl::unexpected(opened.error());
  return std::unique_ptr<ManagerHost>(new ManagerHost(std::move(state)));
}

std::string ManagerHost::status_json() const { return state_->manager->status_json(watchdog::boot_now()); }

std::string ManagerHost::attributes_json() const { return state_->manager->attributes_json(); }

Result<void> ManagerHost::set_attribute(const manager::input::AgentAttribute& attribute) {
  const bool known = attribute.node.empty() || state_->config.node(attribute.node) != nullptr ||
                     attribute.node == message::cluster_attributes;
  if (!known) return fail("there is no node \"" + attribute.node + "\"");
  state_->step(attribute);
  return {};
}

std::string ManagerHost::plan_json(const std::string& text) const {
  return state_->manager->plan_json(text, watchdog::boot_now());
}

std::string ManagerHost::history_json(std::optional<std::uint64_t> version) const {
  auto reply = nlohmann::ordered_json::parse(state_->manager->history_json(version));
  if (reply.contains("tokens"))
    for (auto& token : reply.at("tokens")) token.erase("hash");
  return reply.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void ManagerHost::State::change(message::Command command, Done done) {
  const auto request = next_request++;
  waiting.emplace(request, std::move(done));
  step(manager::input::Change{request, std::move(command)});
}

void ManagerHost::change(message::Command command, Done done) { state_->change(std::move(command), std::move(done)); }

void ManagerHost::issue_token(const std::string& node, std::uint64_t valid_s, const std::string& who, TokenDone done) {
  state_->join_door->issue(state_->config, node, valid_s, who, std::move(done));
}

void ManagerHost::history(history::Filter filter, const std::string& cursor, History::Done done) {
  for (const auto& subject : std::set<std::string>(filter.subjects))
    if (const auto* service = state_->config.service(subject); service != nullptr && service->volume)
      filter.subjects.insert(*service->volume);
  state_->history->query(std::move(filter), cursor, std::move(done));
}

Journal& ManagerHost::journal() { return state_->journal; }

void ManagerHost::prepare_restart(std::function<void()> ready) {
  state_->restart_ready = std::move(ready);
  state_->step(manager::input::PrepareRestart{});
}

Result<void> ManagerHost::reload_keys() {
  if (!state_->config.key_file) return {};
  auto read = keys::read(*state_->config.key_file);
  if (!read) return tl::unexpected(read.error());
  state_->links->replace_keys(std::move(*read));
  return {};
}

}  // namespace bascule::manager_host
