#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace bascule::sim {

/// What must be true of two replicas, judged from outside the engine: it sees what applications were told, which node
/// lost power, whom the rules let count on, and the disks. A disk shows, for each sector, the number of the write that
/// wrote it; 0 where it reads as zeroes. The first violation is kept.
class ReplicationChecker {
 public:
  static constexpr std::size_t nodes = 2;
  using Stamps = std::vector<std::uint64_t>;

  explicit ReplicationChecker(std::uint64_t sectors);

  /// Committed by the majority: who owns it, who is in the set. Without a majority: whom the operator wants.
  void committed(std::size_t owner, std::array<bool, nodes> members);

  // -- writes and flushes
  struct Submitted {
    std::uint64_t stamp;
    std::size_t node;
    std::uint64_t sector;
    std::uint64_t sectors;
    bool zeroes;  ///< a discard or a write of zeroes
  };
  void submitted(const Submitted& write);
  [[nodiscard]] const Submitted& write_of(std::uint64_t stamp) const { return writes_[stamp - 1].what; }
  /// Is it a write of this node's application?
  [[nodiscard]] bool wrote(std::uint64_t stamp, std::size_t node) const {
    return stamp != 0 && stamp <= writes_.size() && writes_[stamp - 1].what.node == node;
  }
  /// The write has left for the disk and the peer, perhaps again.
  void begun(std::uint64_t stamp);
  /// What an acknowledgement stands for.
  struct Answer {
    std::uint64_t epoch = 0;
    bool lease_valid = true;    ///< it really was
    bool own_has = true;        ///< its own disk is in use
    bool durable = false;       ///< FUA
    bool peer_has = false;      ///< the protocol says so, and the peer may be promoted
    bool peer_durable = false;  ///< the same of a flush, or of FUA
  };
  void acknowledged(std::uint64_t stamp, const Answer& answer);
  void failed(std::uint64_t stamp);
  void flush_submitted(std::uint64_t flush, std::size_t node);
  void flush_acknowledged(std::uint64_t flush, bool own_durable, bool peer_durable);
  /// The newest acknowledged write per sector, as a reader on this node must see it.
  [[nodiscard]] Stamps floor(std::size_t node, std::uint64_t sector, std::uint64_t sectors) const;
  void has_read(std::size_t node, std::uint64_t sector, const Stamps& found, const Stamps& floor);

  // -- nodes
  void power_lost(std::size_t node);
  /// The node's process is gone: nothing that it was doing will be answered. `forgets`: also what it had only received
  /// (protocol B).
  void stopped(std::size_t node, bool forgets);
  /// Two nodes compare their data. What only one of them acknowledged meanwhile may be on that one alone.
  void met();
  /// `alone`: who was Primary without the other since the two were last equal.
  void resync_started(std::size_t target, const std::array<bool, nodes>& alone);
  /// How much an acknowledgement says of the target while the resync runs (protocols C, B, A).
  enum class Reach : std::uint8_t { Flushed, Received, Sent };
  void resync_finished(std::size_t target, const std::array<const Stamps*, nodes>& disks, Reach reach);
  /// `disk`: null when the peer's is used.
  void promoted(std::size_t node, std::uint64_t epoch, const Stamps* disk);
  /// All faults are over, nothing is in flight.
  void settled(const std::array<const Stamps*, nodes>& disks);
  void after_blackout(std::size_t node, const Stamps& disk);

  void violation(std::string text);
  [[nodiscard]] const std::string& first_violation() const { return violation_; }
  [[nodiscard]] std::uint64_t acknowledged_writes() const { return acknowledged_count_; }

 private:
  struct Write {
    Submitted what;
    std::uint32_t peer_losses = 0;  ///< how often the peer had lost power when the write left for it
    enum class Fate : std::uint8_t { Open, Acknowledged, Lost } fate = Fate::Open;
  };
  struct Flush {
    std::size_t node;
    Stamps covers;
  };

  Write& write(std::uint64_t stamp) { return writes_[stamp - 1]; }
  static void raise(Stamps& floor, const Write& write);
  static void raise(Stamps& floor, const Stamps& by);
  void must_have(const char* when, std::size_t node, std::uint64_t first_sector, const Stamps& found,
                 const Stamps& floor);
  [[nodiscard]] std::string fault_in(std::uint64_t sector, std::uint64_t found, std::uint64_t floor) const;

  std::vector<Write> writes_;          ///< by stamp - 1
  Stamps zeroed_;                      ///< per sector: the newest write that zeroed it
  std::array<Stamps, nodes> has_;      ///< per sector: the newest write the node must show while it keeps power
  std::array<Stamps, nodes> flushed_;  ///< the same after a power loss
  std::array<Stamps, nodes> met_has_, met_flushed_;  ///< when the two last met
  Stamps last_submitted_;                            ///< per sector
  std::uint64_t met_after_ = 0;                      ///< the newest write then
  std::vector<bool> left_since_;                     ///< per sector: a write has left for the peer since then
  std::array<std::uint32_t, nodes> losses_{};
  std::map<std::uint64_t, Flush> flushes_;
  std::set<std::uint64_t> uncertain_;  ///< sectors of writes that failed since the last resync began
  std::array<bool, nodes> members_{true, true};
  std::size_t owner_ = 0;
  std::uint64_t newest_acknowledging_epoch_ = 0;
  std::uint64_t acknowledged_count_ = 0;
  std::string violation_;
};

}  // namespace bascule::sim
