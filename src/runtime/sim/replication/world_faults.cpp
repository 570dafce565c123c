#include <algorithm>

#include "runtime/sim/replication/world.h"

namespace bascule::sim {

using namespace replication;  // NOLINT: this file drives that room

// ---- workload ---------------------------------------------------------------------------------------------------

void ReplicationWorld::work(Node& node) {
  later(node, between(microseconds(200), milliseconds(4)), [this, &node] { work(node); });
  if (!node.device_open || !working_ || node.handing_over || node.open_writes.size() >= 12) return;
  if (prng().chance(1, 12) && node.open_flushes.size() < 4) {
    const RequestId request = next_request_++;
    node.open_flushes.insert(request);
    checker_.flush_submitted(request, node.index);
    return step(node, input::Flush{request});
  }
  const std::uint64_t device = scenario_.data_bytes / 512;
  const std::uint64_t sectors = prng().chance(1, 10) ? 1 + prng().below(256) : 1 + prng().below(16);
  // Often the same few blocks, so that writes overlap; else anywhere, so that extents are evicted.
  const std::uint64_t area = prng().chance(1, 2) ? 512 : device;
  const std::uint64_t sector = prng().below(area - std::min(area - 1, sectors));
  const RequestId request = next_request_++;
  const std::uint64_t stamp = next_stamp_++;
  const BufferId buffer = node.next_buffer++;
  node.buffers[buffer] = Stamps(sectors, stamp);
  node.open_writes[request] = stamp;
  const bool fua = prng().chance(1, 10);
  if (fua) node.fua.insert(request);
  checker_.submitted(stamp, node.index, sector, sectors);
  step(node, input::Write{request, sector * 512, static_cast<std::uint32_t>(sectors * 512), buffer, fua});
}

// ---- faults -----------------------------------------------------------------------------------------------------

void ReplicationWorld::kill_connections(bool tell) {
  for (const auto& tcp : connections_) {
    if (tcp->dead) continue;
    tcp->dead = true;
    for (std::size_t end = 0; tell && end < 2; ++end)
      report_closed(tcp, end, between(microseconds(50), milliseconds(50)));
  }
  std::erase_if(connections_, [](const auto& tcp) { return tcp->dead; });
}

void ReplicationWorld::kill_connections_of(std::size_t, bool tell) { kill_connections(tell); }

void ReplicationWorld::fault_on_link() {
  if (prng().chance(1, 3)) return kill_connections(true);
  link_up_ = false;
  kill_connections(prng().chance(1, 2));
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
      Node& node = *nodes_[prng().below(nodes)];
      node.majority_reachable = false;
      scheduler_.after(between(milliseconds(50), milliseconds(2500)), [&node] { node.majority_reachable = true; });
      return;
    }
    case 6: {  // a planned move
      const auto owner = majority_.view().owner;
      if (!owner || !nodes_[*owner]->alive || !nodes_[*owner]->device_open) return;
      nodes_[*owner]->handing_over = true;
      step(*nodes_[*owner], input::Demote{false});
      later(*nodes_[*owner], seconds(1), [&node = *nodes_[*owner]] { node.handing_over = false; });
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
    if (!node->alive) start(*node);
  }
}

}  // namespace bascule::sim
