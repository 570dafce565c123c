#include <algorithm>

#include "runtime/sim/replication/world.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

// ---- workload ---------------------------------------------------------------------------------------------------

void ReplicationWorld::work(Node& node) {
  node.later(between(microseconds(200), milliseconds(4)), [this, &node] { work(node); });
  if (!node.device_open || !working_ || node.handing_over || node.application->open_writes() >= 12) return;
  node.application->submit_one();
}

// ---- faults -----------------------------------------------------------------------------------------------------

void ReplicationWorld::fault_on_link() {
  if (prng().chance(1, 3)) return link_->kill(true);
  link_up_ = false;
  link_->kill(prng().chance(1, 2));
  scheduler_.after(between(milliseconds(5), milliseconds(2500)), [this] { link_up_ = true; });
}

void ReplicationWorld::fault_on_node() {
  Node& node = *nodes_[prng().below(nodes)];
  stop(node, prng().chance(2, 3));
  scheduler_.after(between(milliseconds(20), milliseconds(2000)), [this, &node] {
    if (!node.alive) start(node);
  });
}

void ReplicationWorld::fault() {
  if (finishing_) return;
  switch (prng().below(8)) {
    case 0:
    case 1:
      return fault_on_link();
    case 2:
    case 3:
    case 4:
      return fault_on_node();
    case 5: {  // cut off from the majority
      if (has_operator()) return fault_by_operator();
      Node& node = *nodes_[prng().below(nodes)];
      node.majority_reachable = false;
      scheduler_.after(between(milliseconds(50), milliseconds(2500)), [&node] { node.majority_reachable = true; });
      return;
    }
    case 6: {  // a planned move
      if (has_operator()) return want(1 - wanted_owner_);
      const auto owner = majority_.view().owner;
      if (!owner || !nodes_[*owner]->alive || !nodes_[*owner]->device_open) return;
      nodes_[*owner]->handing_over = true;
      nodes_[*owner]->step(input::Demote{false});
      nodes_[*owner]->later(seconds(1), [&node = *nodes_[*owner]] { node.handing_over = false; });
      return;
    }
    default: {  // both at once
      for (auto& node : nodes_) {
        stop(*node, true);
        scheduler_.after(between(milliseconds(20), milliseconds(1500)), [this, &node = *node] {
          if (!node.alive) start(node);
        });
      }
    }
  }
}

void ReplicationWorld::heal() {
  finishing_ = true;
  working_ = false;
  link_up_ = true;
  for (auto& node : nodes_) {
    node->majority_reachable = true;
    node->left_alone = false;
    node->failing_io = 0;
    grow_disk(*node);
    if (!node->alive) start(*node);
  }
}

}  // namespace bascule::sim
