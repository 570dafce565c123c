#include "runtime/sim/replication/majority.h"

namespace bascule::sim {

bool Majority::heartbeat(std::size_t node, WorldTime asked_at, WorldTime now) {
  heard_[node] = now;
  if (view_.owner != node) return false;
  lease_end_ = std::max(lease_end_, asked_at + lease);
  return true;
}

void Majority::shrink(std::size_t from, std::uint64_t epoch, std::uint64_t version) {
  if (view_.owner != from || view_.epoch != epoch || view_.version != version) return;
  view_.members[1 - from] = false;
  ++view_.version;
}

void Majority::grow(std::size_t from, std::uint64_t epoch, std::uint64_t version) {
  if (view_.version != version || !view_.members[from]) return;
  if (view_.owner && (view_.owner != from || view_.epoch != epoch)) return;
  view_.members[1 - from] = true;
  ++view_.version;
}

void Majority::give_back(std::size_t from, std::uint64_t epoch, WorldTime not_again_before) {
  if (view_.owner != from || view_.epoch != epoch) return;
  view_.owner.reset();
  ++view_.version;
  lease_end_ = WorldTime{};
  not_before_[from] = not_again_before;
}

void Majority::hand_over(std::size_t from, std::uint64_t epoch) {
  if (view_.owner != from || view_.epoch != epoch || !view_.members[1 - from]) return;
  view_.owner = 1 - from;
  ++view_.epoch;
  ++view_.version;
  lease_end_ = WorldTime{};
}

bool Majority::decide(WorldTime now) {
  if (view_.owner && now <= lease_end_ + margin) return false;
  // Last heard of: the owner may simply be slow.
  if (view_.owner && now <= heard_[*view_.owner] + lease + margin) return false;
  for (std::size_t node = 0; node < nodes; ++node) {
    if (node == view_.owner || now < not_before_[node] || (!careless && !view_.members[node]) ||
        now > heard_[node] + milliseconds(200) || heard_[node] == WorldTime{})
      continue;
    view_.owner = node;
    ++view_.epoch;
    ++view_.version;
    return true;
  }
  return false;
}

bool Majority::lease_valid(std::size_t node, std::uint64_t epoch, WorldTime now) const {
  return view_.owner == node && view_.epoch == epoch && now < lease_end_;
}

}  // namespace bascule::sim
