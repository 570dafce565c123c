#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/replication/engine.h"
#include "wire/drbd_metadata/metadata.h"

/// For the tests of this room: two engines on a wire and disks that never fail.
namespace bascule::replication::testing {

/// One node: what it is made of, and what it said.
struct EngineNode {
  Config config;
  Restored restored;
  bool has_disk = true;
  std::optional<Engine> engine;
  std::vector<effect::Event> events;
  std::vector<std::string> handlers;
  std::vector<effect::CommandDone> answers;
  std::vector<effect::Complete> completed;  ///< to applications
  std::vector<drbd::Packet> sent;
  std::vector<effect::MetadataWrite> metadata_writes;
  std::map<input::SocketId, effect::UseWire> wires;

  [[nodiscard]] Status status() const { return engine->status(); }
  /// "Secondary Connected UpToDate/UpToDate"
  [[nodiscard]] std::string text() const {
    const Status now = status();
    return std::string(drbd::name_of(now.role)) + " " + drbd::name_of(now.connection) + " " + drbd::name_of(now.disk) +
           "/" + drbd::name_of(now.peer_disk);
  }
  [[nodiscard]] bool has_event(const std::string& text) const {
    return std::any_of(events.begin(), events.end(),
                       [&](const effect::Event& each) { return each.text.find(text) != std::string::npos; });
  }
};

/// Alice and Bob, each with 16 MiB of the same data unless a test changes `config` or `restored` before start().
class TwoEngines {
 public:
  static constexpr std::uint64_t backing_bytes = (16ULL << 20) + 64 * 1024;
  static constexpr std::uint64_t data_sectors = 16ULL * 2048;
  static constexpr std::uint64_t generation = 0x1111222233334440ULL;

  EngineNode alice;
  EngineNode bob;
  /// May change what a node sends on its way.
  std::function<void(const EngineNode& from, drbd::Packet&)> tamper;
  /// Is called before a node gets P_SIZES of the other.
  std::function<void(EngineNode& to)> before_sizes;
  std::uint16_t volume_of_bob = 0;  ///< in the packets that he sends

  TwoEngines() {
    prepare(alice, "alice", "bob", 1);
    prepare(bob, "bob", "alice", 2);
  }
  void both(const std::function<void(EngineNode&)>& change) {
    change(alice);
    change(bob);
  }
  /// Two replicas that create-md has just made.
  void create_anew() {
    both([](EngineNode& node) {
      node.restored.superblock.current_uuid = drbd::kUuidJustCreated;
      node.restored.superblock.effective_sectors = 0;
      node.restored.superblock.flags = 0;
    });
  }
  /// Alice's first, then Bob's; runs for a while.
  void start(Duration for_so_long = seconds(2)) {
    both([this](EngineNode& node) {
      node.engine.emplace(node.config, node.has_disk ? std::optional(node.restored) : std::nullopt, now_);
      give(node, input::Tick{});
    });
    run(for_so_long);
  }
  void give(EngineNode& node, Input input) { queue_.push_back({&node, std::move(input)}); }
  /// Until nothing is left to do within that time.
  void run(Duration for_so_long) {
    const Instant until = now_ + for_so_long;
    while (true) {
      deliver();
      const Instant next = std::min(alice.engine->next_deadline(), bob.engine->next_deadline());
      if (next > until) break;
      now_ = std::max(now_ + microseconds(1), next);
      both([this](EngineNode& node) { give(node, input::Tick{}); });
    }
    now_ = until;
  }
  void do_now(EngineNode& node, Input input, Duration for_so_long = seconds(1)) {
    give(node, std::move(input));
    run(for_so_long);
  }
  EngineNode& other(const EngineNode& node) { return &node == &alice ? bob : alice; }
  /// A packet that the engine of `from` would not send, on its data socket.
  void forge(EngineNode& from, drbd::Packet packet) {
    for (const auto& [socket, wire] : from.wires)
      if (wire.kind == drbd::Socket::Data) note(from, effect::Send{socket, 0, std::move(packet), 0});
    deliver();
  }
  /// The wire between the two; a cut one refuses new connections and forgets what was sent.
  void cut() { is_cut_ = true; }
  void mend() { is_cut_ = false; }

 private:
  struct Pending {
    EngineNode* node;
    Input input;
  };

  void prepare(EngineNode& node, const char* self, const char* peer, std::uint64_t seed) {
    auto created = drbd_metadata::create_v08(backing_bytes).value();
    node.restored.superblock = created.superblock;
    node.restored.superblock.current_uuid = generation;
    node.restored.superblock.effective_sectors = data_sectors;
    node.restored.superblock.flags |= drbd_metadata::flag::kConsistent | drbd_metadata::flag::kWasUpToDate;
    node.restored.bitmap.assign(created.layout.bitmap_bytes, 0);
    node.restored.activity_log.assign(created.superblock.shape().blocks() * 4096, 0);
    node.config.self = self;
    node.config.peer = peer;
    node.config.seed = seed;
    node.config.authority = Authority::Operator;
    node.config.backing_bytes = backing_bytes;
    node.config.size_limit_bytes = data_sectors * 512;
  }

  void deliver() {
    for (int steps = 0; !queue_.empty() && steps < 200000; ++steps) {
      Pending next = std::move(queue_.front());
      queue_.pop_front();
      Effects effects;
      next.node->engine->step(next.input, now_, effects);
      for (Effect& effect : effects) std::visit([&](auto& each) { note(*next.node, std::move(each)); }, effect);
    }
  }

  void note(EngineNode& node, effect::Connect effect) {
    if (is_cut_) return give(node, input::SocketClosed{effect.socket, "cut"});
    const input::SocketId accepted = next_accepted_++ | input::kAcceptedSocketBit;
    ends_[{&node, effect.socket}] = accepted;
    ends_[{&other(node), accepted}] = effect.socket;
    give(other(node), input::SocketAccepted{accepted});
    give(node, input::SocketConnected{effect.socket});
  }
  void note(EngineNode& node, effect::CloseSocket effect) {
    node.wires.erase(effect.socket);
    const auto end = ends_.find({&node, effect.socket});
    if (end == ends_.end()) return;
    const input::SocketId there = end->second;
    ends_.erase(end);
    if (ends_.erase({&other(node), there}) != 0) give(other(node), input::SocketClosed{there, "closed by the peer"});
  }
  void note(EngineNode& node, effect::UseWire effect) { node.wires[effect.socket] = effect; }
  void note(EngineNode& node, effect::Send effect) {
    node.sent.push_back(effect.packet);
    const auto end = ends_.find({&node, effect.socket});
    if (end == ends_.end() || is_cut_) return;
    if (tamper) tamper(node, effect.packet);
    if (before_sizes && std::holds_alternative<drbd::Sizes>(effect.packet)) before_sizes(other(node));
    const std::uint16_t volume = &node == &bob ? volume_of_bob : effect.volume;
    const BufferId buffer = drbd::payload_bytes_of(effect.packet) == 0 ? 0 : next_buffer_++;
    give(other(node), input::PacketReceived{end->second, volume, effect.packet, buffer});
  }
  void note(EngineNode& node, effect::RunHandler effect) {
    node.handlers.push_back(effect.name);
    if (effect.number != 0) give(node, input::HandlerDone{effect.number, -1});
  }
  void note(EngineNode& node, effect::Event effect) { node.events.push_back(std::move(effect)); }
  void note(EngineNode& node, effect::Complete effect) { node.completed.push_back(effect); }
  void note(EngineNode& node, effect::CommandDone effect) { node.answers.push_back(std::move(effect)); }
  void note(EngineNode& node, effect::MetadataWrite effect) {
    give(node, input::DiskDone{effect.operation, 0});
    node.metadata_writes.push_back(std::move(effect));
  }
  template <typename Other>
  void note(EngineNode& node, const Other& effect) {
    if constexpr (requires { effect.operation; }) give(node, input::DiskDone{effect.operation, 0});
  }

  Instant now_ = instant_from_ns(1'000'000);
  std::deque<Pending> queue_;
  std::map<std::pair<const EngineNode*, input::SocketId>, input::SocketId> ends_;
  input::SocketId next_accepted_ = 1;
  BufferId next_buffer_ = 1;
  bool is_cut_ = false;
};

}  // namespace bascule::replication::testing
