#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/replication/engine.h"
#include "runtime/sim/crash/volume.h"

namespace bascule::sim {

/// Two engines of 160 MiB, alike and connected, with an operator, their metadata on devices of their own, and data of
/// numbered blocks. Answers of disks and wire come in the order in which they were asked for. The disks are driven as
/// runtime/block_host/disk.h does it.
class ReplicaPair {
 public:
  static constexpr std::uint64_t block_bytes = 4096;
  static constexpr std::uint64_t extent_blocks = 1024;
  static constexpr std::uint64_t data_bytes = 160ULL << 20;

  using Stamp = std::uint64_t;
  struct Node {
    std::string name;
    std::optional<replication::Engine> engine;
    CrashVolume metadata;
    /// What a block may hold after a loss of power: the durable content first, the newest last. Not there: {0}.
    std::map<std::uint64_t, std::vector<Stamp>> blocks;
    std::map<std::uint64_t, std::uint32_t> in_flight;  ///< writes of a block that are not done
    std::map<replication::BufferId, std::vector<Stamp>> buffers;
    std::uint64_t written = 0, flushed = 0;  ///< as in block_host::Disk
    std::uint64_t life = 0;

    [[nodiscard]] Stamp newest(std::uint64_t block) const {
      const auto found = blocks.find(block);
      return found == blocks.end() ? 0 : found->second.back();
    }
  };

  struct Faults {
    std::uint32_t canaries = 0;
    bool start_without_flush = false;  ///< a new process takes the data of a dead one for durable
    bool lose_bitmap_writes = false;   ///< bitmap pages are told as written and are not
  };
  explicit ReplicaPair(const Faults& faults);

  Node alice, bob;
  /// Called after each step that changed a disk, with what happened.
  std::function<void(const std::string& what)> changed;
  /// The writes that alice's application was told are done, by block.
  std::map<std::uint64_t, Stamp> acknowledged;

  void write(std::uint64_t block);
  void flush();
  void promote();
  void demote();
  void cut();
  void mend() { is_cut_ = false; }
  /// The process is gone and comes back; the machine runs on.
  void restart(Node& node);
  /// Until nothing is left to do within that time, or `enough` says so.
  void run(Duration for_so_long, const std::function<bool()>& enough = nullptr);

  [[nodiscard]] static replication::Restored restored_from(const CrashVolume& metadata);
  [[nodiscard]] static replication::Config config_of(const std::string& self, std::uint32_t canaries = 0);

 private:
  using Input = replication::Input;
  using SocketId = replication::input::SocketId;
  struct Pending {
    Node* node;
    std::uint64_t life;
    std::function<void()> before;  ///< what the disk does meanwhile
    std::optional<Input> input;
    std::string what;
  };

  void format(Node& node);
  void start(Node& node);
  Node& other(const Node& node) { return &node == &alice ? bob : alice; }
  void give(Node& node, Input input, std::function<void()> before = nullptr, std::string what = "");
  bool deliver_one();
  void flush_data(Node& node);
  void write_metadata(Node& node, const replication::effect::MetadataWrite& write);
  void put(Node& node, const replication::effect::DiskWrite& write);
  void close(Node& node, SocketId socket, const char* why);

  void carry_out(Node& node, const replication::effect::DiskWrite& effect);
  void carry_out(Node& node, const replication::effect::DiskRead& effect);
  void carry_out(Node& node, const replication::effect::DiskFlush& effect);
  void carry_out(Node& node, const replication::effect::MetadataWrite& effect);
  void carry_out(Node& node, const replication::effect::Connect& effect);
  void carry_out(Node& node, const replication::effect::CloseSocket& effect);
  void carry_out(Node& node, const replication::effect::Send& effect);
  void carry_out(Node& node, const replication::effect::TakeBuffer& effect);
  void carry_out(Node& node, const replication::effect::ReleaseBuffer& effect);
  void carry_out(Node& node, const replication::effect::RunHandler& effect);
  void carry_out(Node& node, const replication::effect::Complete& effect);
  template <typename Other>
  void carry_out(Node&, const Other&) {}

  Faults faults_;
  Instant now_ = instant_from_ns(1'000'000);
  std::deque<Pending> queue_;
  std::map<std::pair<const Node*, SocketId>, SocketId> ends_;
  SocketId next_accepted_ = 1;
  replication::BufferId next_buffer_ = 1;
  replication::RequestId next_request_ = 1;
  std::map<replication::RequestId, std::pair<std::uint64_t, Stamp>> open_writes_;
  std::string happened_;  ///< in this step, to a disk
  bool is_cut_ = false;
};

}  // namespace bascule::sim
