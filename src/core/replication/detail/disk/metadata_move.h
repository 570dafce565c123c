#pragma once

#include <deque>

#include "core/replication/detail/disk/activity_log.h"
#include "core/replication/detail/disk/attach.h"
#include "wire/drbd_metadata/steps.h"

namespace bascule::replication::detail {

/// Internal metadata lie at the end of the backing device: when it has grown they go to the new end, before the device
/// may use what they leave. Applications go on meanwhile; only what needs the metadata waits: cold extents, new bits,
/// generations.
///
///   Idle -> Draining -> Writing (the steps of drbd_metadata::plan_resize, flushed between) -> Idle
///
/// A crash at any point leaves valid metadata at the old end, or else at the new one. The hot extents go along.
///
/// External metadata stay where they are: what their device has room for counts at once.
class MetadataMove {
 public:
  MetadataMove(Core& core, Metadata& metadata, ActivityLog& activity_log, Attach& attach)
      : core_(core), metadata_(metadata), activity_log_(activity_log), attach_(attach) {}

  /// What the backing device holds now, and the one with the external metadata, if there is one.
  void measured(std::uint64_t backing_bytes, std::uint64_t metadata_bytes);
  /// The metadata are not where they shall be, and will be.
  [[nodiscard]] bool busy() const { return phase_ != Phase::Idle || due(); }
  /// Why the devices' new sizes do not count; empty: they do.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }

  void done(OperationId operation, int error_number);
  void advance();

 private:
  enum class Phase : std::uint8_t { Idle, Draining, Writing };

  [[nodiscard]] bool due() const;
  [[nodiscard]] std::string why_not(std::uint64_t backing_bytes) const;
  void measured_apart(std::uint64_t backing_bytes, std::uint64_t metadata_bytes);
  void begin_writing();
  void write_on();
  void write_piece();
  void abandon();
  void finish();

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  Attach& attach_;
  Phase phase_ = Phase::Idle;
  std::uint64_t wanted_bytes_ = 0;  ///< where the metadata shall be the end; 0: where they are
  std::uint64_t target_bytes_ = 0;  ///< of the move under way
  std::string refusal_;
  drbd_metadata::Superblock placed_;
  std::deque<drbd_metadata::Step> steps_;
  std::uint64_t written_ = 0;  ///< of the first of them
  std::uint64_t next_operation_ = 0;
  std::uint64_t first_operation_ = 0;  ///< of the move under way: an earlier one was given up
  std::size_t in_flight_ = 0;
};

}  // namespace bascule::replication::detail
