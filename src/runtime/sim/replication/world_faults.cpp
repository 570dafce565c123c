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
    ++result_.flushes;
    checker_.flush_submitted(request, node.index);
    return step(node, input::Flush{request});
  }
  if (prng().chance(1, 8) && node.open_reads.size() < 4) return submit_read(node);
  submit_write(node);
}

void ReplicationWorld::submit_read(Node& node) {
  const RequestId request = next_request_++;
  const std::uint64_t sectors = 1 + prng().below(64);
  const std::uint64_t area = prng().chance(1, 2) ? 512 : node.engine->status().size_bytes / 512;
  const std::uint64_t sector = prng().below(area - sectors);
  const BufferId buffer = node.next_buffer++;
  node.buffers[buffer] = Stamps(sectors);
  // Without data of its own it reads the peer's; also where it writes both, but its disk is yet to be resynced.
  const bool own_disk = node.engine->status().disk == drbd::DiskState::UpToDate;
  node.open_reads[request] = {buffer, sector, checker_.floor(own_disk ? node.index : 1 - node.index, sector, sectors)};
  ++result_.reads;
  step(node, input::Read{request, sector * 512, static_cast<std::uint32_t>(sectors * 512), buffer});
}

void ReplicationWorld::submit_write(Node& node) {
  const std::uint64_t device = node.engine->status().size_bytes / 512;
  const bool data = prng().chance(7, 8);
  // Often the same few blocks, so that writes overlap; else anywhere, so that extents are evicted.
  const std::uint64_t area = prng().chance(1, 2) ? 512 : device;
  const std::uint64_t longest = data ? 256 : area;
  const std::uint64_t sectors = prng().chance(1, 10) ? 1 + prng().below(longest) : 1 + prng().below(data ? 16 : 128);
  const std::uint64_t sector = prng().below(area - std::min(area - 1, sectors));
  const RequestId request = next_request_++;
  const std::uint64_t stamp = next_stamp_++;
  input::Write write{request, sector * 512, static_cast<std::uint32_t>(sectors * 512), 0, prng().chance(1, 10)};
  if (data) {
    write.buffer = node.next_buffer++;
    node.buffers[write.buffer] = Stamps(sectors, stamp);
  } else {
    constexpr std::array kinds{WriteKind::discard, WriteKind::zeroes, WriteKind::zeroes_unmap};
    write.kind = kinds[prng().below(kinds.size())];
    node.open_zeroings[request] = {sector, sectors, stamp};
    ++result_.zeroings;
  }
  node.open_writes[request] = stamp;
  if (write.fua) node.fua.insert(request);
  checker_.submitted({stamp, node.index, sector, sectors, !data});
  trace_write(node, data ? "application-writes" : "application-zeroes", sector, Stamps(sectors, stamp));
  step(node, write);
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
    node->left_alone = false;
    node->failing_io = 0;
    grow_disk(*node);
    if (!node->alive) start(*node);
  }
}

}  // namespace bascule::sim
