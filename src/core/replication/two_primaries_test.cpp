#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <map>
#include <set>

#include "base/prng.h"
#include "core/replication/testing/data_path_node.h"

/// Two primaries write the same few blocks at once, under every interleaving of disks and sockets that a seed gives.
namespace bascule::replication::detail {
namespace {

using testing::DataPathNode;
using testing::device_sectors;
using Kinds = std::vector<drbd::BlockAck::Kind>;

Config two_primaries_config() {
  Config config = DataPathNode::usual_config();
  config.options.net.allow_two_primaries = true;
  return config;
}

struct Node : DataPathNode {
  explicit Node(bool decides) : DataPathNode(two_primaries_config()) {
    core.peer.role = Role::Primary;
    core.session.resolve_conflicts = decides;
  }
  struct Write {
    OperationId operation;
    Range range;
    std::uint64_t stamp;
  };
  struct Message {
    drbd::Packet packet;
    std::uint64_t stamp;
  };
  std::map<BufferId, std::uint64_t> buffers;
  BufferId next_buffer = 1;
  std::vector<std::uint64_t> disk = std::vector<std::uint64_t>(device_sectors, 0);
  std::vector<Write> in_flight;
  std::vector<OperationId> flushes;
  std::deque<Message> data;  ///< on their way to the other one
  std::deque<Message> meta;
  std::set<RequestId> open;
};

class Pair {
 public:
  explicit Pair(std::uint64_t seed) : prng_(seed) {}

  void run(int requests) {
    int left = requests;
    while (left > 0 || busy()) {
      ASSERT_LT(++steps_, 100'000) << "the two primaries wait for each other";
      Node& node = nodes_[prng_.below(2)];
      const auto choice = prng_.below(5);
      if (choice == 0 && left > 0) --left, write(node);
      if (choice == 1) finish_disk(node);
      if (choice == 2) deliver(node, true);
      if (choice == 3) deliver(node, false);
      if (choice == 4) finish_flush(node);
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_EQ(nodes_[0].disk, nodes_[1].disk);
    for (const Node& node : nodes_) EXPECT_EQ(node.core.bitmap.count(), 0U);
  }
  [[nodiscard]] int superseded() const { return superseded_; }
  [[nodiscard]] int retried() const { return retried_; }

 private:
  [[nodiscard]] bool busy() const {
    for (const Node& node : nodes_)
      if (!node.open.empty() || !node.in_flight.empty() || !node.data.empty() || !node.meta.empty() ||
          !node.flushes.empty())
        return true;
    return false;
  }
  Node& other(const Node& node) { return &node == &nodes_[0] ? nodes_[1] : nodes_[0]; }

  void write(Node& node) {
    const std::uint64_t first = prng_.below(16);
    const std::uint64_t sectors = 1 + prng_.below(6);
    node.buffers[node.next_buffer] = ++stamp_;
    node.open.insert(stamp_);
    node.writes.write({stamp_, first * 512, static_cast<std::uint32_t>(sectors * 512), node.next_buffer++, false});
    settle(node);
  }
  void finish_disk(Node& node) {
    if (node.in_flight.empty()) return;
    const auto at = node.in_flight.begin() + static_cast<std::ptrdiff_t>(prng_.below(node.in_flight.size()));
    const Node::Write done = *at;
    node.in_flight.erase(at);
    for (std::uint64_t byte = done.range.offset; byte < done.range.end(); byte += 512)
      node.disk[byte / 512] = done.stamp;
    if (owner_of(done.operation) == Owner::LocalWrite)
      node.writes.local_write_done(done.operation, 0);
    else
      node.peer_writes.local_write_done(done.operation, 0);
    settle(node);
  }
  void finish_flush(Node& node) {
    if (node.flushes.empty()) return;
    const OperationId done = node.flushes.front();
    node.flushes.erase(node.flushes.begin());
    node.peer_writes.flush_done(done, 0);
    settle(node);
  }
  void deliver(Node& from, bool on_data) {
    auto& queue = on_data ? from.data : from.meta;
    if (queue.empty()) return;
    const Node::Message message = queue.front();
    queue.pop_front();
    Node& to = other(from);
    bool good = true;
    if (const auto* data = std::get_if<drbd::Data>(&message.packet)) {
      to.buffers[to.next_buffer] = message.stamp;
      good = to.peer_writes.data(*data, to.next_buffer++);
    } else if (const auto* barrier = std::get_if<drbd::Barrier>(&message.packet)) {
      good = to.peer_writes.barrier(*barrier);
    } else if (const auto* ack = std::get_if<drbd::BlockAck>(&message.packet)) {
      to.core.see_sequence(ack->sequence);
      superseded_ += ack->kind == drbd::BlockAck::Kind::Superseded;
      retried_ += ack->kind == drbd::BlockAck::Kind::RetryWrite;
      good = to.writes.acknowledged(*ack);
    } else if (const auto* acked = std::get_if<drbd::BarrierAck>(&message.packet)) {
      good = to.writes.barrier_acknowledged(*acked);
    }
    ASSERT_TRUE(good) << drbd::name_of(drbd::command_of(message.packet));
    settle(to);
  }
  void settle(Node& node) {
    for (std::size_t before = ~std::size_t{0}; before != node.effects.size();) {
      before = node.effects.size();
      node.peer_writes.advance();
      node.writes.advance();
    }
    const Effects effects = std::exchange(node.effects, {});
    for (const Effect& effect : effects) std::visit([&](const auto& each) { carry_out(node, each); }, effect);
  }
  void carry_out(Node& node, const effect::DiskWrite& effect) {
    const Range range{effect.offset, effect.length};
    for (const Node::Write& each : node.in_flight)
      EXPECT_FALSE(each.range.overlaps(range)) << "overlapping writes are at the disk";
    ASSERT_TRUE(node.buffers.contains(effect.buffer));
    node.in_flight.push_back({effect.operation, range, node.buffers[effect.buffer]});
  }
  void carry_out(Node& node, const effect::DiskFlush& effect) { node.flushes.push_back(effect.operation); }
  void carry_out(Node& node, const effect::Send& effect) {
    ASSERT_TRUE(effect.buffer == 0 || node.buffers.contains(effect.buffer));
    const std::uint64_t stamp = effect.buffer == 0 ? 0 : node.buffers[effect.buffer];
    (effect.socket == 1 ? node.data : node.meta).push_back({effect.packet, stamp});
  }
  void carry_out(Node& node, const effect::ReleaseBuffer& effect) { EXPECT_EQ(node.buffers.erase(effect.buffer), 1U); }
  void carry_out(Node& node, const effect::Complete& effect) {
    EXPECT_EQ(effect.error_number, 0);
    EXPECT_EQ(node.open.erase(effect.request), 1U);
  }
  template <typename Other>
  void carry_out(Node&, const Other&) {}

  Prng prng_;
  std::array<Node, 2> nodes_{Node(true), Node(false)};
  std::uint64_t stamp_ = 0;
  int steps_ = 0;
  int superseded_ = 0;
  int retried_ = 0;
};

TEST(TwoPrimaries, EndWithTheSameDataWhateverOverlaps) {
  int superseded = 0;
  int retried = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Pair pair(seed);
    pair.run(40);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    superseded += pair.superseded();
    retried += pair.retried();
  }
  EXPECT_GT(superseded, 100);
  EXPECT_GT(retried, 100);
}

TEST(TwoPrimaries, TheDecidingNodeWaitsForWhatWasSentBefore) {
  Node node(true);
  EXPECT_TRUE(node.peer_data(0, 4096, 2));
  EXPECT_EQ(node.count<effect::DiskWrite>(), 0U) << "number 1 is still on its way on the other socket";
  node.core.see_sequence(1);
  node.peer_writes.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>(), 1U);
}

TEST(TwoPrimaries, WhatThePeerSentBeforeMustArriveInTime) {
  Node node(true);
  EXPECT_TRUE(node.peer_data(0, 4096, 2));
  node.core.now = node.peer_writes.deadline();
  ASSERT_NE(node.core.now, never);
  node.peer_writes.tick();
  ASSERT_TRUE(node.core.dropping);
  EXPECT_EQ(node.core.dropping->why, ConnectionState::Timeout);
}

TEST(TwoPrimaries, TheDecidingNodeSupersedesWhatItsOwnWriteCoversAndRetriesTheRest) {
  Node node(true);
  node.buffers[1] = 1;
  node.writes.write({1, 0, 4096, 1, false});
  EXPECT_TRUE(node.peer_data(0, 512, 1));
  EXPECT_TRUE(node.peer_data(4, 4096, 2));
  EXPECT_TRUE(node.peer_data(16, 512, 3));
  EXPECT_EQ(node.acks(), (Kinds{drbd::BlockAck::Kind::Superseded, drbd::BlockAck::Kind::RetryWrite}));
  EXPECT_EQ(node.count<effect::DiskWrite>(), 2U) << "its own, and the one that overlaps nothing";
}

TEST(TwoPrimaries, TheOtherNodeWaitsForTheDecisionAndMakesItsWriteAgain) {
  Node node(false);
  node.buffers[1] = 1;
  node.writes.write({1, 0, 4096, 1, false});
  EXPECT_TRUE(node.peer_data(4, 4096, 1));
  EXPECT_EQ(node.count<effect::DiskWrite>(), 1U);
  drbd::BlockAck retry;
  retry.kind = drbd::BlockAck::Kind::RetryWrite;
  retry.block_id = drbd::BlockId{1};
  retry.size_bytes = 4096;
  EXPECT_TRUE(node.writes.acknowledged(retry));
  node.peer_writes.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>(), 1U) << "its own write is still at the disk";
  node.writes.local_write_done(operation_of(Owner::LocalWrite, 1), 0);
  node.peer_writes.advance();
  node.writes.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>(), 2U) << "the peer's goes first";
  node.peer_writes.local_write_done(operation_of(Owner::PeerWrite, 0), 0);
  node.writes.advance();
  EXPECT_EQ(node.count<effect::DiskWrite>(), 3U);
  EXPECT_EQ(node.count<effect::Complete>(), 0U);
}

TEST(TwoPrimaries, WithoutTheOptionAWriteForAPrimaryIsAnError) {
  Node node(true);
  node.core.config.options.net.allow_two_primaries = false;
  EXPECT_FALSE(node.peer_data(0, 4096, 1));
}

}  // namespace
}  // namespace bascule::replication::detail
