#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace bascule::sim {

/// What must be true of two replicas, judged from outside the engine: it sees what applications were told, which node
/// lost power, who was committed as owner and member, and the disks. The first violation is kept.
class ReplicationChecker {
 public:
  static constexpr std::size_t nodes = 2;
  using Stamps = std::vector<std::uint64_t>;

  explicit ReplicationChecker(std::uint64_t sectors);

  /// Committed by the majority: who owns it, who is in the set.
  void committed(std::uint64_t epoch, std::size_t owner, std::array<bool, nodes> members);

  void submitted(std::uint64_t stamp, std::size_t node, std::uint64_t sector, std::uint64_t sectors);
  void acknowledged(std::uint64_t stamp, std::uint64_t epoch, bool forced_unit_access, bool lease_really_valid);
  void failed(std::uint64_t stamp);
  void flush_submitted(std::uint64_t flush, std::size_t node);
  void flush_acknowledged(std::uint64_t flush);

  void power_lost(std::size_t node);
  /// The node's process is gone: nothing that it was doing will be answered.
  void stopped(std::size_t node);
  void resync_started(std::size_t target);
  void resync_finished(std::size_t target, const std::array<const Stamps*, nodes>& disks);
  void promoted(std::size_t node, std::uint64_t epoch, const Stamps& disk);
  /// All faults are over, nothing is in flight.
  void settled(const std::array<const Stamps*, nodes>& disks);
  void after_blackout(std::size_t node, const Stamps& disk);

  void violation(std::string text);
  [[nodiscard]] const std::string& first_violation() const { return violation_; }
  [[nodiscard]] std::uint64_t acknowledged_writes() const { return acknowledged_count_; }

 private:
  struct Write {
    std::uint64_t stamp = 0;
    std::size_t node = 0;
    std::uint64_t sector = 0;
    std::uint64_t sectors = 0;
    enum class Fate : std::uint8_t { Open, Acknowledged, Lost } fate = Fate::Open;
  };
  struct Flush {
    std::uint64_t number;
    std::vector<std::uint64_t> covers;
  };

  Write& write(std::uint64_t stamp) { return writes_[stamp - 1]; }
  static void raise(Stamps& floor, const Write& write);
  void must_have(const char* when, std::size_t node, const Stamps& disk, const Stamps& floor);

  std::vector<Write> writes_;      ///< by stamp - 1
  Stamps flushed_;                 ///< per sector: the newest write that a completed flush covers
  std::array<Stamps, nodes> has_;  ///< per sector: the newest write the node must show while it keeps power
  std::array<std::uint64_t, nodes> lost_up_to_{};  ///< an ack under way when the node lost power says nothing any more
  std::vector<std::uint64_t> unflushed_;           ///< acknowledged, not covered by a flush yet
  std::vector<Flush> flushes_;
  std::set<std::uint64_t> uncertain_;  ///< sectors of writes that were never acknowledged
  std::array<bool, nodes> members_{true, true};
  std::size_t owner_ = 0;
  std::uint64_t epoch_ = 0;
  std::uint64_t newest_acknowledging_epoch_ = 0;
  std::uint64_t acknowledged_count_ = 0;
  std::string violation_;
};

}  // namespace bascule::sim
