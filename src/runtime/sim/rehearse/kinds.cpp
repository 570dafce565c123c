#include "runtime/sim/rehearse/kinds.h"

#include <algorithm>

namespace bascule::sim::rehearse {

using cluster::Fault;

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"node", "a machine loses power, for up to 20 s", {Fault::PowerFails}, true},
      {"link",
       "a link between two machines, or all links of one, is cut for up to 30 s",
       {Fault::LinkCut, Fault::LinkCutOneWay, Fault::MachineCutOff},
       true},
      {"process",
       "a daemon of Bascule's is killed, or stands still for up to 40 s",
       {Fault::ManagerDies, Fault::BlockdDies, Fault::WatchdogdDies, Fault::ProcessPauses},
       true},
      {"pause", "all processes of a machine stand still, for up to 40 s", {Fault::MachinePauses}, true},
      {"service",
       "an application dies, the next start fails or hangs, or monitors say that it failed",
       {Fault::ApplicationDies, Fault::AgentFails, Fault::AgentHangs, Fault::MonitorLies},
       true},
      {"disk", "the disk of a manager's log fails once; the disks of volumes do not", {Fault::ManagerDiskFails}, true},
      {"network",
       "links are slow or lose packets for up to 40 s, connections of a volume break or stall",
       {Fault::LinksSlow, Fault::LinksLossy, Fault::ConnectionsReset, Fault::ConnectionsStall},
       false},
      {"site", "several machines lose power at once", {Fault::PowerFailsOnSeveral}, false},
      {"fencing",
       "a machine loses power, and the fence devices fail or are late",
       {Fault::FencingFails, Fault::FencingLate},
       false},
      {"clock", "a clock begins to go wrong, by less than 500 ppm", {Fault::ClockDrifts}, false}};
  return all;
}

std::string usual_kinds() {
  std::string list;
  for (const Kind& kind : kinds())
    if (kind.usual) list += (list.empty() ? "" : ",") + std::string(kind.name);
  return list;
}

Result<std::vector<std::string>> parse_kinds(const std::string& list) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    const std::string name = list.substr(begin, end - begin);
    begin = end + 1;
    const bool known = std::any_of(kinds().begin(), kinds().end(), [&](const Kind& kind) { return name == kind.name; });
    if (!known) {
      std::string all;
      for (const Kind& kind : kinds()) all += (all.empty() ? "" : ", ") + std::string(kind.name);
      return fail("there is no such kind of fault", "--faults " + list, "'" + name + "' is none", "choose of " + all);
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::array<std::uint32_t, cluster::fault_kinds> weights_of(const std::vector<std::string>& names) {
  constexpr std::uint32_t of_a_kind = 12;  // which 1 to 4 divide
  std::array<std::uint32_t, cluster::fault_kinds> weights{};
  for (const Kind& kind : kinds())
    if (std::find(names.begin(), names.end(), kind.name) != names.end())
      for (const Fault fault : kind.faults)
        weights[static_cast<std::size_t>(fault)] += of_a_kind / static_cast<std::uint32_t>(kind.faults.size());
  return weights;
}

const char* words_of(Fault fault) {
  switch (fault) {
    case Fault::LinksSlow:
      return "links of one machine become slow";
    case Fault::LinksLossy:
      return "links of one machine lose packets";
    case Fault::ConnectionsReset:
      return "the connection of a volume breaks";
    case Fault::ConnectionsStall:
      return "the connection of a volume stalls";
    case Fault::ClockDrifts:
      return "the clock of a machine begins to go at another pace";
    case Fault::AgentFails:
      return "on one machine the next start of an application will fail";
    case Fault::AgentHangs:
      return "on one machine the next agent will hang until its time is over";
    case Fault::MonitorLies:
      return "on one machine the next monitors will say that the application failed";
    case Fault::ApplicationDies:
      return "an application ends by itself";
    case Fault::FencingFails:
      return "the next runs of fence agents will fail, and a machine loses power";
    case Fault::FencingLate:
      return "the next runs of fence agents will be late, and a machine loses power";
    case Fault::ManagerDiskFails:
      return "the disk of a manager's log fails once";
    case Fault::PowerFailsOnSeveral:
      return "several machines lose power";
    default:
      return "";  // the machine that it happens to says it
  }
}

}  // namespace bascule::sim::rehearse
