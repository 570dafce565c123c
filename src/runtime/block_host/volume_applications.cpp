// What applications ask through FUSE and NBD, and when they are answered.

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/block_host/detail/volume_host.h"

namespace bascule::block_host {
namespace {

constexpr std::uint64_t kLongestWithoutData = std::uint64_t{128} << 20;

replication::WriteKind write_kind_of(device::Request::Kind kind) {
  if (kind == device::Request::Kind::discard) return replication::WriteKind::discard;
  if (kind == device::Request::Kind::zeroes) return replication::WriteKind::zeroes;
  return replication::WriteKind::zeroes_unmap;
}

}  // namespace

std::string VolumeHost::refusal() const {
  if (!primary_) return "volume " + facts_.volume + " is not Primary on " + facts_.self;
  return size_bytes_ == 0 ? "the size of volume " + facts_.volume + " is not known yet" : "";
}

std::uint32_t VolumeHost::new_pending(const Pending& pending) {
  if (pending_free_.empty()) {
    pending_free_.push_back(static_cast<std::uint32_t>(pending_.size()));
    pending_.emplace_back();
  }
  const std::uint32_t index = pending_free_.back();
  pending_free_.pop_back();
  const std::uint32_t generation = pending_[index].generation + 1;
  pending_[index] = pending;
  pending_[index].generation = generation;
  return index;
}

replication::RequestId VolumeHost::id_of_pending(std::uint32_t index) const {
  return (std::uint64_t{pending_[index].generation} << 32) | index;
}

void VolumeHost::submit(device::Requester& requester, std::uint64_t tag, const device::Request& request) {
  const std::uint32_t index = new_pending({&requester, tag, request.kind});
  const replication::RequestId id = id_of_pending(index);
  const auto length = static_cast<std::uint32_t>(request.length);
  switch (request.kind) {
    case device::Request::Kind::read:
      return post(replication::input::Read{id, request.offset, length, request.buffer});
    case device::Request::Kind::write:
      pool_->retain(request.buffer);  // the engine's own reference, until ReleaseBuffer
      return post(replication::input::Write{id, request.offset, length, request.buffer, request.fua});
    case device::Request::Kind::flush:
      return post(replication::input::Flush{id});
    default:
      return submit_without_data(index, request);
  }
}

// The engine takes pieces; all that are due at once, since they cost no buffer.
void VolumeHost::submit_without_data(std::uint32_t index, const device::Request& request) {
  const auto count = static_cast<std::uint32_t>((request.length + kLongestWithoutData - 1) / kLongestWithoutData);
  pending_[index].parts = count;
  for (std::uint64_t at = 0; at < request.length; at += kLongestWithoutData) {
    const auto length = static_cast<std::uint32_t>(std::min(kLongestWithoutData, request.length - at));
    Pending part{pending_[index].requester, 0, request.kind};
    part.whole = static_cast<std::int32_t>(index);
    post(replication::input::Write{id_of_pending(new_pending(part)), request.offset + at, length, 0, request.fua,
                                   write_kind_of(request.kind)});
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
    else if (primary_)
      withheld_.push_back(answer);
    else  // no lease will ever allow it; and as long as it is not answered, the loop device of its promotion cannot go
      deliver({answer.request, EIO});
  }
  if (facts_.writes_withheld != withheld_.size()) state_changed_ = true;
  facts_.writes_withheld = withheld_.size();
}

// What of a request was answered; its requester is null while other parts of it are still under way.
VolumeHost::Pending VolumeHost::part_answered(const Answer& answer) {
  const auto index = static_cast<std::uint32_t>(answer.request);
  BASCULE_ASSERT(pending_[index].requester != nullptr && pending_[index].generation == answer.request >> 32);
  std::uint32_t last = index;
  if (pending_[index].whole >= 0) {
    last = static_cast<std::uint32_t>(pending_[index].whole);
    pending_[index].requester = nullptr;
    pending_free_.push_back(index);
  }
  Pending& whole = pending_[last];
  if (whole.error_number == 0) whole.error_number = answer.error_number;
  if (--whole.parts > 0) return {};
  const Pending done = whole;
  whole.requester = nullptr;
  pending_free_.push_back(last);
  return done;
}

void VolumeHost::deliver(const Answer& answer) {
  const Pending done = part_answered(answer);
  if (done.requester == nullptr) return;
  if (done.error_number != 0) {
    ++facts_.failed_io;
  } else if (done.kind != device::Request::Kind::read && done.kind != device::Request::Kind::flush) {
    activity_->acknowledged(uring::Ring::now());
  }
  counters_changed_ = true;
  done.requester->completed(done.tag, done.error_number);
}

void VolumeHost::fail_withheld() {
  for (const Answer& answer : std::exchange(withheld_, {})) deliver({answer.request, EIO});
  facts_.writes_withheld = 0;
}

}  // namespace bascule::block_host
