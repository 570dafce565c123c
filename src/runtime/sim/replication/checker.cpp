#include "runtime/sim/replication/checker.h"

#include <algorithm>

namespace bascule::sim {

ReplicationChecker::ReplicationChecker(std::uint64_t sectors)
    : flushed_(sectors, 0), has_{Stamps(sectors, 0), Stamps(sectors, 0)} {}

void ReplicationChecker::violation(std::string text) {
  if (violation_.empty()) violation_ = std::move(text);
}

void ReplicationChecker::committed(std::uint64_t epoch, std::size_t owner, std::array<bool, nodes> members) {
  epoch_ = epoch;
  owner_ = owner;
  members_ = members;
}

void ReplicationChecker::raise(Stamps& floor, const Write& write) {
  for (std::uint64_t sector = write.sector; sector < write.sector + write.sectors; ++sector)
    floor[sector] = std::max(floor[sector], write.stamp);
}

// ---- what applications were told --------------------------------------------------------------------------------

void ReplicationChecker::submitted(std::uint64_t stamp, std::size_t node, std::uint64_t sector, std::uint64_t sectors) {
  if (stamp != writes_.size() + 1) return violation("the workload numbers its writes wrongly");
  writes_.push_back({stamp, node, sector, sectors});
}

void ReplicationChecker::acknowledged(std::uint64_t stamp, std::uint64_t epoch, bool forced_unit_access,
                                      bool lease_really_valid) {
  Write& done = write(stamp);
  if (!lease_really_valid)
    violation("node " + std::to_string(done.node) + " acknowledged write " + std::to_string(stamp) +
              " without a lease");
  if (epoch < newest_acknowledging_epoch_)
    violation("two writers: epoch " + std::to_string(epoch) + " acknowledged after epoch " +
              std::to_string(newest_acknowledging_epoch_));
  newest_acknowledging_epoch_ = std::max(newest_acknowledging_epoch_, epoch);
  done.fate = Write::Fate::Acknowledged;
  ++acknowledged_count_;
  raise(has_[done.node], done);
  if (members_[1 - done.node] && stamp > lost_up_to_[1 - done.node]) raise(has_[1 - done.node], done);
  if (forced_unit_access)
    raise(flushed_, done);
  else
    unflushed_.push_back(stamp);
}

void ReplicationChecker::failed(std::uint64_t stamp) {
  Write& done = write(stamp);
  done.fate = Write::Fate::Lost;
  for (std::uint64_t sector = done.sector; sector < done.sector + done.sectors; ++sector) uncertain_.insert(sector);
}

void ReplicationChecker::flush_submitted(std::uint64_t flush, std::size_t node) {
  Flush covers{flush, {}};
  for (const std::uint64_t stamp : unflushed_)
    if (write(stamp).node == node) covers.covers.push_back(stamp);
  std::sort(covers.covers.begin(), covers.covers.end());
  flushes_.push_back(std::move(covers));
}

void ReplicationChecker::flush_acknowledged(std::uint64_t flush) {
  const auto found =
      std::find_if(flushes_.begin(), flushes_.end(), [&](const Flush& each) { return each.number == flush; });
  if (found == flushes_.end()) return;
  for (const std::uint64_t stamp : found->covers) raise(flushed_, write(stamp));
  std::erase_if(unflushed_, [&](std::uint64_t stamp) {
    return std::binary_search(found->covers.begin(), found->covers.end(), stamp);
  });
  flushes_.erase(found);
}

// ---- what happened to nodes -------------------------------------------------------------------------------------

void ReplicationChecker::power_lost(std::size_t node) {
  has_[node] = flushed_;
  lost_up_to_[node] = writes_.size();
  // A flush on its way when the power failed covers only what the survivor has.
  std::erase_if(unflushed_, [&](std::uint64_t stamp) { return write(stamp).node == node; });
  stopped(node);
}

void ReplicationChecker::stopped(std::size_t node) {
  for (Write& each : writes_)
    if (each.node == node && each.fate == Write::Fate::Open) failed(each.stamp);
}

void ReplicationChecker::resync_started(std::size_t target) {
  has_[target] = flushed_;
  // What it held beyond that is being replaced; no later flush of this node can mean it.
  std::erase_if(unflushed_, [&](std::uint64_t stamp) { return write(stamp).node == target; });
}

void ReplicationChecker::resync_finished(std::size_t target, const std::array<const Stamps*, nodes>& disks) {
  has_[target] = has_[1 - target];
  std::set<std::uint64_t> busy = uncertain_;
  for (const Write& each : writes_)
    if (each.fate == Write::Fate::Open)
      for (std::uint64_t sector = each.sector; sector < each.sector + each.sectors; ++sector) busy.insert(sector);
  for (std::uint64_t sector = 0; sector < disks[0]->size(); ++sector)
    if ((*disks[0])[sector] != (*disks[1])[sector] && !busy.contains(sector))
      return violation("resync finished, but sector " + std::to_string(sector) + " has write " +
                       std::to_string((*disks[0])[sector]) + " and " + std::to_string((*disks[1])[sector]));
}

void ReplicationChecker::must_have(const char* when, std::size_t node, const Stamps& disk, const Stamps& floor) {
  for (std::uint64_t sector = 0; sector < disk.size(); ++sector)
    if (disk[sector] < floor[sector])
      return violation(std::string(when) + ": node " + std::to_string(node) + " has write " +
                       std::to_string(disk[sector]) + " in sector " + std::to_string(sector) + ", acknowledged was " +
                       std::to_string(floor[sector]));
}

void ReplicationChecker::promoted(std::size_t node, std::uint64_t epoch, const Stamps& disk) {
  if (!members_[node]) violation("node " + std::to_string(node) + " was promoted and is no member of the in-sync set");
  if (epoch < newest_acknowledging_epoch_) violation("an old epoch was promoted");
  must_have("promotion", node, disk, has_[node]);
}

void ReplicationChecker::settled(const std::array<const Stamps*, nodes>& disks) {
  for (std::uint64_t sector = 0; sector < disks[0]->size(); ++sector)
    if ((*disks[0])[sector] != (*disks[1])[sector])
      return violation("the replicas differ at the end: sector " + std::to_string(sector) + " has write " +
                       std::to_string((*disks[0])[sector]) + " and " + std::to_string((*disks[1])[sector]));
  must_have("the end", 0, *disks[0], has_[owner_]);
}

void ReplicationChecker::after_blackout(std::size_t node, const Stamps& disk) {
  must_have("power loss at the end", node, disk, flushed_);
}

}  // namespace bascule::sim
