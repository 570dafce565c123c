#include "runtime/sim/cluster/machine.h"

#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {

Machine::Machine(World& world_in, std::size_t number_in, const config::Node& node_in, std::int32_t drift_ppm)
    : world(world_in),
      number(number_in),
      node(node_in),
      clock(world_in.scheduler().now(), Instant{seconds(100 * static_cast<std::int64_t>(number_in + 1))}, drift_ppm),
      file_text(world_in.scenario().text),
      file(world_in.scenario().config),
      watchdog(world_in.scheduler(), clock, [this] { world.watchdog_resets(*this); }),
      agents(world_in, *this),
      manager(world_in, *this) {
  watchdog.on_change = [this](const std::string& slot) { world.judge().lease_changed(*this, slot); };
}

Instant Machine::local() const { return clock.local(world.scheduler().now()); }

void Machine::power_on() {
  if (on) return;
  on = true;
  ++boot_;
  on_since_ = world.scheduler().now();
  world.say(*this, "is switched on");
  const auto soon = [this](auto action) {
    world.scheduler().after(milliseconds(world.prng().between(1, 400)), [this, boot = boot_, action] {
      if (on && boot == boot_) action();
    });
  };
  if (runs_services()) soon([this] { start_watchdog(); });
  for (Blockd* blockd : blockds) soon([blockd] { blockd->begin(); });
  soon([this] { start_manager(); });
}

void Machine::power_off() {
  if (!on) return;
  world.say(*this, "loses power");
  on = frozen = false;
  manager.end(true);
  agents.power_off();
  for (Blockd* blockd : blockds) blockd->end(true);
  watchdog.power_off();
}

void Machine::freeze() {
  world.say(*this, "all of its processes stand still");
  frozen = true;
  manager.pause();
  watchdog.pause();
  for (Blockd* blockd : blockds)
    if (blockd->alive) blockd->pause();
}

void Machine::thaw() {
  if (!std::exchange(frozen, false)) return;
  world.say(*this, "its processes go on");
  watchdog.resume();
  for (Blockd* blockd : blockds) blockd->resume();
  manager.resume();
}

void Machine::when_it_goes_on(std::function<void()> action) {
  world.scheduler().after(milliseconds(100), [this, boot = boot_, action = std::move(action)] {
    if (on && boot == boot_) action();
  });
}

void Machine::kill_manager() {
  if (!manager.alive()) return;
  world.say(*this, "the manager is killed");
  manager.end(false);
}

void Machine::start_manager() {
  if (frozen) return when_it_goes_on([this] { start_manager(); });
  if (on && !manager.alive()) manager.start();
}

void Machine::kill_watchdog() {
  if (!watchdog.alive()) return;
  world.say(*this, "bascule-watchdogd is killed");
  watchdog.kill();
}

void Machine::start_watchdog() {
  if (frozen) return when_it_goes_on([this] { start_watchdog(); });
  if (on && !watchdog.alive() && runs_services()) watchdog.start(file);
}

}  // namespace bascule::sim::cluster
