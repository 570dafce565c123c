#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "runtime/sim/world_time.h"

namespace bascule::sim {

/// Stands for the three consensus nodes and the leader's leases: one thing that never fails, obeys the safety rules,
/// and is reached over links that may.
class Majority {
 public:
  static constexpr std::size_t nodes = 2;
  static constexpr Duration lease = milliseconds(450);
  static constexpr Duration margin = milliseconds(100);

  struct View {
    std::uint64_t version = 1;
    std::array<bool, nodes> members{true, true};
    std::optional<std::size_t> owner{};
    std::uint64_t epoch = 0;
  };
  [[nodiscard]] const View& view() const { return view_; }
  /// A majority gone mad: it names any node that lives, member or not. The engine is the last line.
  bool careless = false;

  /// A heartbeat of a node: true if it may hold a lease of the present epoch from its asking on.
  bool heartbeat(std::size_t node, WorldTime asked_at, WorldTime now);
  void shrink(std::size_t from, std::uint64_t epoch, std::uint64_t version);
  /// By the owner or, while there is none, by a member.
  void grow(std::size_t from, std::uint64_t epoch, std::uint64_t version);
  /// The owner has demoted itself and gives the volume to the other node.
  void hand_over(std::size_t from, std::uint64_t epoch);
  /// The owner has demoted itself: its service cannot be started there. It is not given the volume before that moment.
  void give_back(std::size_t from, std::uint64_t epoch, WorldTime not_again_before);
  /// Gives the volume to a member that lives if the owner's lease has certainly ended. True: something changed.
  bool decide(WorldTime now);
  /// Was a lease of this epoch really valid then?
  [[nodiscard]] bool lease_valid(std::size_t node, std::uint64_t epoch, WorldTime now) const;

 private:
  View view_;
  std::array<WorldTime, nodes> heard_{};
  std::array<WorldTime, nodes> not_before_{};
  WorldTime lease_end_{};
};

}  // namespace bascule::sim
