// Somebody's own cluster instead of one that a seed draws.

#include <algorithm>
#include <numeric>
#include <set>

#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {
namespace {

constexpr Duration begin_patience = seconds(1200);
constexpr std::uint32_t calm_looks = 8;

/// Volumes are as large as this world's disks, and only those are there that a service uses.
void keep_used_volumes(config::ClusterConfig& config) {
  std::set<std::string> used;
  for (const auto& service : config.services)
    if (service.volume) used.insert(*service.volume);
  std::erase_if(config.volumes, [&](const config::Volume& volume) { return !used.contains(volume.name); });
  for (auto& volume : config.volumes) {
    volume.size_bytes = Volume::data_bytes;
    volume.options.disk.size_sectors = 0;  // a size of the configuration stands here too, and comes first
  }
}

/// Without those for which there is nothing that could fail.
void keep_possible_faults(Scenario& scenario) {
  const auto forget = [&](std::initializer_list<Fault> faults) {
    for (const Fault fault : faults) scenario.weights[static_cast<std::size_t>(fault)] = 0;
  };
  if (scenario.config.nodes.size() < 2)
    forget({Fault::LinkCut, Fault::LinkCutOneWay, Fault::MachineCutOff, Fault::LinksSlow, Fault::LinksLossy});
  if (scenario.config.volumes.empty()) forget({Fault::BlockdDies, Fault::ConnectionsReset, Fault::ConnectionsStall});
  if (scenario.config.fences.empty()) forget({Fault::FencingFails, Fault::FencingLate});
}

}  // namespace

Result<Scenario> given_cluster(const std::string& text, const std::string& file, std::uint64_t seed,
                               const std::array<std::uint32_t, fault_kinds>& weights, Given given) {
  const auto parsed = config::parse(text, file);
  if (!parsed) return tl::unexpected(parsed.error());
  for (const auto& service : parsed->services)
    if (service.promotable)
      return fail("this cannot be rehearsed", config::written_name(service.name),
                  "the simulation has no agents that promote", "leave promotable services out of a copy of the file");
  if (parsed->services.empty())
    return fail("there is nothing to rehearse", file, "it has no services", "add a [service.NAME]");
  Scenario scenario;
  scenario.seed = seed;
  scenario.text = text;
  scenario.config = parsed->of_managers();
  keep_used_volumes(scenario.config);
  scenario.weights = weights;
  keep_possible_faults(scenario);
  if (std::accumulate(scenario.weights.begin(), scenario.weights.end(), 0U) == 0)
    return fail("there is nothing to rehearse", file, "none of these faults can happen in this cluster",
                "choose other --faults");
  scenario.trouble = seconds(60);
  scenario.faults = 1;
  scenario.given = std::move(given);
  return scenario;
}

/// Until everything runs where it should.
void World::begin_given() {
  const WorldTime limit = scheduler_.now() + begin_patience;
  std::string why;
  bool moved = scenario_.given->owners.empty();
  for (std::uint32_t calm = 0; calm < calm_looks;) {
    scheduler_.run_until(scheduler_.now() + milliseconds(250));
    why = unrest();
    calm = why.empty() ? calm + 1 : 0;
    if (!outcome_.violation.empty()) return;
    if (scheduler_.now() > limit)
      return violation("liveness", "without any fault the cluster does not come to rest: " + why);
    if (calm < calm_looks || std::exchange(moved, true)) continue;
    move_to_owners();
    calm = 0;
  }
  if (observer_ == nullptr) return;
  observer_->trouble_begins(*this);
  look_again();
}

void World::move_to_owners() {
  for (const auto& [service, node] : scenario_.given->owners) {
    const auto found = judge_.newest().services.find(service);
    if (found == judge_.newest().services.end() || found->second.owner == node || machine(node) == nullptr) continue;
    ask(*machine(node), message::MoveService{service, node});
  }
}

void World::look_again() {
  observer_->look(*this);
  scheduler_.after(observer_->interval(), [this] { look_again(); });
}

}  // namespace bascule::sim::cluster
