#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/store/state.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

namespace bascule::membership {

/// A lease as watchdogd is to write it: valid until `end` on this node's boot clock.
struct HeldLease {
  std::string name;
  std::uint64_t epoch = 0;
  Instant end{};

  bool operator==(const HeldLease&) const = default;
};

/// The node's side of the leases: asks with its heartbeats, and knows until when this node may act. Pure.
class LeaseHolder {
 public:
  /// What a grant changed.
  struct Outcome {
    std::vector<HeldLease> extended;             ///< new or later ends, to hand to watchdogd at once
    std::vector<message::GrantedLease> revoked;  ///< believed to be ours, but the leader knows better; told once each
    std::string ignored;                         ///< why the grant counted for nothing; empty if it counted
  };

  LeaseHolder(std::string node, std::uint64_t incarnation, const config::Timing& timing);

  /// To be called with each heartbeat: the request to send to the leader, if one is due. Its `asked_at_ns` is `now`, so
  /// send it at once. Due with every second heartbeat while answers come, with each one where they do not or where
  /// leases are short, once in a second for who owns nothing, and at once for what has just become ours.
  [[nodiscard]] std::optional<message::LeaseRequest> tick(Instant now);
  /// The same whether it is due or not.
  [[nodiscard]] message::LeaseRequest ask(Instant now);
  /// One is due: there is another leader.
  void ask_anew() { next_ask_ = {}; }

  /// What the applied state says this node owns; call after each application. Remembers at which index each came.
  void observe(const store::ClusterState& state);
  /// Whether that is anything: a node that owns nothing needs no lease.
  [[nodiscard]] bool owns_anything() const { return !owned_.empty(); }
  /// This manager is restarted on purpose: leases are taken as long as they are given from now on, up to
  /// `restart_lease`.
  void prepare_restart() {
    lease_ = std::max(lease_, restart_lease_);
    ask_anew();
  }
  /// A lease that watchdogd has disarmed because nothing runs here any more: grants up to this epoch count no more.
  void release(const std::string& name, std::uint64_t epoch);
  /// Drops a lease that ended. It is taken again, in the same epoch, when it is granted.
  void forget(const std::string& name);
  /// Something begins to run here in this epoch, which this node still owns: grants of it count again, and one is asked
  /// for.
  void take_up(const std::string& name, std::uint64_t epoch);
  /// A grant from the leader. Only answers to requests of this very object count, only of the newest term seen; an end
  /// is asked_at + duration and never becomes earlier.
  [[nodiscard]] Outcome grant(const message::LeaseGrant& grant, Instant now);

  /// The end of the lease of this epoch; empty when it was never granted to this object.
  [[nodiscard]] std::optional<Instant> end_of(const std::string& name, std::uint64_t epoch) const;
  [[nodiscard]] std::vector<HeldLease> leases() const;

 private:
  struct Owned {
    std::uint64_t epoch = 0;
    std::uint64_t since_index = 0;  ///< the applied index at which we first saw that it is ours
    bool revoked = false;
  };
  [[nodiscard]] std::string reason_to_ignore(const message::LeaseGrant& grant, Instant now) const;
  void extend(const message::GrantedLease& lease, Instant end, Outcome& outcome);
  void find_revoked(const message::LeaseGrant& grant, Outcome& outcome);

  std::string node_;
  std::uint64_t incarnation_;
  Duration heartbeat_;
  bool ample_;      ///< leases last for so many heartbeats that not each of them has to ask
  Duration lease_;  ///< the longest that is believed
  Duration restart_lease_;
  Instant next_ask_{};
  std::uint64_t newest_term_ = 0;
  std::deque<Instant> asked_;                      ///< requests whose answer would still be worth something
  std::optional<Instant> newest_answered_;         ///< asked_at of the newest request that was answered
  std::map<std::string, HeldLease> leases_;        ///< by name
  std::map<std::string, Owned> owned_;             ///< by name
  std::map<std::string, std::uint64_t> released_;  ///< by name: the highest epoch given back
};

}  // namespace bascule::membership
