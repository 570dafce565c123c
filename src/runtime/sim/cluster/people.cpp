// Administrators: what they ask for, in any order, twice, of two nodes at once, in the middle of whatever happens.

#include <algorithm>

#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {

void World::ask(Machine& at, const message::Command& command) {
  if (!at.manager.alive() || at.manager.paused()) return;
  say(at, "a person asks: " + message::text(command));
  at.manager.change(command, [](const std::string&) {});
}

void World::act(Fault fault) {
  const auto& services = scenario_.config.services;
  const std::string service = services[prng().below(services.size())].name;
  const std::string node = any_data_machine().name();
  const bool on = prng().chance(1, 2);
  message::Command command = message::MoveService{service, prng().chance(1, 2) ? node : ""};
  if (fault == Fault::PersonStandsBy) command = message::SetStandby{node, on, prng().chance(1, 3)};
  if (fault == Fault::PersonStops) command = message::SetTarget{service, !on};
  if (fault == Fault::PersonRestarts) command = message::RestartService{service, prng().chance(1, 2) ? "app" : ""};
  if (fault == Fault::PersonMaintains) {
    const std::string scope = prng().chance(1, 2)   ? "service:" + service
                              : prng().chance(1, 2) ? "node:" + node
                                                    : "cluster";
    command = message::SetMaintenance{scope, on, "a person", "", 1, prng().chance(1, 2) ? 20'000ULL : 0ULL};
  }
  if (fault == Fault::PersonConfigures) return configure(any_machine());
  ask(any_machine(), command);
  if (!prng().chance(1, 3)) return;
  scheduler_.after(between(Duration{0}, seconds(2)), [this, command] { ask(any_machine(), command); });
}

/// Another wish for one of the services, and who wrote it: nothing that has to be restarted.
void World::configure(Machine& at) {
  if (!at.manager.alive() || at.manager.paused()) return;
  const auto& text = at.manager.manager().configuration_text();
  const std::string key = "failure_timeout = \"";
  const auto where = text.find(key);
  if (where == std::string::npos) return;
  const auto end = text.find('"', where + key.size());
  message::SetConfig command;
  command.base_version = at.manager.manager().agreed().configuration();
  command.text = text.substr(0, where + key.size()) + std::to_string(60 + ++configurations_) + "s" + text.substr(end);
  command.who = "a person";
  command.reason = "tried";
  const std::uint64_t version = command.base_version + 1;
  say(at, "a person applies configuration " + std::to_string(version));
  at.manager.change(command, [this, version](const std::string& refusal) {
    if (refusal.empty()) judge_.configuration_acknowledged(version);
  });
}

/// The trouble is over: people take back what they asked for, and clear what has failed.
void World::repair() {
  const auto leader = std::find_if(machines_.begin(), machines_.end(), [](const auto& machine) {
    return machine->manager.alive() && !machine->manager.paused();
  });
  if (leader == machines_.end()) return;
  Machine& at = **leader;
  const auto& agreed = judge_.newest();
  for (const auto& [scope, maintenance] : agreed.maintenance)
    ask(at, message::SetMaintenance{scope, false, "a person", "", 1, 0});
  for (const auto& [name, node] : agreed.nodes)
    if (node.standby) ask(at, message::SetStandby{name, false, false});
  for (const auto& [name, service] : agreed.services) {
    if (service.target == store::Target::Stopped) ask(at, message::SetTarget{name, true});
    if (!service.failures.empty()) ask(at, message::ClearFailures{name, "", 0});
  }
}

}  // namespace bascule::sim::cluster
