#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/prng.h"
#include "core/replication/detail/machines.h"
#include "wire/drbd_metadata/metadata.h"

/// For the tests of this room: two engines back to back, with disks of bytes in memory and virtual time. Answers of the
/// disks come in any order, packets of one socket in theirs.
namespace bascule::replication::testing {

inline constexpr std::uint64_t older_generation = 0x1111222233334440ULL;
inline constexpr std::uint64_t newer_generation = 0x5555666677778880ULL;
inline constexpr std::uint64_t page = 4096;

class Pair {
 public:
  struct Node {
    std::unique_ptr<detail::Machines> machines;
    Bytes disk;
    std::set<std::uint64_t> unreadable;  ///< pages
    std::map<BufferId, Bytes> buffers;
    std::map<input::SocketId, std::pair<std::size_t, input::SocketId>> sockets;  ///< -> the other end
    std::set<std::string> events;
    std::map<std::string, std::string> told;                      ///< the last text of each kind of event
    std::vector<std::pair<std::string, std::uint64_t>> handlers;  ///< that were called, with their numbers
    std::map<std::string, std::size_t> sent;                      ///< packets by name
    std::uint64_t read_bytes = 0, zeroed_bytes = 0;
    std::uint32_t largest_request = 0;
    [[nodiscard]] detail::Parts& parts() const { return machines->parts(); }
    [[nodiscard]] Status status() const { return machines->status(); }
  };
  struct Setup {
    std::uint64_t data_bytes = 8 << 20;
    std::uint64_t seed = 1;
    /// Pages that only alice has in their newest form, and only bob.
    std::vector<std::uint64_t> newer_pages;
    bool alice_is_newer = true;
    bool other_is_empty = false;  ///< the older one was just created: a full sync
    std::function<void(Config&)> configure = nullptr;
  };

  explicit Pair(const Setup& setup) : setup_(setup), prng_(setup.seed) {
    const Bytes common = random_bytes(setup.data_bytes);
    for (std::size_t index = 0; index < 2; ++index) nodes_[index].disk = common;
    Node& newer = nodes_[setup.alice_is_newer ? 0 : 1];
    for (const std::uint64_t number : setup.newer_pages) change_page(newer, number);
    if (setup.other_is_empty) nodes_[setup.alice_is_newer ? 1 : 0].disk.assign(setup.data_bytes, 0);
    make(0);
    make(1);
  }

  Node& alice() { return nodes_[0]; }
  Node& bob() { return nodes_[1]; }
  [[nodiscard]] bool disks_equal() const { return nodes_[0].disk == nodes_[1].disk; }

  /// Until `goal` holds; fails the test if it does not within three virtual minutes.
  void run_until(const std::function<bool()>& goal) {
    const Instant limit = now_ + seconds(180);
    while (!goal() && now_ < limit) one();
    EXPECT_TRUE(goal()) << describe();
  }
  void run_for(Duration duration) {
    const Instant limit = now_ + duration;
    while (now_ < limit) one();
  }
  /// Both Connected and UpToDate, and nothing under way.
  void run_until_in_step() {
    run_until([this] { return in_step(nodes_[0]) && in_step(nodes_[1]); });
  }
  static bool in_step(const Node& node) {
    const Status status = node.status();
    return status.connection == drbd::ConnectionState::Connected && status.disk == drbd::DiskState::UpToDate &&
           status.peer_disk == drbd::DiskState::UpToDate;
  }
  std::string describe() const {
    std::string text;
    for (const Node& node : nodes_) {
      const Status status = node.status();
      text += std::string(drbd::name_of(status.connection)) + " " + drbd::name_of(status.disk) + "/" +
              drbd::name_of(status.peer_disk) + " out of sync " + std::to_string(status.out_of_sync_bytes) + " why " +
              status.why + "\n";
    }
    return text;
  }

  void change_page(Node& node, std::uint64_t number) {
    const Bytes fresh = random_bytes(page);
    const std::size_t offset = number * page;
    std::copy_n(fresh.begin(), std::min<std::size_t>(page, node.disk.size() - offset),
                node.disk.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  /// The network between them is cut: both sockets fail at both ends.
  /// An application of a Primary writes a page.
  void write(Node& node, std::uint64_t number) {
    const BufferId buffer = next_buffer_++;
    node.buffers[buffer] = random_bytes(page);
    step(node, input::Write{next_request_++, number * page, page, buffer, false});
  }
  void cut() {
    for (Node& node : nodes_) {
      const auto sockets = std::exchange(node.sockets, {});
      for (const auto& [socket, other] : sockets) step(node, input::SocketClosed{socket, "cut"});
    }
  }
  /// Does something with the facts of an engine, as one of its machines would, and lets it go on.
  void poke(Node& node, const std::function<void(detail::Parts&)>& action) {
    Effects effects;
    node.parts().core.effects = &effects;
    action(node.parts());
    node.parts().core.effects = nullptr;
    carry_out(node, effects);
    step(node, input::Tick{});
  }
  void step(Node& node, const Input& input) {
    Effects effects;
    node.machines->step(input, now_, effects);
    carry_out(node, effects);
  }

 private:
  Bytes random_bytes(std::size_t count) {
    Bytes bytes(count);
    for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(prng_.next() >> 56);
    return bytes;
  }

  void make(std::size_t index) {
    Node& node = nodes_[index];
    const std::uint64_t backing = setup_.data_bytes / page * page + (1 << 20);
    auto created = drbd_metadata::create_v08(backing).value();
    Restored restored;
    restored.superblock = created.superblock;
    restored.bitmap.assign(created.layout.bitmap_bytes, 0);
    restored.activity_log.assign(restored.superblock.shape().blocks() * page, 0);
    const bool newer = setup_.alice_is_newer == (index == 0);
    const bool empty = setup_.other_is_empty && !newer;
    if (!empty) describe_generation(restored, newer);
    Config config;
    config.self = index == 0 ? "alice" : "bob";
    config.peer = index == 0 ? "bob" : "alice";
    config.backing_bytes = backing;
    config.size_limit_bytes = setup_.data_bytes;
    config.seed = setup_.seed + index;
    if (setup_.configure) setup_.configure(config);
    node.machines = std::make_unique<detail::Machines>(config, restored, now_);
  }
  void describe_generation(Restored& restored, bool newer) const {
    restored.superblock.effective_sectors = setup_.data_bytes / 512;
    restored.superblock.flags |= drbd_metadata::flag::kConsistent | drbd_metadata::flag::kWasUpToDate;
    const bool diverged = newer && (!setup_.newer_pages.empty() || setup_.other_is_empty);
    restored.superblock.current_uuid = diverged ? newer_generation : older_generation;
    if (!diverged) return;
    restored.superblock.bitmap_uuid = older_generation;
    for (const std::uint64_t number : setup_.newer_pages)
      restored.bitmap[number / 8] |= static_cast<std::uint8_t>(1U << (number % 8));
  }

  void later(Duration delay, std::function<void()> action) { queue_.emplace(now_ + delay, std::move(action)); }
  Duration disk_delay() { return microseconds(20 + prng_.between(0, 400)); }

  /// The next thing that happens.
  void one() {
    std::size_t first = 0;
    for (std::size_t index = 0; index < 2; ++index)
      if (nodes_[index].machines->next_deadline() < nodes_[first].machines->next_deadline()) first = index;
    const Instant tick = std::max(nodes_[first].machines->next_deadline(), now_ + microseconds(1));
    if (!queue_.empty() && queue_.begin()->first <= tick) {
      const auto event = queue_.extract(queue_.begin());
      now_ = std::max(now_, event.key());
      return event.mapped()();
    }
    now_ = std::min(tick, now_ + seconds(1));
    step(nodes_[first], input::Tick{});
  }

  void carry_out(Node& node, Effects& effects) {
    for (Effect& effect : effects) std::visit([&](auto& each) { carry_out(node, each); }, effect);
  }
  void carry_out(Node& node, const effect::DiskWrite& effect) {
    const Bytes data = node.buffers.at(effect.buffer);
    later(disk_delay(), [this, &node, effect, data] {
      std::copy(data.begin(), data.end(), node.disk.begin() + static_cast<std::ptrdiff_t>(effect.offset));
      step(node, input::DiskDone{effect.operation, 0});
    });
  }
  void carry_out(Node& node, const effect::DiskZero& effect) {
    node.zeroed_bytes += effect.length;
    later(disk_delay(), [this, &node, effect] {
      std::fill_n(node.disk.begin() + static_cast<std::ptrdiff_t>(effect.offset), effect.length, 0);
      step(node, input::DiskDone{effect.operation, 0});
    });
  }
  void carry_out(Node& node, const effect::DiskRead& effect) {
    later(disk_delay(), [this, &node, effect] {
      const ByteView range = ByteView(node.disk).subspan(effect.offset, effect.length);
      input::DiskDone done{effect.operation, 0};
      const auto bad = node.unreadable.lower_bound(effect.offset / page);
      if (bad != node.unreadable.end() && *bad * page < effect.offset + effect.length) done.error_number = 5;
      done.digest = digest_of(effect.digest, range);
      done.all_zero = std::all_of(range.begin(), range.end(), [](std::uint8_t byte) { return byte == 0; });
      node.read_bytes += effect.length;
      node.buffers.at(effect.buffer).assign(range.begin(), range.end());
      step(node, done);
    });
  }
  void carry_out(Node& node, const effect::DiskFlush& effect) {
    later(disk_delay(), [this, &node, effect] { step(node, input::DiskDone{effect.operation, 0}); });
  }
  void carry_out(Node& node, const effect::MetadataWrite& effect) {
    later(disk_delay(), [this, &node, operation = effect.operation] { step(node, input::DiskDone{operation, 0}); });
  }

  void carry_out(Node& node, const effect::Connect& effect) {
    const std::size_t self = index_of(node);
    const input::SocketId accepted = next_accepted_++ | input::kAcceptedSocketBit;
    nodes_[1 - self].sockets[accepted] = {self, effect.socket};
    node.sockets[effect.socket] = {1 - self, accepted};
    // Nothing arrives before the connection itself.
    const Instant heard = last_arrival_[{1 - self, accepted}] = now_ + link_delay();
    const Instant made = last_arrival_[{self, effect.socket}] = heard + link_delay();
    queue_.emplace(heard, [this, self, accepted] {
      if (nodes_[1 - self].sockets.contains(accepted)) step(nodes_[1 - self], input::SocketAccepted{accepted});
    });
    queue_.emplace(made, [this, &node, effect] {
      if (node.sockets.contains(effect.socket)) step(node, input::SocketConnected{effect.socket});
    });
  }
  void carry_out(Node& node, const effect::CloseSocket& effect) {
    const auto found = node.sockets.find(effect.socket);
    if (found == node.sockets.end()) return;
    const auto [other, socket] = found->second;
    node.sockets.erase(found);
    if (nodes_[other].sockets.erase(socket) == 0) return;
    later(link_delay(), [this, other = other, socket = socket] {
      step(nodes_[other], input::SocketClosed{socket, "closed"});
    });
  }
  void carry_out(Node& node, const effect::Send& effect) {
    ++node.sent[drbd::name_of(drbd::command_of(effect.packet))];
    if (const auto* request = std::get_if<drbd::ResyncRequest>(&effect.packet))
      node.largest_request = std::max(node.largest_request, request->size_bytes);
    const auto found = node.sockets.find(effect.socket);
    if (found == node.sockets.end()) return;
    const auto [other, socket] = found->second;
    Instant& last = last_arrival_[{other, socket}];
    last = std::max(last, now_ + link_delay());
    Bytes payload = effect.buffer == 0 ? Bytes{} : node.buffers.at(effect.buffer);
    queue_.emplace(last, [this, other = other, socket = socket, packet = effect.packet, payload = std::move(payload)] {
      Node& to = nodes_[other];
      if (!to.sockets.contains(socket)) return;
      const BufferId buffer = payload.empty() ? 0 : next_buffer_++;
      if (buffer != 0) to.buffers[buffer] = payload;
      step(to, input::PacketReceived{socket, 0, packet, buffer});
    });
  }
  void carry_out(Node& node, const effect::TakeBuffer& effect) {
    EXPECT_TRUE(node.buffers.emplace(effect.buffer, Bytes(effect.length, 0)).second) << "a buffer is taken twice";
  }
  void carry_out(Node& node, const effect::ReleaseBuffer& effect) {
    EXPECT_EQ(node.buffers.erase(effect.buffer), 1U) << "a buffer is released that is not there";
  }
  void carry_out(Node& node, const effect::RunHandler& effect) {
    node.handlers.emplace_back(effect.name, effect.number);
  }
  void carry_out(Node& node, const effect::Event& effect) {
    node.events.insert(effect.kind), node.told[effect.kind] = effect.text;
  }
  template <typename Other>
  void carry_out(Node&, const Other&) {}

  std::size_t index_of(const Node& node) const { return &node == nodes_.data() ? 0 : 1; }
  Duration link_delay() { return microseconds(50 + prng_.between(0, 100)); }

  Setup setup_;
  Prng prng_;
  Instant now_ = instant_from_ns(1'000'000);
  std::array<Node, 2> nodes_;
  std::multimap<Instant, std::function<void()>> queue_;
  std::map<std::pair<std::size_t, input::SocketId>, Instant> last_arrival_;
  input::SocketId next_accepted_ = 1;
  BufferId next_buffer_ = 1;
  RequestId next_request_ = 1;
};

}  // namespace bascule::replication::testing
