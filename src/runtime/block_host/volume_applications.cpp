// What applications ask through FUSE and NBD, and when they are answered.

#include <cerrno>
#include <utility>

#include "runtime/block_host/detail/volume_host.h"

namespace bascule::block_host {

std::string VolumeHost::refusal() const {
  if (!primary_) return "volume " + facts_.volume + " is not Primary on " + facts_.self;
  return size_bytes_ == 0 ? "the size of volume " + facts_.volume + " is not known yet" : "";
}

void VolumeHost::submit(device::Requester& requester, std::uint64_t tag, const device::Request& request) {
  if (pending_free_.empty()) {
    pending_free_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t index = pending_free_.back();
  pending_free_.pop_back();
  pending_[index] = {&requester, tag, request.kind, pending_[index].generation + 1};
  const replication::RequestId id = (std::uint64_t{pending_[index].generation} << 32) | index;
  switch (request.kind) {
    case device::Request::Kind::read:
      return post(replication::input::Read{id, request.offset, request.length, request.buffer});
    case device::Request::Kind::write:
      pool_->retain(request.buffer);  // the engine's own reference, until ReleaseBuffer
      return post(replication::input::Write{id, request.offset, request.length, request.buffer, request.fua});
    case device::Request::Kind::flush:
      return post(replication::input::Flush{id});
  }
}

void VolumeHost::read_lease() {
  if (operator_decides()) return;
  const watchdog::Lease lease = lease_reader_->read(uring::Ring::now());
  if (lease.epoch == lease_.epoch && lease.end == lease_.end) return;
  lease_ = lease;
  post(replication::input::LeaseRead{lease.epoch, lease.end});
}

bool VolumeHost::may_acknowledge() const {
  return operator_decides() || (lease_.epoch == epoch_ && uring::Ring::now() < lease_.end);
}

// The engine allowed these answers some microseconds ago; the last look at the lease is here. A write whose lease ended
// in between is kept back until the lease is back or the held I/O fails.
void VolumeHost::deliver_answers() {
  std::vector<Answer> answers = std::exchange(withheld_, {});
  answers.insert(answers.end(), answers_.begin(), answers_.end());
  answers_.clear();
  const bool allowed = may_acknowledge();
  for (const Answer& answer : answers) {
    const bool read = pending_[static_cast<std::uint32_t>(answer.request)].kind == device::Request::Kind::read;
    if (allowed || read || answer.error_number != 0)
      deliver(answer);
    else
      withheld_.push_back(answer);
  }
  if (facts_.writes_withheld != withheld_.size()) state_changed_ = true;
  facts_.writes_withheld = withheld_.size();
}

void VolumeHost::deliver(const Answer& answer) {
  const auto index = static_cast<std::uint32_t>(answer.request);
  const Pending done = pending_[index];
  BASCULE_ASSERT(done.requester != nullptr && done.generation == answer.request >> 32);
  pending_[index].requester = nullptr;
  pending_free_.push_back(index);
  if (answer.error_number != 0) {
    ++facts_.failed_io;
  } else if (done.kind == device::Request::Kind::write) {
    activity_->acknowledged(uring::Ring::now());
  }
  counters_changed_ = true;
  done.requester->completed(done.tag, answer.error_number);
}

void VolumeHost::fail_withheld() {
  for (const Answer& answer : std::exchange(withheld_, {})) deliver({answer.request, EIO});
  facts_.writes_withheld = 0;
}

}  // namespace bascule::block_host
