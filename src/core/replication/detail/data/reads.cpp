#include "core/replication/detail/data/reads.h"

#include <cerrno>
#include <vector>

#include "core/replication/detail/data/disk_errors.h"
#include "core/replication/detail/data/write_rules.h"

namespace bascule::replication::detail {
namespace {

/// when-congested-remote: the local disk has this much to do.
constexpr std::uint32_t congested_reads = 128;

}  // namespace

void Reads::read(const input::Read& read) {
  core_.application_io_at = core_.now;
  const Range range{read.offset, read.length};
  const bool cluster = core_.config.authority == Authority::Cluster;
  const bool refused = !core_.serving || (cluster && core_.disk != DiskState::UpToDate);
  if (refused || !core_.inside(range)) return core_.complete(read.request, core_.inside(range) ? EIO : EINVAL);
  const auto place = reads_.emplace(next_++, Pending{read.request, range, read.buffer}).first;
  start(place);
}

// ---- where ------------------------------------------------------------------------------------------------------

/// An Inconsistent disk answers for the blocks whose bits are clear while the resync knows what they should hold.
bool Reads::may_read_local(const Pending& read) const {
  if (read.local_failed) return false;
  if (core_.disk == DiskState::UpToDate || core_.canary_set(canary::kReadHere)) return true;
  // Before the bitmaps have met nobody here knows what the peer has written since.
  const bool bits_count = core_.connection != ConnectionState::WFBitMapT;
  return core_.disk == DiskState::Inconsistent && bits_count && core_.peer_has_data() && metadata_.in_sync(read.range);
}

bool Reads::may_read_remote(const Pending& read) const { return !read.peer_failed && core_.peer_has_data(); }

/// read-balancing of drbd.conf(5); it never chooses a peer that has not everything.
bool Reads::prefers_peer(const Pending& read) {
  using drbd_config::ReadBalancing;
  const ReadBalancing mode = core_.config.options.disk.read_balancing;
  switch (mode) {
    case ReadBalancing::prefer_local:
      return false;
    case ReadBalancing::prefer_remote:
      return true;
    case ReadBalancing::round_robin:
      return round_robin_ = !round_robin_;
    case ReadBalancing::least_pending:
      return local_pending_ > remote_pending_;
    case ReadBalancing::when_congested_remote:
      return local_pending_ >= congested_reads;
    default:
      break;
  }
  const auto step = static_cast<unsigned>(mode) - static_cast<unsigned>(ReadBalancing::striping_32k);
  return ((read.range.offset >> (15 + step)) & 1) != 0;
}

void Reads::start(Place place) {
  Pending& read = place->second;
  if (core_.suspended()) return;
  const bool local = may_read_local(read);
  const bool remote = may_read_remote(read);
  if (!local && !remote) {
    if (!read.local_failed && !read.peer_failed && waits_for_data(core_)) return;
    return finish(place, EIO);
  }
  const auto length = static_cast<std::uint32_t>(read.range.length);
  if (remote && (!local || prefers_peer(read))) {
    read.at = At::Peer;
    ++remote_pending_;
    return core_.send_data(drbd::DataRequest{read.range.offset / 512, drbd::BlockId{place->first}, length, 0});
  }
  read.at = At::Local;
  ++local_pending_;
  core_.emit(effect::DiskRead{operation_of(Owner::LocalRead, place->first), read.range.offset, length, read.buffer});
}

// ---- answers ----------------------------------------------------------------------------------------------------

void Reads::leave(Pending& read) {
  if (read.at == At::Local) --local_pending_;
  if (read.at == At::Peer) --remote_pending_;
  read.at = At::Nowhere;
}

void Reads::finish(Place place, int error_number) {
  leave(place->second);
  core_.complete(place->second.request, error_number);
  reads_.erase(place);
}

void Reads::local_done(OperationId operation, int error_number) {
  const auto place = reads_.find(rest_of(operation));
  if (place == reads_.end() || place->second.at != At::Local) return;
  Pending& read = place->second;
  if (error_number == 0) {
    core_.statistics.read_bytes += read.range.length;
    return finish(place, 0);
  }
  leave(read);
  read.local_failed = true;
  // DRBD marks it, so that a later resync to this disk writes it anew. Where the disk stays in service the bit would
  // say that the peer is the one to be written to.
  if (core_.operator_rules() && core_.metadata_writable()) metadata_.mark_out_of_sync(read.range);
  disk_refused(core_, FailedIo::Read, error_number);
  start(place);
}

bool Reads::replied(const drbd::DataReply& reply, BufferId buffer) {
  const auto place = reads_.find(static_cast<Number>(reply.block_id));
  const bool expected = place != reads_.end() && place->second.at == At::Peer &&
                        place->second.range.offset / 512 == reply.sector &&
                        place->second.range.length == reply.size_bytes && buffer != 0;
  if (expected) {
    core_.statistics.received_bytes += reply.size_bytes;
    core_.emit(effect::CopyBuffer{buffer, place->second.buffer, reply.size_bytes});
    finish(place, 0);
  }
  core_.release(buffer);
  return expected;
}

bool Reads::refused(const drbd::BlockAck& ack) {
  const auto place = reads_.find(static_cast<Number>(ack.block_id));
  if (place == reads_.end() || place->second.at != At::Peer || place->second.range.offset / 512 != ack.sector)
    return false;
  leave(place->second);
  place->second.peer_failed = true;
  start(place);
  return true;
}

void Reads::session_lost() {
  for (auto& [number, read] : reads_)
    if (read.at == At::Peer) leave(read);
}

void Reads::fail_waiting(int error_number) {
  for (auto place = reads_.begin(); place != reads_.end();) {
    const auto each = place++;
    if (each->second.at != At::Local) finish(each, error_number);
  }
}

void Reads::advance() {
  if (reads_.empty() || core_.suspended()) return;
  std::vector<Number> idle;
  if (reads_.size() != local_pending_ + remote_pending_)
    for (const auto& [number, read] : reads_)
      if (read.at == At::Nowhere) idle.push_back(number);
  for (const Number number : idle) start(reads_.find(number));
}

}  // namespace bascule::replication::detail
