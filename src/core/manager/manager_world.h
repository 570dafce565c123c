#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/manager/manager.h"

/// Managers in virtual time, for tests: datagrams that take a millisecond, disks that take two, a pretended blockd for
/// each copy of a volume, and pretended agents. Everything else is the product.
namespace bascule::manager::test {

/// How long the pretended things take, each time.
constexpr Duration network_delay = milliseconds(1);
constexpr Duration disk_delay = milliseconds(2);
constexpr Duration agent_delay = milliseconds(20);
constexpr Duration block_delay = milliseconds(5);

struct PretendedAgent {
  bool running = false;
  bool promoted = false;
  int start_code = 0;    ///< what its start will answer
  int monitor_code = 0;  ///< what its monitor will answer while running
  int notify_code = 0;
  Duration notify_takes = agent_delay;  ///< longer than its timeout: it is killed then
};

/// One run of an agent of a service with notifications.
struct AgentRun {
  std::string host, runner, operation;
  std::map<std::string, std::string> environment;  ///< of what the notification says
  Instant began{};
  Instant ended = never;  ///< never: its host died before
  int code = 0;

  /// "pre promote bob" of a notification; else the operation.
  [[nodiscard]] std::string text() const;
};

/// One host's copy of one volume.
struct PretendedBlockd {
  std::string peer;  ///< the host that has the other copy
  bool up = true;    ///< false: bascule-blockd itself does not run
  bool just_created = true;
  bool up_to_date = false;
  std::optional<std::uint64_t> promoted_epoch;
  bool grow_wanted = false;
  bool shrink_wanted = false;
  std::set<std::string> members;
  std::uint64_t in_sync_version = 0;
};

/// What a manager sent.
struct Traffic {
  std::uint64_t messages = 0;
  std::uint64_t datagrams = 0;  ///< what one step sends to one node goes together
  std::uint64_t bytes = 0;      ///< of the messages, before they are sealed; counted while World::counts_bytes
};

struct Host {
  std::string name;
  bool on = false;
  std::uint64_t boot = 0;            ///< what was under way in an earlier boot is lost with it
  std::unique_ptr<Manager> manager;  ///< null: off, or only the manager is down
  Instant deadline = never;          ///< of its manager, as of its last step
  bool restart_ready = false;
  raft::Restored disk;         ///< what the consensus log would give back
  config::ClusterConfig file;  ///< its cluster.toml
  std::string file_text;
  bool joined = false;
  std::map<std::string, config::Service> runners;                   ///< as the manager defined them
  std::map<std::string, PretendedBlockd> blockds;                   ///< by volume
  std::map<std::string, PretendedAgent> agents;                     ///< by step
  std::map<std::string, std::pair<std::uint64_t, Instant>> leases;  ///< as watchdogd would hold them
  Traffic sent = {};

  [[nodiscard]] PretendedBlockd& blockd(const std::string& volume = "data") { return blockds.at(volume); }
};

class World {
 public:
  /// `say_abilities` changes what every fence agent says of itself.
  explicit World(config::ClusterConfig config, std::function<void(fencing::Abilities&)> say_abilities = {});
  /// The same file on every node.
  explicit World(const std::string& text);
  /// A machine that comes with this file, as `bascule join` wrote it; not on yet.
  void add_host(const std::string& name, const std::string& text);

  void power_on(const std::string& host);
  void power_off(const std::string& host);
  /// Whether its manager runs.
  [[nodiscard]] bool is_up(const std::string& host) const { return hosts_.at(host).manager != nullptr; }
  /// The node that leads as it sees it itself; empty if none.
  [[nodiscard]] std::string leader();
  /// Sends the change and returns its number; the answer is in answer_to() when it has come.
  RequestId send_change(const std::string& host, message::Command command);
  [[nodiscard]] std::optional<std::string> answer_to(RequestId request) { return answers_[request]; }
  /// Only the manager ends, and starts again on what it wrote; agents, blockd and leases go on.
  void manager_down(const std::string& host);
  void manager_up(const std::string& host);
  /// Whether it became ready in time.
  bool prepare_restart(const std::string& host, Duration patience);
  void cut(const std::string& a, const std::string& b);
  /// What `from` says does not arrive at `to` any more.
  void cut_one_way(const std::string& from, const std::string& to);
  void heal();
  void run(Duration duration);
  /// Runs until `done`, at most `patience`; true if it came.
  bool run_until(const std::function<bool()>& done, Duration patience);
  /// The answer to a person's change at `host`: "" or the refusal. Runs until it is there.
  std::string change(const std::string& host, message::Command command);
  /// As the driver tells it at its start.
  void machine(const std::string& host, const std::string& boot, std::uint64_t wall_ms);
  /// As an agent on that host sets it.
  void attribute(const std::string& host, input::AgentAttribute attribute);
  [[nodiscard]] std::string attributes(const std::string& host) { return hosts_.at(host).manager->attributes_json(); }
  [[nodiscard]] std::uint64_t applied_index(const std::string& host);
  /// As blockd would tell it after something changed.
  void tell_block_states();

  /// Every step of the service runs there, under a valid lease.
  [[nodiscard]] bool serves(const std::string& host, const std::string& service);
  [[nodiscard]] std::string status(const std::string& host);
  Host& host(const std::string& name) { return hosts_.at(name); }
  [[nodiscard]] const std::map<std::string, Host>& hosts() const { return hosts_; }
  /// Called at each moment at which a service may have begun or ceased to run on a host.
  std::function<void(const Host&, const std::string& service)> on_service_change;
  /// Every step of it runs there, whatever its lease says.
  [[nodiscard]] static bool runs(const Host& host, const std::string& service);
  /// Any step of it runs there.
  [[nodiscard]] static bool runs_partly(const Host& host, const std::string& service);
  /// When its lease there ends; nothing: it has none.
  [[nodiscard]] static std::optional<Instant> lease_end(const Host& host, const std::string& service);
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] const std::vector<message::Event>& story() const { return story_; }
  [[nodiscard]] bool told(const std::string& kind, const std::string& subject) const;
  /// How often managers were stepped only because a deadline of theirs had come.
  [[nodiscard]] std::uint64_t ticks() const { return ticks_; }
  /// Whom fence agents have switched off, "alice by bob", in this order. They answer with `fence_code` (0: done).
  [[nodiscard]] const std::vector<std::string>& switched_off() const { return switched_off_; }
  int fence_code = 0;
  /// Volumes that were to be unmounted, wherever they were: "data on alice", in this order.
  [[nodiscard]] const std::vector<std::string>& unmounted() const { return unmounted_; }
  /// Of services with notifications, in the order in which they began; monitors are left out.
  [[nodiscard]] const std::vector<AgentRun>& agent_runs() const { return agent_runs_; }
  /// How many messages about notifications were sent.
  [[nodiscard]] std::uint64_t notices() const { return notices_; }
  /// As the driver tells it.
  void agent_says(const std::string& host, const std::string& agent, bool offers_notify);
  bool counts_bytes = false;  ///< into Traffic; takes long
  /// How many decisions were kept, read again and found to be the same.
  [[nodiscard]] std::uint64_t replayed() const { return replayed_; }
  /// Breaches of "never two", and decisions that are not the same when they are replayed: filled while running.
  [[nodiscard]] const std::vector<std::string>& breaches() const { return breaches_; }

 private:
  struct Later {
    Instant at;
    std::uint64_t order;
    Host* host;  ///< of hosts_, which keeps them where they are
    std::uint64_t boot;
    std::function<void(Host&)> act;
    /// For a heap with the next one in front; what comes at one moment comes in the order it was put in.
    bool operator<(const Later& other) const { return std::tie(other.at, other.order) < std::tie(at, order); }
  };
  void later(Host& host, Duration delay, std::function<void(Host&)> act);
  void act_due();
  void tick_due();
  [[nodiscard]] Instant next_moment(Instant end) const;
  void step(Host& host, const Input& input);
  void count(Host& host, const Effects& effects);
  void send(Host& host, effect::Send& send);
  void carry_out(Host& host, Effect& effect);
  void replay(const Host& host, const std::string& kept);
  void persist(Host& host, effect::Persist& persist);
  void run_action(Host& host, const effect::RunAction& run);
  [[nodiscard]] int act(Host& host, const effect::RunAction& run, PretendedAgent& agent);
  [[nodiscard]] std::size_t note_run(const Host& host, const effect::RunAction& run);
  void run_fence_agent(Host& host, const effect::RunFenceAgent& run);
  void tell_abilities(Host& host);
  void configured(Host& host, const effect::Configured& configured);
  void kill_cgroup(Host& host, const std::string& runner);
  void begin(Host& host);
  bool arrives(const std::string& from, const std::string& to) const;
  bool linked(const std::string& a, const std::string& b) const { return arrives(a, b) && arrives(b, a); }
  void service_may_have_changed(const Host& host, const std::string& service);
  void check_never_two(const std::string& service);

  // ---- pretended_volumes.cpp
  void block_effect(Host& host, const Effect& effect);
  void give_volumes(Host& host);
  void tell_block_state(Host& host, const std::string& volume);
  void tell_block_states_of(Host& host);
  void synchronise_replicas();
  void synchronise_secondaries();
  void synchronise_secondary(Host& host, const std::string& volume, PretendedBlockd& block);
  void synchronise_replica(Host& host, const std::string& volume, PretendedBlockd& block);

  /// Many hosts read the same text.
  [[nodiscard]] const config::ClusterConfig& parsed(const std::string& text);
  std::map<std::string, config::ClusterConfig> parsed_;
  std::map<std::uint32_t, std::string> names_;
  std::map<std::string, std::uint32_t> ids_;
  std::map<std::string, Host> hosts_;
  std::set<std::pair<std::string, std::string>> cuts_, one_way_cuts_;
  std::vector<Later> agenda_;  ///< a heap
  std::uint64_t order_ = 0;
  std::uint64_t ticks_ = 0;
  std::uint64_t replayed_ = 0;
  std::uint64_t seed_ = 1;
  Instant now_ = instant_from_ns(1'000'000'000);
  std::vector<message::Event> story_;
  std::vector<std::string> breaches_;
  std::vector<std::string> switched_off_, unmounted_;
  std::vector<AgentRun> agent_runs_;
  std::uint64_t notices_ = 0;
  std::function<void(fencing::Abilities&)> say_abilities_;
  std::map<RequestId, std::optional<std::string>> answers_;
  RequestId next_request_ = 1;
};

/// alice and bob with volume `data`, carol the witness, service `shop` on it with the steps Filesystem, IPaddr2,
/// apache.
[[nodiscard]] config::ClusterConfig shop_config(bool autostart);

}  // namespace bascule::manager::test
