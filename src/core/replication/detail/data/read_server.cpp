#include "core/replication/detail/data/read_server.h"

#include "core/replication/detail/data/disk_errors.h"

namespace bascule::replication::detail {
namespace {

/// A peer that asks for more without waiting for answers is out of its mind.
constexpr std::size_t max_reads = 8192;

}  // namespace

bool ReadServer::request(const drbd::DataRequest& request) {
  const auto range = core_.range_of(request.sector, request.size_bytes);
  if (!range || in_use_ >= max_reads) return false;
  if (core_.disk != DiskState::UpToDate) {
    core_.send_ack(drbd::BlockAck::Kind::NegativeDataReply, *range, request.block_id);
    return true;
  }
  std::size_t index = slots_.size();
  if (free_.empty()) {
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  slots_[index] = Slot{*range, request.block_id, 0, core_.session.number, core_.peer_barriers, true};
  ++in_use_;
  ++waiting_;
  if (may_start(slots_[index])) start(index);
  return true;
}

bool ReadServer::may_start(const Slot& slot) const {
  return !core_.peer_ranges.overlaps(slot.range) &&
         (!core_.two_primaries() || core_.peer_barriers_done >= slot.barriers);
}

void ReadServer::start(std::size_t index) {
  Slot& slot = slots_[index];
  --waiting_;
  const auto length = static_cast<std::uint32_t>(slot.range.length);
  slot.buffer = core_.take_buffer(length);
  core_.emit(effect::DiskRead{operation_of(Owner::ServedRead, index), slot.range.offset, length, slot.buffer});
}

void ReadServer::read_done(OperationId operation, int error_number) {
  const std::size_t index = rest_of(operation);
  const Slot slot = slots_[index];
  slots_[index] = Slot{};
  free_.push_back(index);
  --in_use_;
  if (error_number != 0) disk_refused(core_, FailedIo::Read, error_number);
  if (core_.session.open && slot.session == core_.session.number) {
    if (error_number == 0) {
      drbd::DataReply reply;
      reply.sector = slot.range.offset / 512;
      reply.block_id = slot.block_id;
      reply.size_bytes = static_cast<std::uint32_t>(slot.range.length);
      core_.statistics.sent_bytes += slot.range.length;
      core_.send_data(std::move(reply), slot.buffer);
    } else {
      core_.send_ack(drbd::BlockAck::Kind::NegativeDataReply, slot.range, slot.block_id);
    }
  }
  core_.release(slot.buffer);
}

void ReadServer::session_lost() {
  for (std::size_t index = 0; index < slots_.size() && waiting_ != 0; ++index) {
    if (!slots_[index].used || slots_[index].buffer != 0) continue;
    slots_[index] = Slot{};
    free_.push_back(index);
    --in_use_;
    --waiting_;
  }
}

void ReadServer::advance() {
  for (std::size_t index = 0; index < slots_.size() && waiting_ != 0; ++index) {
    const Slot& slot = slots_[index];
    if (slot.used && slot.buffer == 0 && may_start(slot)) start(index);
  }
}

}  // namespace bascule::replication::detail
