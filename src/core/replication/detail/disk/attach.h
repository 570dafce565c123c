#pragma once

#include "core/replication/detail/disk/activity_log.h"

namespace bascule::replication::detail {

/// From what the driver read from the disk to a usable one:
///   bitmap (with the hot extents of a crashed primary) durable -> superblock durable -> empty activity log durable
/// While Connected the disk is not used before the peer's generations have decided what it is worth: it stays
/// Attaching until its metadata are in order, then it is Negotiating, and Agreement ends that.
class Attach {
 public:
  /// Without `restored` there is no disk, and nothing to do.
  Attach(Core& core, Metadata& metadata, ActivityLog& activity_log, const std::optional<Restored>& restored);
  /// Why a diskless engine cannot take this disk; empty: it can.
  [[nodiscard]] std::string refusal(const input::Attach& attach) const;
  void attach(const input::Attach& attach);
  void advance();
  /// The metadata are in order, or the disk is given up.
  [[nodiscard]] bool done() const { return phase_ == Phase::Done; }
  /// A disk that is Negotiating will not be decided about.
  void session_lost();

 private:
  enum class Phase : std::uint8_t { Begin, Bits, Superblock, Extents, Ring, Done };

  void begin(const Restored& restored);
  void load_bitmap(const Bytes& bitmap);
  void apply_activity_log(const Bytes& ring);
  void keep_agreed_size();
  [[nodiscard]] DiskState initial_state() const;
  void publish();
  void settle();
  void settle_alone();

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  Phase phase_ = Phase::Begin;
  DiskState state_ = DiskState::Diskless;  ///< by the metadata alone
  bool was_connected_ = false;             ///< when it began
};

}  // namespace bascule::replication::detail
