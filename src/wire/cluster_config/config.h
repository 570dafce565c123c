#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "wire/drbd_config/options.h"

/// The meaning of cluster.toml, checked. See FORMAT.md for every key.
namespace bascule::config {

enum class NodeRole {
  data,
  witness,
  peer,  ///< a DRBD node that runs nothing of ours: it has a replica and no vote
};

struct Node {
  std::string name;
  NodeRole role = NodeRole::data;
  std::string address;   ///< IPv4 or IPv6 literal, without a port; unique in the cluster; the first of `addresses`
  std::uint32_t id = 0;  ///< `id`, or the place in the file from 1: the consensus server id and DRBD tie-breaker
  std::vector<std::string> addresses = {};  ///< one for each link: the managers speak over all of them at once
  bool has_vote = true;                     ///< `votes`
  [[nodiscard]] bool votes() const { return role != NodeRole::peer && has_vote; }
  [[nodiscard]] bool runs_manager() const { return role != NodeRole::peer; }
  bool operator==(const Node&) const = default;
};

struct Volume {
  std::string name;
  std::uint64_t size_bytes = 0;             ///< usable size; 0: as large as the smaller backing disk allows
  std::map<std::string, std::string> disk;  ///< data node -> backing file or block device
  std::uint16_t port = 0;                   ///< TCP port of the DRBD connection, default 7789 + index of the volume
  std::uint32_t al_extents = 1237;          ///< hot 4 MiB extents of the activity log, as in options.disk
  std::uint64_t resync_rate_max = 0;        ///< bytes per second, 0: as fast as it goes
  /// `authority = "operator"`: DRBD's own rules and the person at the console decide, no lease and no in-sync set.
  bool operator_decides = false;
  drbd_config::Options options;                 ///< [volume.NAME.net], .disk_options, .options, .handlers; checked
  std::map<std::string, std::string> metadata;  ///< node with a disk -> "internal", a device, or "device[index]"
  std::uint32_t minor = 0;                      ///< what DRBD's tools call the device
  bool accept_loss = false;                     ///< protocol A: a takeover may lose what was still on its way
  bool flush_waits_for_peer = true;             ///< `peer_flush`: false gives the kernel's behaviour
  bool encrypted = false;                       ///< between its replicas: TLS 1.3 under the cluster's keys

  bool operator==(const Volume&) const = default;
};

/// The standard of a step that the manager carries out itself. Its type is "address", with IPaddr2's parameters.
inline constexpr const char* built_in = "built-in";

/// What a failed monitor leads to. The words are Pacemaker's (`on-fail` of an operation).
enum class OnFail {
  restart,  ///< recovered here, or elsewhere after `migration_threshold` failures
  ignore,   ///< as if it had not failed; shown as a warning until the next good monitor
  stop,     ///< stopped, and started nowhere until the failure is cleared
  block,    ///< left exactly as it is until the failure is cleared
  standby,  ///< stopped, and every service moves away from the node until the failure is cleared
  fence,    ///< stopped, and the node is fenced
};
/// "restart", "standby", ... as in the file and in the log.
[[nodiscard]] const char* text(OnFail on_fail);
[[nodiscard]] std::optional<OnFail> on_fail_of(std::string_view word);

/// A recurring monitor beside the usual one of a step.
struct Monitor {
  Duration interval{};
  Duration timeout = seconds(30);
  std::uint32_t check_level = 0;  ///< OCF_CHECK_LEVEL: 0, 10, 20
  OnFail on_fail = OnFail::restart;
  bool operator==(const Monitor&) const = default;
};

/// One step of a service: an agent and its parameters (`OCF_RESKEY_*`), a unit, a script, or what is built in.
struct Step {
  std::string name;      ///< what people see: "Filesystem", "address", "mysql", "apache"; unique in the service
  std::string standard;  ///< "ocf", "lsb", "systemd", or `built_in`
  std::string provider;  ///< "heartbeat"; only of OCF agents
  std::string type;      ///< "apache"; the script's name; the unit's, with ".service" where nothing else is said
  std::map<std::string, std::string> parameters;
  Duration start_timeout = seconds(60);
  Duration stop_timeout = seconds(60);
  Duration monitor_timeout = seconds(30);
  Duration notify_timeout = seconds(20);    ///< of `notify`, where the service wants notifications
  Duration monitor_interval = seconds(2);   ///< 0: no recurring monitor
  OnFail on_fail = OnFail::restart;         ///< of the recurring monitor
  std::vector<Monitor> more_monitors = {};  ///< deeper ones, with intervals of their own
  bool operator==(const Step&) const = default;
};

/// That a service is one of several copies of what was written as one.
struct Copy {
  std::string of;            ///< the service as written: "web"
  std::string node;          ///< the only node it runs on (`copies = "all"`); empty: one of a number, anywhere
  std::uint32_t number = 0;  ///< from 0
  std::uint32_t count = 1;   ///< of all copies
  bool operator==(const Copy&) const = default;
};

struct Service {
  std::string name;                    ///< of a copy "web@alice" or "web@1": no written name has an @
  std::optional<std::string> volume;   ///< promoted before the first step, demoted after the last stop
  std::vector<std::string> addresses;  ///< service addresses "10.0.0.10" guarded by the kernel's address lease
  std::optional<std::string> preferred_node;
  std::uint32_t stickiness = 100;         ///< > 0: a running service stays where it is although it prefers another node
  bool autostart = true;                  ///< the target of a service that was never started or stopped by hand
  std::uint32_t migration_threshold = 3;  ///< failures on one node before the service moves
  bool start_failure_is_fatal = true;     ///< one failed start bans the node; otherwise it counts like any failure
  Duration failure_timeout = seconds(600);  ///< after the last failure on a node all of them there fade; 0: never
  std::vector<Step> steps;                  ///< started in this order, stopped in reverse; mount and address come first
  std::optional<Copy> copy = {};
  bool keeps_without_quorum = false;  ///< `without_quorum`: of a copy: it goes on although its lease ended
  bool promotable = false;            ///< its agents know promote and demote; the role is a service of its own
  bool notify = false;  ///< of copies: the OCF agents of all hear of each start, stop, promotion and demotion of one
  /// The Promoted role of the copies of this name: "starts" by promoting the copy beside it, and stops by demoting it.
  bool is_role = false;
  /// Relations. What is named is a service, or with "@*" behind it any copy of it.
  std::vector<std::string> after = {};  ///< starts after them and stops before them
  std::vector<std::string> with = {};   ///< only on the node of each of them
  std::vector<std::string> apart = {};  ///< never on the node of any of them
  bool operator==(const Service&) const = default;
};

enum class FenceAction {
  reboot,
  off,  ///< somebody has to switch it on again
};

/// One way to switch nodes off: one of Debian's fence agents with its parameters.
struct FenceDevice {
  std::string name;
  std::string agent;                              ///< "fence_ipmilan"
  std::map<std::string, std::string> parameters;  ///< `name=value` lines on its stdin
  std::map<std::string, std::string> plugs;       ///< node that it can switch off -> what the agent calls the node
  std::uint32_t level = 1;                        ///< 1-9; all devices of a level must succeed, else the next is tried
  FenceAction action = FenceAction::reboot;
  bool verify = true;              ///< reboot is off, a status that says "off", and on; off is looked at too
  Duration timeout = seconds(60);  ///< of one run of the agent
  std::uint32_t retries = 2;       ///< of one action, after the first attempt
  Duration delay{};                ///< before the first action
  Duration delay_max{};            ///< and up to that much more, at random

  bool operator==(const FenceDevice&) const = default;
};

/// Another one for another agent, other parameters or other plugs: what a test of the device was about.
[[nodiscard]] std::uint64_t definition_of(const FenceDevice& device);

struct Timing {
  Duration heartbeat = milliseconds(85);
  Duration election_min = milliseconds(170);
  Duration election_max = milliseconds(340);
  Duration lease = milliseconds(525);        ///< how long a lease lasts from the moment the holder asked for it
  Duration lease_margin = milliseconds(40);  ///< what others wait on top, for drift and scheduling
  /// How long what a node has stays leased to it while its manager is restarted on purpose; a takeover waits as long.
  Duration restart_lease = seconds(30);
  Duration hold_grace =
      seconds(3);  ///< a service whose lease ended is kept, mute and held, this long before it is stopped
  Duration stop_deadline = seconds(10);      ///< from the end of the grace until its cgroup is killed
  Duration watchdog_deadline = seconds(20);  ///< from the end of a lease until the watchdog is no longer petted

  /// Leases outlast so many heartbeats that it is enough to ask for them with every second one, and to answer with the
  /// next: three questions or answers in a row may then be lost.
  [[nodiscard]] bool leases_are_ample() const { return lease >= 6 * heartbeat; }
  /// Who is silent for so long is lost. The last question that was answered before a silence is older than the last
  /// word, so waiting for the lease's whole length would only make takeovers late.
  [[nodiscard]] Duration lost_after() const { return leases_are_ample() ? lease - heartbeat : lease; }
  bool operator==(const Timing&) const = default;
};

inline constexpr const char* default_key_file = "/etc/bascule/cluster.key";

struct ClusterConfig {
  std::string name;
  std::vector<Node> nodes;
  std::vector<Volume> volumes;
  std::vector<Service> services;
  std::vector<FenceDevice> fences;
  /// With a majority: a node that was lost, and from which something was taken over, is fenced as well.
  bool fence_lost_nodes = false;
  /// Of two nodes, the one that holds less waits this much longer before it fences: they never shoot each other.
  Duration fence_head_start = seconds(2);
  Timing timing;
  std::uint16_t port = 7788;  ///< UDP port of the managers
  /// The cluster's keys (wire/sealed). Unset: `key_file = "none"`, and managers believe whoever speaks.
  std::optional<std::string> key_file = default_key_file;

  [[nodiscard]] const Node* node(const std::string& name) const;
  [[nodiscard]] const Node* node(std::uint32_t id) const;
  [[nodiscard]] const Volume* volume(const std::string& name) const;
  [[nodiscard]] const Service* service(const std::string& name) const;
  /// The copies of a service that was written with `copies`, or what runs under this very name; empty: neither.
  [[nodiscard]] std::vector<const Service*> services_of(const std::string& written) const;
  /// What a relation names: "db", or the copies of "web" for "web@*".
  [[nodiscard]] std::vector<const Service*> related(const std::string& name) const;
  /// What the managers decide about: without the peers, which have no manager, and without the operator's volumes.
  [[nodiscard]] ClusterConfig of_managers() const;
  /// Two votes, so no majority without the other: going on alone takes proven fencing.
  [[nodiscard]] bool two_nodes() const;
  [[nodiscard]] const FenceDevice* fence(const std::string& name) const;
  /// The devices that can switch a node off, by level, then in the order of the file.
  [[nodiscard]] std::vector<const FenceDevice*> fences_of(const std::string& node) const;
  /// Services whose `on_fail = "fence"` has nothing to fence some of their nodes with, a sentence each.
  [[nodiscard]] std::vector<std::string> fence_reactions_without_device() const;
  /// What people are told first; empty when losing a node is taken care of (README.md of this room).
  [[nodiscard]] std::string no_takeover() const;
  /// The service that lives on this volume, or null.
  [[nodiscard]] const Service* service_of_volume(const std::string& volume) const;
};

/// "web" of "web@alice"; of any other name that name.
[[nodiscard]] std::string written_name(const std::string& service);

/// Reads and checks a configuration. Every mistake is one Error that names line and key; the first is returned.
/// `file` is only used in messages.
[[nodiscard]] Result<ClusterConfig> parse(std::string_view toml, const std::string& file);

}  // namespace bascule::config
