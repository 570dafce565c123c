#include "runtime/sim/cluster/scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/prng.h"

namespace bascule::sim::cluster {

const char* name_of(Fault fault) {
  constexpr std::array<const char*, fault_kinds> names{"manager-dies",
                                                       "blockd-dies",
                                                       "watchdogd-dies",
                                                       "process-pauses",
                                                       "machine-pauses",
                                                       "power-fails",
                                                       "power-fails-on-several",
                                                       "link-cut",
                                                       "link-cut-one-way",
                                                       "machine-cut-off",
                                                       "links-slow",
                                                       "links-lossy",
                                                       "connections-reset",
                                                       "connections-stall",
                                                       "clock-drifts",
                                                       "agent-fails",
                                                       "agent-hangs",
                                                       "monitor-lies",
                                                       "application-dies",
                                                       "fencing-fails",
                                                       "fencing-late",
                                                       "manager-disk-fails",
                                                       "person-moves",
                                                       "person-stands-by",
                                                       "person-stops",
                                                       "person-maintains",
                                                       "person-restarts",
                                                       "person-configures"};
  return names[static_cast<std::size_t>(fault)];
}

namespace {

struct Topology {
  std::size_t data_nodes;
  bool witness;
  bool fenced;
};

constexpr std::array topologies{Topology{2, true, false}, Topology{2, true, false}, Topology{3, false, false},
                                Topology{2, false, true}, Topology{4, true, false}, Topology{5, false, false},
                                Topology{2, true, true},  Topology{3, false, true}};

std::string node_name(std::size_t number) { return "n" + std::to_string(number + 1); }

std::string cluster_part(Prng& prng) {
  std::string text = "[cluster]\nname = \"sim\"\nkey_file = \"none\"\n";
  if (prng.chance(1, 3)) text += fmt::format("hold_grace_ms = {}\n", prng.between(0, 4000));
  if (prng.chance(1, 4)) text += "heartbeat_ms = 150\nelection_min_ms = 400\nelection_max_ms = 800\nlease_ms = 1200\n";
  return text;
}

std::string nodes_part(const Topology& topology) {
  std::string text;
  const std::size_t count = topology.data_nodes + (topology.witness ? 1 : 0);
  for (std::size_t i = 0; i < count; ++i) {
    text += fmt::format("[node.{}]\naddress = \"10.9.0.{}\"\n", node_name(i), i + 1);
    if (i >= topology.data_nodes) text += "role = \"witness\"\n";
  }
  for (std::size_t i = 0; topology.fenced && i < topology.data_nodes; ++i)
    text += fmt::format("[fence.pdu-{0}]\nagent = \"fence_sim\"\nnode = \"{0}\"\ntimeout = \"10s\"\n", node_name(i));
  return text;
}

/// A volume on two of the nodes, and the service that lives on it.
std::string service_part(std::size_t number, std::size_t one, std::size_t other, Prng& prng) {
  std::string text =
      fmt::format("[volume.v{0}]\nsize = \"8M\"\ndisk = {{ {1} = \"/dev/v{0}\", {2} = \"/dev/v{0}\" }}\n", number,
                  node_name(one), node_name(other));
  text += fmt::format(
      "[service.s{0}]\nvolume = \"v{0}\"\nmount = \"/srv/v{0}\"\naddress = \"10.9.1.{0}/24\"\nfailure_timeout = "
      "\"60s\"\n"
      "run = {{ agent = \"ocf:sim:app\", name = \"app\", start_timeout = \"20s\", stop_timeout = \"20s\", "
      "monitor_timeout = \"10s\" }}\n",
      number);
  if (prng.chance(1, 2)) text += fmt::format("prefer = \"{}\"\n", node_name(one));
  if (prng.chance(1, 3)) text += "stickiness = 0\n";
  return text;
}

std::string text_of(const Topology& topology, std::size_t services, Prng& prng) {
  std::string text = cluster_part(prng) + nodes_part(topology);
  for (std::size_t number = 1; number <= services; ++number) {
    const std::size_t one = prng.below(topology.data_nodes);
    const std::size_t other = (one + 1 + prng.below(topology.data_nodes - 1)) % topology.data_nodes;
    text += service_part(number, one, other, prng);
  }
  return text;
}

void take_text(Scenario& scenario, std::string text) {
  auto parsed = config::parse(text, "cluster.toml");
  BASCULE_ASSERT(parsed.has_value());
  scenario.text = std::move(text);
  scenario.config = std::move(*parsed);
}

/// Some kinds never, some often: a run that has a little of everything finds less.
void draw_weights(Scenario& scenario, Prng& prng) {
  for (auto& weight : scenario.weights) weight = prng.chance(1, 3) ? 0 : static_cast<std::uint32_t>(1 + prng.below(8));
  const auto weight_of = [&](Fault fault) -> std::uint32_t& {
    return scenario.weights[static_cast<std::size_t>(fault)];
  };
  weight_of(Fault::PowerFails) += 2;
  if (!scenario.config.fences.empty()) return;
  weight_of(Fault::FencingFails) = weight_of(Fault::FencingLate) = 0;
}

}  // namespace

Scenario scenario_of(std::uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  Prng prng(seed ^ 0x70f1dc0deULL);
  const Topology& topology = topologies[prng.below(topologies.size())];
  take_text(scenario, text_of(topology, 1 + prng.below(3), prng));
  draw_weights(scenario, prng);
  scenario.faults = static_cast<std::uint32_t>(prng.between(6, 30));
  scenario.storm_permille = static_cast<std::uint32_t>(prng.below(600));
  constexpr std::array<std::int64_t, 4> every_ms{60, 150, 400, 1000};
  scenario.io_every = milliseconds(every_ms[prng.below(every_ms.size())]);
  return scenario;
}

Scenario usual_cluster(std::uint64_t seed, std::uint32_t services, std::uint32_t requests_per_second,
                       std::uint32_t faults, Duration trouble) {
  Scenario scenario;
  scenario.seed = seed;
  Prng prng(1);
  std::string text = "[cluster]\nname = \"sim\"\nkey_file = \"none\"\n" + nodes_part({2, true, false});
  for (std::uint32_t number = 1; number <= services; ++number)
    text += service_part(number, number % 2, 1 - number % 2, prng);
  take_text(scenario, std::move(text));
  for (const Fault fault :
       {Fault::ManagerDies, Fault::BlockdDies, Fault::PowerFails, Fault::LinkCut, Fault::MachinePauses})
    scenario.weights[static_cast<std::size_t>(fault)] = 1;
  scenario.faults = faults;
  scenario.trouble = trouble;
  scenario.io_every = Duration{std::int64_t{1'000'000'000} * services / std::max(1U, requests_per_second)};
  return scenario;
}

}  // namespace bascule::sim::cluster
