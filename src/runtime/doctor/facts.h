#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/cluster_config/config.h"

/// What a look at this machine found; edge/doctor says what it means. An optional that is unset was not looked at, or
/// could not be found out.
namespace bascule::doctor {

/// What the kernel offers. Empty: it is there; else why it is not.
struct Kernel {
  std::string io_uring, fuse, loop, nftables, cgroup2;
};

struct WatchdogFacts {
  std::vector<std::string> devices;  ///< "/dev/watchdog0"
  std::string holder;                ///< program that has one of them open, none: empty
  std::string identity;              ///< "Software Watchdog"
};

struct Link {
  std::string address;    ///< of this node, as configured
  std::string interface;  ///< that has it; empty: none
  bool up = false;
  std::uint32_t mtu = 0;
};

/// Another node over one link.
struct PeerLink {
  std::string node, address;
  std::optional<bool> heard;  ///< by the manager of this node; unset: it does not run
  std::int64_t age_ms = -1;   ///< since it was heard
  enum class Port { Open, Refused, Silent, Unreachable };
  std::optional<Port> manager_port;  ///< what its UDP port says to a datagram; Open is never seen, Silent may be open
  std::uint32_t path_mtu = 0;        ///< 0: unknown
};

/// A TCP or UDP port that a daemon of ours has, or will want.
struct OwnPort {
  std::string what;  ///< "managers, UDP 7788"
  std::string address;
  bool ours = false;  ///< our daemon runs and has it
  std::string taken;  ///< why it cannot be had; empty: it is free
};

struct DiskFacts {
  std::string volume, path;
  std::string missing;  ///< why it cannot be looked at; empty: it is there
  std::uint64_t bytes = 0, wanted_bytes = 0;
  std::vector<std::string> mounted_on;
  std::vector<std::string> holders;    ///< device mapper, md, DRBD's minors: "dm-0"
  bool daemon_runs = false;            ///< bascule-blockd has it
  bool in_use = false;                 ///< it cannot be opened exclusively, and not by our daemon
  std::uint64_t peer_bytes = 0;        ///< what the peer's disk could hold; 0: unknown
  std::string connection;              ///< "Connected"; empty: no daemon
  std::uint64_t usable_bytes = 0;      ///< without metadata, as the daemon says; 0: unknown
  std::optional<bool> has_metadata{};  ///< of a volume, at its own end; unset: a daemon has it, or they lie elsewhere
  std::string foreign{};  ///< "ext2/3/4 filesystem": what is on a disk without metadata; empty: nothing known
};

struct StateDirectory {
  std::string path;
  std::string missing;  ///< why nothing can be written there; empty: it can
  std::uint64_t free_bytes = 0;
  std::optional<Duration> sync_median, sync_worst;
};

struct ServiceAddress {
  std::string service, address;
  std::vector<std::string> answered_by;  ///< hardware addresses
  bool here = false;                     ///< this machine has it now
  bool served = false;                   ///< some node of the cluster has the service, as the manager says
};

struct Agent {
  std::string service, step, path;
  bool executable = false;
  std::vector<std::string> started_by_systemd;  ///< enabled units of the same daemon
  std::vector<std::string> findings = {};       ///< what does not go with its meta-data, or why it has none
};

struct KeyFacts {
  std::string path;
  std::string unusable;  ///< why; empty: it can be read
  std::vector<std::pair<std::uint32_t, std::string>> fingerprints;
  std::uint32_t sending = 0;
};

/// What another node's doctor said of itself.
struct OtherNode {
  std::string node, config_fingerprint;
  std::vector<std::pair<std::uint32_t, std::string>> keys;
};

/// A rule set that meets our datagrams on their way in.
struct Firewall {
  std::string unreadable;
  std::vector<std::string> dropping_chains;  ///< chains on the input hook with policy drop
  std::vector<std::string> accepted;         ///< "udp 7788": ports that some rule lets in
  std::vector<std::string> dropped;          ///< "tcp 7789": ports that some rule drops by number
};

struct Facts {
  std::string node, config_file;
  std::string config_error;  ///< empty: it can be used, and `config` is set
  std::optional<config::ClusterConfig> config;
  std::string config_fingerprint;
  bool manager_runs = false;
  std::optional<bool> quorum;
  std::map<std::string, std::int64_t> fencing_test_age_s;  ///< by node; what the status has of fencing, if anything
  Kernel kernel;
  WatchdogFacts watchdog;
  std::optional<bool> clock_synchronised;
  std::map<std::string, std::int64_t>
      clock_ahead_ms;  ///< other node -> its wall clock minus ours, as the manager measures
  std::optional<KeyFacts> key;
  std::vector<Link> links;
  std::vector<PeerLink> peers;
  std::vector<OwnPort> ports;
  Firewall firewall;
  std::vector<DiskFacts> disks;
  StateDirectory state;
  std::vector<ServiceAddress> addresses;
  std::vector<Agent> agents;
  bool drbd_module = false;
  std::vector<OtherNode> compared;          ///< handed in by the person who asks
  std::vector<std::string> other_managers;  ///< running: "pacemakerd", "corosync", "keepalived"
};

}  // namespace bascule::doctor
