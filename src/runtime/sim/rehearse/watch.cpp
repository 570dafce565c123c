#include "runtime/sim/rehearse/watch.h"

#include <algorithm>

#include "runtime/sim/rehearse/kinds.h"

namespace bascule::sim::rehearse {

using cluster::Blockd;
using cluster::Machine;
using cluster::World;

namespace {

/// Writes to the volume are answered here.
bool takes_writes(World& world, const Machine& machine, const config::Service& service) {
  if (!service.volume) return true;
  const Blockd* blockd = world.blockd(*service.volume, machine);
  return blockd != nullptr && blockd->alive && !blockd->paused && blockd->primary() &&
         blockd->engine->status().writes_held == 0;
}

bool is_there(World& world, const config::Service& service) {
  return std::any_of(world.machines().begin(), world.machines().end(), [&](const auto& machine) {
    return machine->on && !machine->frozen && machine->agents.serves(service.name) &&
           takes_writes(world, *machine, service);
  });
}

}  // namespace

void Watch::trouble_begins(World& world) {
  watching_ = true;
  began_ = world.scheduler().now();
  for (const auto& service : world.scenario().config.services)
    if (service.autostart) services_[service.name];
  for (const auto& volume : world.volumes()) copies_[volume->name()];
}

void Watch::look(World& world) {
  if (!watching_) return;
  for (auto& [name, span] : services_)
    note(world, span, is_there(world, *world.scenario().config.service(name)), "service " + name);
  for (auto& [name, span] : copies_)
    note(world, span, world.volume(name)->agreed_state().in_sync.size() > 1, "the second copy of volume " + name);
}

void Watch::note(World& world, Span& span, bool there, const std::string& what) {
  if (!there) span.gone += interval();
  if (span.back == there) return;
  span.back = there;
  tell(world, "", there ? "THERE AGAIN: " + what : "NOT THERE: " + what);
}

// ---- the story --------------------------------------------------------------------------------------------------

void Watch::tell(World& world, std::string who, std::string text) {
  if (!tells_ || !watching_) return;
  story_.push_back({world.scheduler().now() - began_, std::move(who), std::move(text)});
}

void Watch::trouble_ends(World& world) { tell(world, "", "The faults are over; what they broke is mended."); }

void Watch::rests(World& world) {
  tell(world, "", "The end.");
  watching_ = false;
}

void Watch::struck(World& world, cluster::Fault fault) {
  if (const std::string words = words_of(fault); !words.empty()) tell(world, "", "A FAULT: " + words);
}

void Watch::said(World& world, const Machine& machine, const std::string& line) { tell(world, machine.name(), line); }

void Watch::told(World& world, const Machine& machine, const message::Event& event) {
  const auto index = event.fields.find("index");
  const std::string once = index == event.fields.end() ? "" : index->second + " " + event.kind + " " + event.subject;
  if (!once.empty() && !told_.insert(once).second) return;
  tell(world, once.empty() ? machine.name() : "", event.text);
}

void Watch::volume_told(World& world, const Machine& machine, const cluster::Volume& volume,
                        const replication::effect::Event& event) {
  tell(world, machine.name(), "volume " + volume.name() + ": " + event.text);
}

}  // namespace bascule::sim::rehearse
