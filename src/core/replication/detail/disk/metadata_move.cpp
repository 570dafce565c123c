#include "core/replication/detail/disk/metadata_move.h"

#include <algorithm>

#include "core/replication/detail/data/disk_errors.h"
#include "wire/drbd_metadata/metadata.h"
#include "wire/drbd_metadata/resize.h"

namespace bascule::replication::detail {
namespace {

using drbd_metadata::Step;
constexpr std::uint64_t piece_bytes = 1ULL << 20;
constexpr std::size_t max_pieces_in_flight = 4;

std::uint64_t blocks_of(std::uint64_t bytes) { return bytes / drbd_metadata::kBlockBytes; }

}  // namespace

std::string MetadataMove::why_not(std::uint64_t backing_bytes) const {
  if (blocks_of(backing_bytes) < blocks_of(core_.config.backing_bytes))
    return "the backing device has become smaller: " + std::to_string(backing_bytes) + " bytes of " +
           std::to_string(core_.config.backing_bytes) + "; its metadata cannot follow while it is in use";
  const auto layout = drbd_metadata::internal_layout(backing_bytes, core_.superblock.shape());
  return layout ? "" : "its metadata cannot be at the end of a device of this size: " + layout.error().text();
}

void MetadataMove::measured(std::uint64_t backing_bytes, std::uint64_t metadata_bytes) {
  if (core_.disk == DiskState::Diskless || backing_bytes == 0) return;
  wanted_bytes_ = 0;
  refusal_.clear();
  if (core_.config.placement != drbd_metadata::Placement::internal())
    return measured_apart(backing_bytes, metadata_bytes);
  const std::uint64_t place = phase_ == Phase::Idle ? core_.config.backing_bytes : target_bytes_;
  if (blocks_of(backing_bytes) == blocks_of(place)) return;
  refusal_ = why_not(backing_bytes);
  if (refusal_.empty())
    wanted_bytes_ = backing_bytes;
  else
    core_.event("backing-size", refusal_);
}

/// The bitmap has the room behind it, so that only md_size_sect changes.
void MetadataMove::measured_apart(std::uint64_t backing_bytes, std::uint64_t metadata_bytes) {
  const auto layout = drbd_metadata::layout(core_.config.placement, backing_bytes, metadata_bytes,
                                            {.activity_log = core_.superblock.shape()});
  const std::uint64_t room = layout ? layout->usable_sectors : 0;
  if (room < core_.superblock.effective_sectors) {
    refusal_ = "the backing device or that of its metadata has become too small: there is room for " +
               std::to_string(room * 512) + " bytes of data, the device has " + std::to_string(core_.size_bytes());
    return core_.event("backing-size", refusal_);
  }
  core_.config.backing_bytes = backing_bytes;
  core_.config.metadata_bytes = metadata_bytes;
  core_.changed();
  if (!layout || core_.superblock.metadata_sectors == layout->metadata_sectors) return;
  core_.superblock.metadata_sectors = layout->metadata_sectors;
  metadata_.superblock_changed();
}

bool MetadataMove::due() const { return wanted_bytes_ != 0 && core_.metadata_writable(); }

void MetadataMove::advance() {
  if (phase_ == Phase::Idle && due() && core_.disk_usable() && attach_.done()) {
    target_bytes_ = std::exchange(wanted_bytes_, 0);
    phase_ = Phase::Draining;
  }
  if (phase_ == Phase::Idle) return;
  if (!core_.metadata_writable()) return abandon();
  if (phase_ == Phase::Draining) {
    // The size on disk first: then what lies behind the agreed size holds no bits.
    core_.metadata_held = !metadata_.growing();
    if (core_.metadata_held && metadata_.idle() && activity_log_.idle()) begin_writing();
  }
  if (phase_ == Phase::Writing) write_on();
}

void MetadataMove::begin_writing() {
  const drbd_metadata::ActivityLogShape shape = core_.superblock.shape();
  drbd_metadata::Resize resize;
  resize.metadata = drbd_metadata::from_superblock(metadata_.begin_move());
  resize.from = drbd_metadata::internal_layout(core_.config.backing_bytes, shape).value();
  resize.to = drbd_metadata::internal_layout(target_bytes_, shape).value();
  resize.activity_log = shape;
  resize.ring = activity_log_.rewritten();
  if (core_.canary_set(canary::kMoveWithoutLog)) resize.ring = drbd_metadata::initial_ring(shape);
  auto plan = drbd_metadata::plan_resize(resize, drbd_metadata::encode_bitmap(core_.bitmap));
  if (!plan) {
    refusal_ = plan.error().text();
    core_.event("backing-size", refusal_);
    return abandon();
  }
  placed_ = drbd_metadata::to_superblock(plan->metadata);
  steps_.assign(std::make_move_iterator(plan->steps.begin()), std::make_move_iterator(plan->steps.end()));
  first_operation_ = next_operation_;
  phase_ = Phase::Writing;
}

/// Writes up to the next flush; that is over when all of them are durable.
void MetadataMove::write_on() {
  while (!steps_.empty() && in_flight_ < max_pieces_in_flight) {
    if (steps_.front().kind != Step::Kind::Flush) {
      write_piece();
      continue;
    }
    if (in_flight_ != 0 && !core_.canary_set(canary::kMoveAtOnce)) return;
    steps_.pop_front();
  }
  if (steps_.empty() && in_flight_ == 0) finish();
}

/// Long steps go to the disk in pieces.
void MetadataMove::write_piece() {
  const Step& step = steps_.front();
  const bool zeroes = step.kind == Step::Kind::Zero;
  const std::uint64_t total = zeroes ? step.length : step.bytes.size();
  const std::uint64_t length = std::min(total - written_, piece_bytes);
  Bytes content(length);
  if (!zeroes) std::copy_n(step.bytes.begin() + static_cast<std::ptrdiff_t>(written_), length, content.begin());
  ++in_flight_;
  core_.emit(effect::MetadataWrite{operation_of(Owner::MetadataMove, next_operation_++), step.offset + written_,
                                   std::move(content), true});
  written_ += length;
  if (written_ < total) return;
  written_ = 0;
  steps_.pop_front();
}

void MetadataMove::done(OperationId operation, int error_number) {
  if (phase_ != Phase::Writing || rest_of(operation) < first_operation_) return;
  --in_flight_;
  core_.changed();
  if (error_number != 0) disk_refused(core_, FailedIo::Metadata, error_number);
}

void MetadataMove::abandon() {
  phase_ = Phase::Idle;
  wanted_bytes_ = 0;
  in_flight_ = written_ = 0;
  steps_.clear();
  core_.metadata_held = false;
  core_.changed();
}

void MetadataMove::finish() {
  const std::uint64_t before = core_.config.backing_bytes;
  metadata_.moved(placed_, target_bytes_);
  phase_ = Phase::Idle;
  core_.metadata_held = false;
  core_.changed();
  core_.emit(effect::MetadataMoved{target_bytes_});
  core_.event("metadata-moved", "the backing device has " + std::to_string(target_bytes_) + " bytes, it had " +
                                    std::to_string(before) + ": the metadata are at its end");
}

}  // namespace bascule::replication::detail
