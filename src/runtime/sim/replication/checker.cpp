#include "runtime/sim/replication/checker.h"

#include <algorithm>

namespace bascule::sim {

ReplicationChecker::ReplicationChecker(std::uint64_t sectors)
    : zeroed_(sectors, 0),
      has_{Stamps(sectors, 0), Stamps(sectors, 0)},
      flushed_{Stamps(sectors, 0), Stamps(sectors, 0)},
      met_has_(has_),
      met_flushed_(flushed_),
      last_submitted_(sectors, 0),
      left_since_(sectors, false) {}

void ReplicationChecker::violation(std::string text) {
  if (violation_.empty()) violation_ = std::move(text);
}

void ReplicationChecker::committed(std::size_t owner, std::array<bool, nodes> members) {
  owner_ = owner;
  members_ = members;
}

void ReplicationChecker::raise(Stamps& floor, const Write& write) {
  for (std::uint64_t sector = write.what.sector; sector < write.what.sector + write.what.sectors; ++sector)
    floor[sector] = std::max(floor[sector], write.what.stamp);
}

void ReplicationChecker::raise(Stamps& floor, const Stamps& by) {
  for (std::uint64_t sector = 0; sector < floor.size(); ++sector) floor[sector] = std::max(floor[sector], by[sector]);
}

// ---- what applications were told --------------------------------------------------------------------------------

void ReplicationChecker::submitted(const Submitted& write) {
  if (write.stamp != writes_.size() + 1) return violation("the workload numbers its writes wrongly");
  writes_.push_back({write, losses_[1 - write.node]});
  for (std::uint64_t sector = write.sector; sector < write.sector + write.sectors; ++sector) {
    last_submitted_[sector] = write.stamp;
    if (write.zeroes) zeroed_[sector] = write.stamp;
  }
}

void ReplicationChecker::begun(std::uint64_t stamp) {
  Write& begins = write(stamp);
  begins.peer_losses = losses_[1 - begins.what.node];
  const auto first = left_since_.begin() + static_cast<std::ptrdiff_t>(begins.what.sector);
  std::fill(first, first + static_cast<std::ptrdiff_t>(begins.what.sectors), true);
}

void ReplicationChecker::acknowledged(std::uint64_t stamp, const Answer& answer) {
  Write& done = write(stamp);
  const std::size_t node = done.what.node;
  if (!answer.lease_valid)
    violation("node " + std::to_string(node) + " acknowledged write " + std::to_string(stamp) + " without a lease");
  if (answer.epoch < newest_acknowledging_epoch_)
    violation("two writers: epoch " + std::to_string(answer.epoch) + " acknowledged after epoch " +
              std::to_string(newest_acknowledging_epoch_));
  newest_acknowledging_epoch_ = std::max(newest_acknowledging_epoch_, answer.epoch);
  done.fate = Write::Fate::Acknowledged;
  ++acknowledged_count_;
  if (answer.own_has) raise(has_[node], done);
  if (answer.durable && answer.own_has) raise(flushed_[node], done);
  // A peer that lost power after the write had left for it may have answered before, and lost it then: that the answer
  // was heard later makes no difference to what a write without a flush is promised. Nor under protocol B, where its
  // process ended with what it had only received.
  const bool same_power = done.peer_losses == losses_[1 - node];
  if (answer.peer_has && (same_power || answer.peer_durable)) raise(has_[1 - node], done);
  if (answer.peer_durable) raise(flushed_[1 - node], done);
}

void ReplicationChecker::failed(std::uint64_t stamp) {
  Write& done = write(stamp);
  done.fate = Write::Fate::Lost;
  for (std::uint64_t sector = done.what.sector; sector < done.what.sector + done.what.sectors; ++sector)
    uncertain_.insert(sector);
}

/// A flush means everything that was acknowledged before it on this device, whoever wrote it: what the node must show.
void ReplicationChecker::flush_submitted(std::uint64_t flush, std::size_t node) {
  flushes_[flush] = {node, has_[node]};
}

void ReplicationChecker::flush_acknowledged(std::uint64_t flush, bool own_durable, bool peer_durable) {
  const auto found = flushes_.find(flush);
  if (found == flushes_.end()) return;
  const auto& [node, covers] = found->second;
  if (own_durable) raise(flushed_[node], covers);
  if (peer_durable) {
    raise(flushed_[1 - node], covers);
    raise(has_[1 - node], covers);
  }
  flushes_.erase(found);
}

ReplicationChecker::Stamps ReplicationChecker::floor(std::size_t node, std::uint64_t sector,
                                                     std::uint64_t sectors) const {
  const auto first = has_[node].begin() + static_cast<std::ptrdiff_t>(sector);
  return {first, first + static_cast<std::ptrdiff_t>(sectors)};
}

void ReplicationChecker::has_read(std::size_t node, std::uint64_t sector, const Stamps& found, const Stamps& floor) {
  if (found.size() != floor.size()) return violation("a read brings another length than was asked for");
  must_have("a read", node, sector, found, floor);
}

// ---- what happened to nodes -------------------------------------------------------------------------------------

void ReplicationChecker::power_lost(std::size_t node) {
  has_[node] = flushed_[node];
  ++losses_[node];
  stopped(node, false);
}

void ReplicationChecker::stopped(std::size_t node, bool forgets) {
  if (forgets) {
    has_[node] = flushed_[node];
    ++losses_[node];
  }
  std::erase_if(flushes_, [&](const auto& each) { return each.second.node == node; });
  for (Write& each : writes_)
    if (each.what.node == node && each.fate == Write::Fate::Open) failed(each.what.stamp);
}

void ReplicationChecker::met() {
  met_has_ = has_;
  met_flushed_ = flushed_;
  met_after_ = writes_.size();
  std::fill(left_since_.begin(), left_since_.end(), false);
}

void ReplicationChecker::resync_started(std::size_t target, const std::array<bool, nodes>& alone) {
  if (alone[target] && !alone[1 - target])
    violation("node " + std::to_string(target) + " was Primary alone and is to take the data of the other one");
  // A set that has just shrunk to the target may be met by a crash before anything was acknowledged under it.
  const auto only_there = [&](std::uint64_t sector) { return flushed_[target][sector] > has_[1 - target][sector]; };
  if (members_[target] && !members_[1 - target])
    for (std::uint64_t sector = 0; sector < flushed_[target].size(); ++sector)
      if (only_there(sector))
        return violation("node " + std::to_string(target) +
                         ", the only member of the in-sync set, is to be overwritten");
  // Whatever it had beyond that is given up; a Primary whose own disk is the target reads what the source has.
  has_[target] = has_[1 - target];
  // Not only with the resync's end, which a target that has every block may never hear of when the source is lost.
  for (std::uint64_t sector = 0; sector < flushed_[target].size(); ++sector)
    flushed_[target][sector] = std::min(flushed_[target][sector], has_[target][sector]);
  uncertain_.clear();
}

void ReplicationChecker::resync_finished(std::size_t target, const std::array<const Stamps*, nodes>& disks,
                                         Reach reach) {
  const std::size_t source = 1 - target;
  has_[target] = reach == Reach::Sent ? met_has_[source] : has_[source];
  flushed_[target] = reach == Reach::Flushed ? flushed_[source] : met_flushed_[source];
  // The next resync may come while they stay connected (a disk is attached, the device has grown), from this one: what
  // it had when the two met, and has given up now, is not what that one can bring.
  met_has_[target] = has_[target];
  met_flushed_[target] = flushed_[target];
  std::set<std::uint64_t> busy = uncertain_;
  for (const Write& each : writes_)
    if (each.fate == Write::Fate::Open)
      for (std::uint64_t sector = each.what.sector; sector < each.what.sector + each.what.sectors; ++sector)
        busy.insert(sector);
  for (std::uint64_t sector = 0; sector < disks[0]->size(); ++sector) {
    // Where an acknowledgement does not wait for the target's disk, newer writes may be on their way; also one that was
    // submitted before the two met, and left only then.
    const bool newer = last_submitted_[sector] > met_after_ || left_since_[sector];
    const bool on_its_way = reach != Reach::Flushed && newer;
    if ((*disks[0])[sector] != (*disks[1])[sector] && !on_its_way && !busy.contains(sector))
      return violation("resync finished, but sector " + std::to_string(sector) + " has write " +
                       std::to_string((*disks[0])[sector]) + " and " + std::to_string((*disks[1])[sector]));
  }
}

/// Empty: a sector may show this although the write `floor` must not be missing.
std::string ReplicationChecker::fault_in(std::uint64_t sector, std::uint64_t found, std::uint64_t floor) const {
  if (found == 0) return zeroed_[sector] >= floor ? "" : "older zeroes";
  if (found > writes_.size()) return "what nobody wrote";
  const Submitted& wrote = writes_[found - 1].what;
  if (wrote.zeroes || sector < wrote.sector || sector >= wrote.sector + wrote.sectors) return "what nobody wrote there";
  return found >= floor ? "" : "write " + std::to_string(found);
}

void ReplicationChecker::must_have(const char* when, std::size_t node, std::uint64_t first_sector, const Stamps& found,
                                   const Stamps& floor) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i] == floor[i]) continue;
    const std::string fault = fault_in(first_sector + i, found[i], floor[i]);
    if (!fault.empty())
      return violation(std::string(when) + ": node " + std::to_string(node) + " has " + fault + " in sector " +
                       std::to_string(first_sector + i) + ", acknowledged was " + std::to_string(floor[i]));
  }
}

void ReplicationChecker::promoted(std::size_t node, std::uint64_t epoch, const Stamps* disk) {
  if (!members_[node]) violation("node " + std::to_string(node) + " was promoted and is no member of the in-sync set");
  if (epoch < newest_acknowledging_epoch_) violation("an old epoch was promoted");
  if (disk != nullptr) must_have("promotion", node, 0, *disk, has_[node]);
}

void ReplicationChecker::settled(const std::array<const Stamps*, nodes>& disks) {
  for (std::uint64_t sector = 0; sector < disks[0]->size(); ++sector)
    if ((*disks[0])[sector] != (*disks[1])[sector])
      return violation("the replicas differ at the end: sector " + std::to_string(sector) + " has write " +
                       std::to_string((*disks[0])[sector]) + " and " + std::to_string((*disks[1])[sector]));
  must_have("the end", owner_, 0, *disks[owner_], has_[owner_]);
}

void ReplicationChecker::after_blackout(std::size_t node, const Stamps& disk) {
  must_have("power loss at the end", node, 0, disk, flushed_[node]);
}

}  // namespace bascule::sim
