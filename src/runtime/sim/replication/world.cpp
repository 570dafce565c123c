#include "runtime/sim/replication/world.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "runtime/sim/replication/on_disk.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

namespace {

namespace flag = drbd_metadata::flag;

}  // namespace

void ReplicationResult::add(const ReplicationResult& other) {
  acknowledged += other.acknowledged;
  promotions += other.promotions;
  resyncs += other.resyncs;
  power_losses += other.power_losses;
  during_writes += other.during_writes;
  during_discards += other.during_discards;
  under_operator += other.under_operator;
  under_a += other.under_a;
  under_b += other.under_b;
  reads += other.reads;
  flushes += other.flushes;
  zeroings += other.zeroings;
  split_brains += other.split_brains;
  vouched += other.vouched;
  detaches += other.detaches;
  during_metadata += other.during_metadata;
  during_resync += other.during_resync;
  during_resize += other.during_resize;
  coverage_checks += other.coverage_checks;
}

ReplicationScenario scenario_of(std::uint64_t seed) {
  using namespace drbd_config;
  ReplicationScenario scenario;
  scenario.seed = seed;
  Prng prng(seed ^ 0x5ce9a410ULL);
  scenario.created_anew = prng.chance(1, 20);
  if (scenario.created_anew) scenario.data_bytes = 9ULL << 20;
  scenario.authority = prng.chance(2, 5) ? Authority::Operator : Authority::Cluster;
  Net& net = scenario.options.net;
  constexpr std::array protocols{Protocol::C, Protocol::C, Protocol::C, Protocol::B, Protocol::A};
  net.protocol = protocols[prng.below(protocols.size())];
  if (prng.chance(1, 4)) net.csums_alg = "crc32c";
  net.use_rle = prng.chance(3, 4);
  constexpr std::array balancing{ReadBalancing::prefer_local, ReadBalancing::prefer_remote, ReadBalancing::round_robin};
  scenario.options.disk.read_balancing = balancing[prng.below(balancing.size())];
  if (prng.chance(1, 4)) scenario.options.disk.rs_discard_granularity_bytes = 64 * 1024;
  if (scenario.authority == Authority::Operator) {
    net.after_sb_0pri = static_cast<AfterSplitBrain0>(prng.below(5));
    constexpr std::array one{AfterSplitBrain1::disconnect, AfterSplitBrain1::consensus,
                             AfterSplitBrain1::violently_as0p, AfterSplitBrain1::discard_secondary};
    net.after_sb_1pri = one[prng.below(one.size())];
    net.always_asbp = prng.chance(1, 4);
  }
  if (!scenario.created_anew && prng.chance(1, 3)) {
    constexpr std::array<std::uint64_t, 3> more{12ULL << 20, 16ULL << 10, 4ULL << 10};
    scenario.grown_bytes = scenario.data_bytes + more[prng.below(more.size())];
  }
  for (bool& external : scenario.external_metadata) external = prng.chance(1, 4);
  return scenario;
}

ReplicationWorld::ReplicationWorld(const ReplicationScenario& scenario)
    : scenario_(scenario), scheduler_(scenario.seed), checker_(most_bytes() / sector_bytes) {
  ReplicaWorld& around = *this;
  for (std::size_t index = 0; index < nodes; ++index) {
    nodes_[index] = std::make_unique<Node>(around, scheduler_, clock_, index, most_bytes() / sector_bytes,
                                           most_bytes() + (1 << 20));
    nodes_[index]->application.emplace(*nodes_[index], checker_, numbers_, counts_);
    nodes_[index]->backing_bytes = backing_bytes_for(index, scenario.data_bytes);
    nodes_[index]->known_sizes = {nodes_[index]->backing_bytes};
  }
  link_.emplace(scheduler_, around, std::array<Replica*, nodes>{nodes_[0].get(), nodes_[1].get()});
  majority_.careless = scenario.careless_majority;
  format();
}

ReplicationWorld::~ReplicationWorld() = default;

// ---- life -------------------------------------------------------------------------------------------------------

void ReplicationWorld::format() {
  for (auto& node : nodes_) {
    const auto layout = layout_of(*node);
    auto superblock = drbd_metadata::to_superblock(drbd_metadata::create({}, layout).value());
    if (!scenario_.created_anew) {
      superblock.effective_sectors = scenario_.data_bytes / sector_bytes;
      superblock.current_uuid = 0x1111222233334444ULL;
      superblock.flags |= flag::kConsistent | flag::kWasUpToDate;
    }
    sim::format(node->metadata, layout, superblock);
  }
}

Config ReplicationWorld::config_of(const Node& node) {
  Config config;
  config.volume = "data";
  config.self = node.index == 0 ? "alice" : "bob";
  config.peer = node.index == 0 ? "bob" : "alice";
  config.authority = scenario_.authority;
  config.options = scenario_.options;
  config.accept_loss = scenario_.options.net.protocol != drbd_config::Protocol::C;
  config.backing_bytes = place_of(node);
  if (external(node)) config.placement = drbd_metadata::Placement::flexible();
  config.metadata_bytes = metadata_bytes();
  config.size_limit_bytes = scenario_.data_bytes;
  config.al_extents = scenario_.al_extents;
  config.seed = prng().next();
  config.canaries = scenario_.canaries;
  return config;
}

void ReplicationWorld::start(Node& node) {
  node.known_sizes = {place_of(node)};
  node.start(config_of(node), restored(node));
  tell_size(node);
  heartbeat(node);
  work(node);
}

void ReplicationWorld::stop(Node& node, bool power) {
  if (!node.alive) return;
  if (scenario_.trace)
    std::printf("%10.3f node %zu: %s\n", static_cast<double>(to_ns(local())) / 1e6, node.index,
                power ? "loses power" : "is killed");
  if (power) count_crash(node);
  node.stop();
  if (power) {
    ++result_.power_losses;
    node.power_loss();
    checker_.power_lost(node.index);
  } else {
    const bool in_memory = scenario_.options.net.protocol == drbd_config::Protocol::B && !node.device_open;
    checker_.stopped(node.index, in_memory);
  }
  link_->forget_sockets(node.index);
  node.application->forget();
  node.promoting = node.attaching = 0;
  node.refusals = 0;
  node.split_brain = node.gives_up = node.left_alone = false;
  node.device_open = node.handing_over = false;
  node.lease_epoch = node.promoting_epoch = 0;
  node.lease_end = Instant{};
  node.lease_lost.reset();
  link_->kill(!power || prng().chance(1, 3));
  check_coverage("a node stopped");
}

// ---- the node's manager -----------------------------------------------------------------------------------------

void ReplicationWorld::heartbeat(Node& node) {
  check_coverage("a heartbeat");
  tend_size(node);
  if (has_operator()) {
    tend(node);
    return node.later(milliseconds(50), [this, &node] { heartbeat(node); });
  }
  const WorldTime asked_at = scheduler_.now();
  if (node.majority_reachable) {
    node.later(between(microseconds(200), milliseconds(5)), [this, &node, asked_at] {
      if (!node.majority_reachable) return;
      const bool leased = majority_.heartbeat(node.index, asked_at, scheduler_.now());
      if (majority_.decide(scheduler_.now())) commit();
      const Majority::View view = majority_.view();
      node.later(between(microseconds(200), milliseconds(5)), [this, &node, view, asked_at, leased] {
        if (node.majority_reachable) informed(node, view, asked_at, leased);
      });
    });
  }
  if (node.lease_lost && scheduler_.now() - *node.lease_lost > milliseconds(800) && node.device_open) {
    node.device_open = false;
    node.step(input::FailHeldIo{});
  }
  if (node.lease_epoch != 0 && local() >= node.lease_end && !node.lease_lost) node.lease_lost = scheduler_.now();
  node.later(milliseconds(50), [this, &node] { heartbeat(node); });
}

void ReplicationWorld::informed(Node& node, const Majority::View& view, WorldTime asked_at, bool leased) {
  const bool released = view.epoch <= node.released_epoch;
  if (leased && !released) {
    const Instant end{(asked_at + Majority::lease).time_since_epoch()};
    if (view.epoch >= node.lease_epoch) {
      node.lease_end = view.epoch == node.lease_epoch ? std::max(node.lease_end, end) : end;
      node.lease_epoch = view.epoch;
      node.lease_lost.reset();
    }
  }
  node.step(input::InSyncCommitted{view.version, view.members[node.index], view.members[1 - node.index]});
  if (released) return;
  const Status status = node.engine->status();
  const bool owner = view.owner == node.index;
  if (!owner && (status.role == drbd::Role::Primary || node.promoting_epoch != 0) &&
      view.epoch > node.promoting_epoch) {
    node.promoting_epoch = 0;
    node.device_open = false;
    return node.step(input::Demote{true});
  }
  const bool primary_of_it = status.role == drbd::Role::Primary && status.epoch == view.epoch;
  if (!owner || (primary_of_it && node.device_open) || node.handing_over) return;
  if (scheduler_.now() - node.promoted_ask < milliseconds(200)) return;
  node.promoted_ask = scheduler_.now();
  node.promoting_epoch = view.epoch;
  node.step(input::Promote{view.epoch, scenario_.created_anew && view.epoch == 1});
}

void ReplicationWorld::commit() {
  const Majority::View& view = majority_.view();
  checker_.committed(view.owner.value_or(0), view.members);
}

// ---- a run ------------------------------------------------------------------------------------------------------

/// Under protocol A an answered write may still be on its way, or have been lost with a connection that nobody knows to
/// be dead: the two engines believe that they are in step.
bool ReplicationWorld::delivered() const {
  if (link_->packets_under_way() != 0 || link_->anybody_believes_in_a_dead_one()) return false;
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [](const auto& node) { return node->engine->status().statistics.unacknowledged == 0; });
}

bool ReplicationWorld::quiet() const {
  const Majority::View& view = majority_.view();
  if (!has_operator() && (!view.members[0] || !view.members[1] || !view.owner)) return false;
  for (const auto& node : nodes_) {
    if (!node->alive || node->application->open_writes() != 0 || node->application->open_flushes() != 0 ||
        !node->in_flight.empty() || node->handing_over)
      return false;
    const Status status = node->engine->status();
    if (status.disk != drbd::DiskState::UpToDate || status.connection != drbd::ConnectionState::Connected ||
        status.out_of_sync_bytes != 0 || !grown(*node))
      return false;
  }
  const Node& owner = *nodes_[has_operator() ? wanted_owner_ : *view.owner];
  return delivered() && owner.device_open && owner.engine->status().role == drbd::Role::Primary;
}

void ReplicationWorld::wait_until_quiet() {
  const WorldTime limit = scheduler_.now() + seconds(60);
  while (scheduler_.now() < limit && checker_.first_violation().empty()) {
    scheduler_.run_until(scheduler_.now() + milliseconds(50));
    if (quiet()) return;
  }
  std::string text = "the replicas do not come together:";
  for (const auto& node : nodes_) {
    const Status status = node->engine->status();
    text += " [" + std::string(drbd::name_of(status.role)) + " " + drbd::name_of(status.connection) + " " +
            drbd::name_of(status.disk) + "/" + drbd::name_of(status.peer_disk) + " oos " +
            std::to_string(status.out_of_sync_bytes) + " writes " + std::to_string(node->application->open_writes()) +
            " flushes " + std::to_string(node->application->open_flushes()) + " size " +
            std::to_string(status.size_bytes) + " why " + status.why + "]";
  }
  checker_.violation(text);
}

void ReplicationWorld::final_blackout() {
  for (auto& node : nodes_) stop(*node, true);
  for (auto& node : nodes_) checker_.after_blackout(node->index, node->data.current());
}

ReplicationResult ReplicationWorld::run() {
  if (!has_operator()) commit();
  for (auto& node : nodes_) start(*node);
  scheduler_.run_until(scheduler_.now() + milliseconds(1500));
  const WorldTime end = scheduler_.now() + scenario_.fault_time;
  for (std::uint32_t i = 0; i < scenario_.faults; ++i)
    scheduler_.after(between(Duration{0}, scenario_.fault_time), [this] { fault(); });
  if (scenario_.grown_bytes != 0)
    for (auto& node : nodes_)
      scheduler_.after(between(Duration{0}, scenario_.fault_time), [this, &node = *node] { grow_disk(node); });
  while (scheduler_.now() < end && checker_.first_violation().empty())
    scheduler_.run_until(scheduler_.now() + milliseconds(100));
  heal();
  majority_.careless = false;
  wait_until_quiet();
  if (checker_.first_violation().empty()) checker_.settled({&nodes_[0]->data.current(), &nodes_[1]->data.current()});
  if (checker_.first_violation().empty()) final_blackout();
  result_.violation = checker_.first_violation();
  result_.acknowledged = checker_.acknowledged_writes();
  result_.reads = counts_.reads;
  result_.flushes = counts_.flushes;
  result_.zeroings = counts_.zeroings;
  return result_;
}

}  // namespace bascule::sim
