#include "core/replication/detail/data/flushes.h"

#include <cerrno>
#include <string>
#include <utility>

#include "core/replication/detail/data/disk_errors.h"
#include "core/replication/detail/data/write_rules.h"

namespace bascule::replication::detail {

void Flushes::flush(RequestId request) {
  Wait wait;
  wait.request = request;
  wait.number = next_++;
  if (!core_.suspended()) begin(wait);
  waits_.push_back(wait);
}

void Flushes::begin(Wait& wait) {
  wait.begun = true;
  wait.session = core_.session.number;
  epochs_.close();
  if (!epochs_.empty()) wait.epoch = epochs_.newest();
  // Without a session nobody knows what the peer had flushed of what was acknowledged before, and it still counts: as
  // a member, or with an operator because no generation on disk tells that it lacks anything.
  const bool counts =
      core_.operator_rules() ? core_.disk_usable() && !went_on_alone(core_, metadata_) : core_.in_sync.peer_counts();
  wait.needs_peer = flush_needs_peer(core_) && (wait.epoch || (counts && !core_.peer_in_step()));
  if (core_.canary_set(canary::kFlushOnlyHere)) wait.needs_peer = false;
  if (core_.disk_usable())
    core_.emit(effect::DiskFlush{operation_of(Owner::LocalFlush, wait.number)});
  else
    wait.local_done = true;
}

void Flushes::local_done(OperationId operation, int error_number) {
  for (Wait& wait : waits_)
    if (wait.number == rest_of(operation)) {
      wait.local_done = true;
      wait.error_number = error_number;
    }
  if (error_number != 0) disk_refused(core_, FailedIo::Flush, error_number);
}

bool Flushes::is_done(const Wait& wait) const {
  if (!wait.local_done) return false;
  if (wait.error_number != 0) return true;
  if (!core_.lease_valid()) return false;
  // Whether the peer has crashed is not known before it is back.
  if (only_at_peer_bytes_ != 0 && !core_.peer_has_data()) return false;
  if (!wait.needs_peer) return true;
  // If the peer went without flushing it must leave the set, or be resynced, before anybody relies on this flush.
  if (!wait.epoch || wait.session != core_.session.number || !core_.session.open)
    return went_on_alone(core_, metadata_) || (core_.peer_in_step() && core_.bitmap.count() == 0);
  return epochs_.is_over(*wait.epoch);
}

/// A Primary that has lost its peer while its own disk was being resynced has no data: as its writes, its flushes fail,
/// since no new generation of this disk will ever tell that the peer lacks anything.
bool Flushes::nowhere() const {
  if (!core_.operator_rules() || core_.may_write() || core_.suspended() || waits_for_data(core_)) return false;
  return core_.serving && core_.disk != DiskState::Negotiating && !core_.handshaking();
}

// ---- what only the peer had -------------------------------------------------------------------------------------

void Flushes::session_lost(std::uint64_t unflushed_bytes) {
  if (!core_.keeps_own_copy()) only_at_peer_bytes_ += unflushed_bytes;
}

void Flushes::peer_flushed() {
  look_at_peer();  // before that it may have lost some
  only_at_peer_bytes_ = 0;
}

/// A crash of the node that had the only copy is the crash of a primary: its superblock says so until it is flushed.
void Flushes::look_at_peer() {
  if (only_at_peer_bytes_ == 0) return;
  if (core_.keeps_own_copy()) only_at_peer_bytes_ = 0;  // a resync has brought all that there is
  if (!core_.peer_has_data() || (core_.peer.uuid_flags & drbd::uuid_flag::kCrashedPrimary) == 0) return;
  lost_bytes_ += std::exchange(only_at_peer_bytes_, 0);
  if (lost_bytes_ == 0) return;
  core_.event("writes-lost-behind-flush", "the peer has crashed, and had not flushed up to " +
                                              std::to_string(lost_bytes_) +
                                              " bytes that were written only there: the next flush fails");
}

/// As fsync does after a page could not be written: whoever flushes next is told, and then it goes on.
bool Flushes::fails_once() {
  if (lost_bytes_ == 0 || waits_.empty() || core_.suspended()) return false;
  lost_bytes_ = 0;
  fail_all(EIO);
  return true;
}

void Flushes::advance() {
  look_at_peer();
  if (fails_once()) return;
  for (Wait& wait : waits_)
    if (!wait.begun && !core_.suspended()) begin(wait);
  if (nowhere()) return fail_all(EIO);
  std::erase_if(waits_, [&](const Wait& wait) {
    if (!wait.begun || !is_done(wait)) return false;
    core_.complete(wait.request, wait.error_number == 0 ? 0 : EIO);
    return true;
  });
}

void Flushes::fail_all(int error_number) {
  for (const Wait& wait : waits_) core_.complete(wait.request, error_number);
  waits_.clear();
}

}  // namespace bascule::replication::detail
