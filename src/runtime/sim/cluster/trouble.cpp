// What goes wrong, within what is promised to be survived: any process, machine or link, several at once, as long as
// disks keep what they have flushed, clocks go within 500 ppm, and fence devices do not say "off" of what is on.

#include <algorithm>
#include <numeric>

#include "runtime/sim/cluster/world.h"

namespace bascule::sim::cluster {

void World::plan_trouble() {
  const Duration within = scenario_.given ? scenario_.given->faults_within : scenario_.trouble;
  for (std::uint32_t i = 0; i < scenario_.faults; ++i)
    scheduler_.after(between(Duration{0}, within), [this] { strike(); });
}

void World::strike() {
  if (peace_) return;
  const auto& weights = scenario_.weights;
  const std::uint64_t sum = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  std::uint64_t drawn = prng().below(std::max<std::uint64_t>(1, sum));
  std::size_t kind = 0;
  while (kind + 1 < fault_kinds && drawn >= weights[kind]) drawn -= weights[kind++];
  strike(static_cast<Fault>(kind));
  if (prng().chance(scenario_.storm_permille, 1000))
    scheduler_.after(between(Duration{0}, milliseconds(1500)), [this] { strike(); });
}

Machine& World::any_data_machine() {
  for (;;) {
    Machine& machine = any_machine();
    if (machine.runs_services()) return machine;
  }
}

void World::strike(Fault fault) {
  ++outcome_.faults[static_cast<std::size_t>(fault)];
  if (observer_ != nullptr) observer_->struck(*this, fault);
  switch (fault) {
    case Fault::ManagerDies:
    case Fault::BlockdDies:
    case Fault::WatchdogdDies:
      return kill_a_process(fault);
    case Fault::ProcessPauses:
    case Fault::MachinePauses:
      return pause_some(fault);
    case Fault::PowerFails:
      return fail_power(any_machine());
    case Fault::PowerFailsOnSeveral:
      for (const auto& machine : machines_)
        if (prng().chance(2, 3)) fail_power(*machine);
      return;
    case Fault::LinkCut:
    case Fault::LinkCutOneWay:
    case Fault::MachineCutOff:
      return cut_some(fault);
    case Fault::LinksSlow:
    case Fault::LinksLossy:
      return trouble_links(fault);
    case Fault::ConnectionsReset:
    case Fault::ConnectionsStall:
      return trouble_connections(fault);
    case Fault::ClockDrifts: {
      Machine& machine = any_machine();
      return machine.clock.set_drift(scheduler_.now(), static_cast<std::int32_t>(prng().between(-450, 450)));
    }
    case Fault::AgentFails:
    case Fault::AgentHangs:
    case Fault::MonitorLies:
    case Fault::ApplicationDies:
      return trouble_agents(fault);
    case Fault::FencingFails:
      fencings_to_fail_ += static_cast<std::uint32_t>(prng().between(1, 4));
      return fail_power(any_data_machine());
    case Fault::FencingLate:
      fencings_to_delay_ += static_cast<std::uint32_t>(prng().between(1, 6));
      return fail_power(any_data_machine());
    case Fault::ManagerDiskFails: {
      Machine& machine = any_machine();
      prng().chance(1, 2) ? machine.manager.disk().fail_writes(1) : machine.manager.disk().fail_flushes(1);
      return;
    }
    default:
      return act(fault);
  }
}

// ---- processes and machines -------------------------------------------------------------------------------------

void World::restart_later(Machine& machine) {
  ++outcome_.restarts;
  scheduler_.after(between(milliseconds(100), seconds(3)), [&machine] { machine.start_manager(); });
}

void World::kill_a_process(Fault fault) {
  Machine& machine = any_data_machine();
  if (fault == Fault::ManagerDies) {
    Machine& any = any_machine();
    any.kill_manager();
    return restart_later(any);
  }
  ++outcome_.restarts;
  const Duration after = between(milliseconds(50), seconds(4));
  if (fault == Fault::WatchdogdDies) {
    machine.kill_watchdog();
    return void(scheduler_.after(after, [&machine] { machine.start_watchdog(); }));
  }
  if (machine.blockds.empty()) return;
  Blockd& blockd = *machine.blockds[prng().below(machine.blockds.size())];
  if (blockd.alive) say(machine, "a blockd is killed");
  blockd.end(false);
  scheduler_.after(after, [&blockd] { blockd.begin(); });
}

void World::pause_some(Fault fault) {
  Machine& machine = any_machine();
  const Duration pause = prng().chance(1, 4) ? between(seconds(2), seconds(40)) : between(milliseconds(20), seconds(2));
  if (fault == Fault::MachinePauses) {
    machine.freeze();
    return void(scheduler_.after(pause, [&machine] { machine.thaw(); }));
  }
  const std::uint64_t which = prng().below(2 + machine.blockds.size());
  if (which == 0) {
    say(machine, "the manager stands still");
    machine.manager.pause();
    scheduler_.after(pause, [&machine] { machine.manager.resume(); });
  } else if (which == 1) {
    say(machine, "bascule-watchdogd stands still");
    machine.watchdog.pause();
    scheduler_.after(std::min<Duration>(pause, seconds(10)), [&machine] { machine.watchdog.resume(); });
  } else if (Blockd& blockd = *machine.blockds[which - 2]; blockd.alive) {
    say(machine, "a blockd stands still");
    blockd.pause();
    scheduler_.after(pause, [&blockd] { blockd.resume(); });
  }
}

void World::fail_power(Machine& machine) {
  if (!machine.on) return;
  ++outcome_.restarts;
  machine.power_off();
  scheduler_.after(between(milliseconds(500), seconds(20)), [&machine] { machine.power_on(); });
}

// ---- links ------------------------------------------------------------------------------------------------------

void World::cut_some(Fault fault) {
  Machine& one = any_machine();
  const bool both_ways = fault != Fault::LinkCutOneWay;
  const Duration cut = prng().chance(1, 4) ? between(seconds(2), seconds(30)) : between(milliseconds(50), seconds(3));
  const bool tell = prng().chance(1, 2);
  std::vector<Machine*> others;
  for (const auto& machine : machines_)
    if (machine.get() != &one) others.push_back(machine.get());
  if (fault != Fault::MachineCutOff) others = {others[prng().below(others.size())]};
  for (Machine* other : others) {
    say(one, std::string("the link to ") + other->name() + (both_ways ? " is cut" : " is cut in one direction"));
    network_.cut(one.number, other->number);
    if (both_ways) network_.cut(other->number, one.number);
    for (const auto& volume : volumes_)
      if (volume->on(one) != nullptr && volume->on(*other) != nullptr) volume->link().kill(tell);
    scheduler_.after(cut, [this, &one, other] {
      say(one, "the link to " + other->name() + " is whole again");
      network_.heal(one.number, other->number);
      network_.heal(other->number, one.number);
    });
  }
}

void World::trouble_links(Fault fault) {
  const Duration bad = between(seconds(1), seconds(40));
  Machine& one = any_machine();
  for (const auto& other : machines_) {
    if (other.get() == &one) continue;
    for (LinkFaults* link :
         {&network_.faults(one.number, other->number), &network_.faults(other->number, one.number)}) {
      if (fault == Fault::LinksLossy) {
        link->loss_permille = static_cast<std::uint32_t>(prng().between(10, 400));
        link->duplicate_permille = static_cast<std::uint32_t>(prng().below(100));
      } else {
        link->slow_permille = static_cast<std::uint32_t>(prng().between(50, 1000));
        link->slow_max = between(milliseconds(20), seconds(3));
      }
    }
  }
  scheduler_.after(bad, [this] {
    for (const auto& from : machines_)
      for (const auto& to : machines_) {
        LinkFaults& link = network_.faults(from->number, to->number);
        link.slow_permille = link.duplicate_permille = 0;
        link.loss_permille = 1;
      }
  });
}

void World::trouble_connections(Fault fault) {
  Volume& volume = *volumes_[prng().below(volumes_.size())];
  if (fault == Fault::ConnectionsReset) return volume.link().kill(true);
  volume.link().stall(scheduler_.now() + between(milliseconds(50), seconds(5)));
}

void World::trouble_agents(Fault fault) {
  auto& agents = any_data_machine().agents;
  if (fault == Fault::AgentFails) agents.trouble.failing_starts += 1;
  if (fault == Fault::AgentHangs) agents.trouble.hangs = true;
  if (fault == Fault::MonitorLies) agents.trouble.lying_monitors += static_cast<std::uint32_t>(prng().between(1, 3));
  if (fault == Fault::ApplicationDies) (void)agents.application_dies();
}

// ---- peace ------------------------------------------------------------------------------------------------------

void World::make_peace() {
  peace_ = true;
  if (observer_ != nullptr) observer_->trouble_ends(*this);
  fencings_to_fail_ = fencings_to_delay_ = 0;
  network_.heal_all();
  network_.set_all_faults({});
  for (const auto& machine : machines_) {
    machine->agents.trouble = {};
    machine->manager.disk().fail_writes(0);
    machine->manager.disk().fail_flushes(0);
    machine->thaw();
    machine->manager.resume();
    machine->watchdog.resume();
    machine->power_on();
    machine->start_watchdog();
    machine->start_manager();
    for (Blockd* blockd : machine->blockds) {
      blockd->resume();
      blockd->begin();
    }
  }
  if (!scenario_.given) repair();
}

}  // namespace bascule::sim::cluster
