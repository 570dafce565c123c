#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "base/prng.h"
#include "core/replication/detail/data/read_server.h"
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
  config.flush_waits_for_peer = true;
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
  ReadServer read_server{core};
  std::map<BufferId, std::uint64_t> buffers;
  BufferId next_buffer = 1;
  std::vector<std::uint64_t> disk = std::vector<std::uint64_t>(device_sectors, 0);
  std::vector<Write> in_flight;
  struct Flush {
    OperationId operation;
    std::vector<std::size_t> covers;
  };
  std::vector<Flush> flushes;
  std::vector<OperationId> reads;
  std::vector<std::vector<std::uint64_t>> history{device_sectors};  ///< the stamps that each sector of this disk had
  std::vector<std::size_t> durable_of = std::vector<std::size_t>(device_sectors, 0);  ///< so many of them are flushed
  std::map<RequestId, Range> ranges;
  std::vector<std::size_t> acknowledged_of = std::vector<std::size_t>(device_sectors, 0);  ///< in the other's history
  std::map<RequestId, std::vector<std::size_t>> application_flushes;                       ///< what they promise
  std::deque<Message> data;  ///< on their way to the other one
  std::deque<Message> meta;
  std::set<RequestId> open;
};

class Pair {
 public:
  /// `kernel`: the deciding node answers no barrier of an epoch of which it refused a write.
  explicit Pair(std::uint64_t seed, bool kernel = false) : prng_(seed), kernel_(kernel) {}

  void run(int requests) {
    int left = requests;
    while (left > 0 || busy()) {
      ASSERT_LT(++steps_, 100'000) << "the two primaries wait for each other";
      Node& node = nodes_[prng_.below(2)];
      const auto choice = prng_.below(7);
      if (choice == 0 && left > 0) --left, prng_.chance(1, 6) ? flush(node) : write(node);
      if (choice == 1) finish_disk(node);
      if (choice == 2) deliver(node, true);
      if (choice == 3) deliver(node, false);
      if (choice == 4) finish_flush(node);
      if (choice == 5) finish_read(node);
      if (choice == 6) pass_time(node);
      if (::testing::Test::HasFailure()) return;
    }
    EXPECT_EQ(nodes_[0].disk, nodes_[1].disk);
    for (const Node& node : nodes_) EXPECT_EQ(node.core.bitmap.count(), 0U);
  }
  [[nodiscard]] int superseded() const { return superseded_; }
  [[nodiscard]] int retried() const { return retried_; }
  [[nodiscard]] int probes() const { return probes_; }

 private:
  [[nodiscard]] bool busy() const {
    for (const Node& node : nodes_)
      if (!node.open.empty() || !node.in_flight.empty() || !node.data.empty() || !node.meta.empty() ||
          !node.flushes.empty() || !node.reads.empty() || !node.application_flushes.empty())
        return true;
    return false;
  }
  Node& other(const Node& node) { return &node == &nodes_[0] ? nodes_[1] : nodes_[0]; }

  void write(Node& node) {
    const std::uint64_t first = prng_.below(16);
    const std::uint64_t sectors = 1 + prng_.below(6);
    node.buffers[node.next_buffer] = ++stamp_;
    node.open.insert(stamp_);
    node.ranges[stamp_] = {first * 512, sectors * 512};
    node.writes.write({stamp_, first * 512, static_cast<std::uint32_t>(sectors * 512), node.next_buffer++, false});
    settle(node);
  }
  void flush(Node& node) {
    node.application_flushes[++stamp_] = node.acknowledged_of;
    node.writes.flush({stamp_});
    settle(node);
  }
  void pass_time(Node& node) {
    for (Node& each : nodes_) each.core.now = each.core.now + milliseconds(1);
    node.writes.tick();
    ASSERT_FALSE(node.core.dropping);
    settle(node);
  }
  void finish_read(Node& node) {
    if (node.reads.empty()) return;
    node.read_server.read_done(node.reads.front(), 0);
    node.reads.erase(node.reads.begin());
    settle(node);
  }
  void finish_disk(Node& node) {
    if (node.in_flight.empty()) return;
    const auto at = node.in_flight.begin() + static_cast<std::ptrdiff_t>(prng_.below(node.in_flight.size()));
    const Node::Write done = *at;
    node.in_flight.erase(at);
    for (std::uint64_t byte = done.range.offset; byte < done.range.end(); byte += 512)
      node.disk[byte / 512] = done.stamp, node.history[byte / 512].push_back(done.stamp);
    if (owner_of(done.operation) == Owner::LocalWrite)
      node.writes.local_write_done(done.operation, 0);
    else
      node.peer_writes.local_write_done(done.operation, 0);
    settle(node);
  }
  void finish_flush(Node& node) {
    if (node.flushes.empty()) return;
    const Node::Flush done = node.flushes.front();
    node.flushes.erase(node.flushes.begin());
    for (std::size_t sector = 0; sector < device_sectors; ++sector)
      node.durable_of[sector] = std::max(node.durable_of[sector], done.covers[sector]);
    if (owner_of(done.operation) == Owner::LocalFlush)
      node.writes.local_flush_done(done.operation, 0);
    else
      node.peer_writes.flush_done(done.operation, 0);
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
      if (&to == &nodes_[0]) epoch_of_[static_cast<std::uint64_t>(data->block_id)] = barriers_;
      good = to.peer_writes.data(*data, to.next_buffer++);
    } else if (const auto* barrier = std::get_if<drbd::Barrier>(&message.packet)) {
      if (&to == &nodes_[0]) barriers_ = barrier->number + 1;
      good = to.peer_writes.barrier(*barrier);
    } else if (const auto* request = std::get_if<drbd::DataRequest>(&message.packet)) {
      good = to.read_server.request(*request);
      ++probes_;
    } else if (const auto* reply = std::get_if<drbd::DataReply>(&message.packet)) {
      to.buffers[to.next_buffer] = 0;
      good = to.writes.read_replied(*reply, to.next_buffer++);
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
      node.read_server.advance();
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
  void carry_out(Node& node, const effect::DiskFlush& effect) {
    Node::Flush flush{effect.operation, {}};
    for (const auto& stamps : node.history) flush.covers.push_back(stamps.size());
    node.flushes.push_back(std::move(flush));
  }
  void carry_out(Node& node, const effect::DiskRead& effect) { node.reads.push_back(effect.operation); }
  void carry_out(Node& node, const effect::TakeBuffer& effect) { node.buffers[effect.buffer] = 0; }
  bool forgotten_by_kernel(const drbd::Packet& packet) {
    const auto* ack = std::get_if<drbd::BlockAck>(&packet);
    using Kind = drbd::BlockAck::Kind;
    if (ack != nullptr && (ack->kind == Kind::Superseded || ack->kind == Kind::RetryWrite))
      refused_epochs_.insert(epoch_of_[static_cast<std::uint64_t>(ack->block_id)]);
    const auto* barrier = std::get_if<drbd::BarrierAck>(&packet);
    return kernel_ && barrier != nullptr && refused_epochs_.contains(barrier->number);
  }
  void carry_out(Node& node, const effect::Send& effect) {
    ASSERT_TRUE(effect.buffer == 0 || node.buffers.contains(effect.buffer));
    if (&node == &nodes_[0] && forgotten_by_kernel(effect.packet)) return;
    const std::uint64_t stamp = effect.buffer == 0 ? 0 : node.buffers[effect.buffer];
    (effect.socket == 1 ? node.data : node.meta).push_back({effect.packet, stamp});
  }
  void carry_out(Node& node, const effect::ReleaseBuffer& effect) { EXPECT_EQ(node.buffers.erase(effect.buffer), 1U); }
  void carry_out(Node& node, const effect::Complete& effect) {
    EXPECT_EQ(effect.error_number, 0);
    if (const auto flushed = node.application_flushes.find(effect.request); flushed != node.application_flushes.end()) {
      for (std::size_t sector = 0; sector < device_sectors; ++sector)
        EXPECT_GE(other(node).durable_of[sector], flushed->second[sector]) << "a flush that the peer did not make";
      node.application_flushes.erase(flushed);
      return;
    }
    EXPECT_EQ(node.open.erase(effect.request), 1U);
    const Range range = node.ranges[effect.request];
    for (std::uint64_t sector = range.offset / 512; sector < range.end() / 512; ++sector)
      if (const auto place = place_of(effect.request, other(node).history[sector]))
        node.acknowledged_of[sector] = std::max(node.acknowledged_of[sector], *place);
  }
  /// How many stamps there are up to this one; nothing where the other's own write was made instead.
  static std::optional<std::size_t> place_of(std::uint64_t stamp, const std::vector<std::uint64_t>& stamps) {
    const auto found = std::find(stamps.begin(), stamps.end(), stamp);
    return found == stamps.end() ? std::nullopt : std::optional<std::size_t>(found - stamps.begin() + 1);
  }
  template <typename Other>
  void carry_out(Node&, const Other&) {}

  Prng prng_;
  std::array<Node, 2> nodes_{Node(true), Node(false)};
  std::uint64_t stamp_ = 0;
  int steps_ = 0;
  bool kernel_;
  std::uint32_t barriers_ = 0;                       ///< that came to the deciding node
  std::map<std::uint64_t, std::uint32_t> epoch_of_;  ///< of the writes that came to it
  std::set<std::uint32_t> refused_epochs_;
  int probes_ = 0;
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

TEST(TwoPrimaries, GoOnWhereTheDecidingKernelNeverAcknowledgesWhatItRefused) {
  int probes = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Pair pair(seed, true);
    pair.run(40);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    probes += pair.probes();
  }
  EXPECT_GT(probes, 100);
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

/// Two overlapping writes of this node, the first of which the peer superseded: what a kernel does then is in the
/// capture of the interop row two-primaries-conflicts: no ack for the first barrier, never.
struct Refused : Node {
  Refused() : Node(false) {
    core.config.options.disk.al_updates = false;
    writes.session_began();
    buffers[1] = buffers[2] = 1;
    writes.write({1, 0, 4096, 1, false});
    writes.flush({10});
    EXPECT_TRUE(ack(drbd::BlockAck::Kind::Superseded, 1, 0, 4096));
    writes.local_write_done(operation_of(Owner::LocalWrite, 1), 0);
    writes.local_flush_done(operation_of(Owner::LocalFlush, 1), 0);
    advance();
  }
};

TEST(TwoPrimaries, AFlushBehindARefusedWriteWaitsForTheAnswerToARead) {
  Refused node;
  EXPECT_EQ(node.sent<drbd::Barrier>().size(), 1U);
  ASSERT_EQ(node.sent<drbd::DataRequest>().size(), 1U);
  EXPECT_EQ(node.count<effect::Complete>(), 1U) << "the write, not the flush";
  drbd::DataReply reply;
  reply.block_id = node.sent<drbd::DataRequest>()[0].block_id;
  reply.size_bytes = node.sent<drbd::DataRequest>()[0].size_bytes;
  EXPECT_TRUE(node.writes.read_replied(reply, 7));
  node.advance();
  EXPECT_EQ(node.count<effect::Complete>(), 2U);
  EXPECT_TRUE(node.writes.peer_idle());
  EXPECT_TRUE(node.writes.barrier_acknowledged({0, 0})) << "another peer's ack may come later than its answer";
  EXPECT_FALSE(node.writes.read_replied(reply, 8)) << "nobody asked again";
}

TEST(TwoPrimaries, ALaterBarrierAckEndsAnEpochWithARefusedWrite) {
  Refused node;
  node.writes.write({2, 8192, 4096, 2, false});
  EXPECT_TRUE(node.ack(drbd::BlockAck::Kind::WriteAck, 2, 8192, 4096));
  node.writes.local_write_done(operation_of(Owner::LocalWrite, 2), 0);
  node.writes.close_epoch();
  EXPECT_TRUE(node.writes.barrier_acknowledged({1, 1}));
  node.advance();
  EXPECT_TRUE(node.writes.peer_idle());
  EXPECT_EQ(node.count<effect::Complete>(), 3U) << "both writes and the flush";
}

TEST(TwoPrimaries, WithoutARefusedWriteABarrierAckOutOfTurnIsAnError) {
  Node node(false);
  node.writes.session_began();
  for (RequestId request = 1; request <= 2; ++request) {
    node.buffers[static_cast<BufferId>(request)] = 1;
    node.write(request, request * 8192, 4096);
    EXPECT_TRUE(node.ack(drbd::BlockAck::Kind::WriteAck, request, request * 8192, 4096));
    node.writes.local_write_done(operation_of(Owner::LocalWrite, request), 0);
    node.writes.close_epoch();
  }
  EXPECT_FALSE(node.writes.barrier_acknowledged({1, 1}));
}

TEST(TwoPrimaries, APeerThatAnswersNotEvenTheReadIsGivenUp) {
  Refused node;
  node.core.now = node.writes.deadline();
  ASSERT_NE(node.core.now, never);
  node.writes.tick();
  ASSERT_TRUE(node.core.dropping);
  EXPECT_EQ(node.core.dropping->why, ConnectionState::Timeout);
}

/// The kernel parts with ProtocolError when a refused write is counted, or when an epoch of nothing else is
/// acknowledged.
TEST(TwoPrimaries, ARefusedWriteIsNotCountedInTheBarrierAck) {
  Node node(true);
  node.core.config.options.disk.disk_flushes = false;
  node.buffers[1] = 1;
  node.writes.write({1, 0, 4096, 1, false});
  EXPECT_TRUE(node.peer_data(0, 4096, 1));
  EXPECT_TRUE(node.peer_writes.barrier({0, 0}));
  EXPECT_TRUE(node.peer_data(8, 4096, 2));
  EXPECT_TRUE(node.peer_data(0, 512, 3));
  EXPECT_TRUE(node.peer_writes.barrier({1, 0}));
  node.peer_writes.local_write_done(node.all<effect::DiskWrite>().back().operation, 0);
  node.advance();
  EXPECT_TRUE(node.sent<drbd::BarrierAck>().empty()) << "this node's own write is still on its way to the peer";
  EXPECT_TRUE(node.ack(drbd::BlockAck::Kind::WriteAck, 1, 0, 4096));
  node.advance();
  ASSERT_EQ(node.sent<drbd::BarrierAck>().size(), 1U);
  EXPECT_EQ(node.sent<drbd::BarrierAck>()[0].number, 1U);
  EXPECT_EQ(node.sent<drbd::BarrierAck>()[0].set_size, 1U);
}

TEST(TwoPrimaries, WithoutTheOptionAWriteForAPrimaryIsAnError) {
  Node node(true);
  node.core.config.options.net.allow_two_primaries = false;
  EXPECT_FALSE(node.peer_data(0, 4096, 1));
}

}  // namespace
}  // namespace bascule::replication::detail
