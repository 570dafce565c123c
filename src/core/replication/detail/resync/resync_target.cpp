#include "core/replication/detail/resync/resync_target.h"

#include <algorithm>
#include <bit>

#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {
namespace {

constexpr std::uint64_t extent_bytes = 16ULL << 20;  ///< DRBD's resync extent: no request crosses one

std::uint64_t peer_most_bytes(const Core& core) {
  return std::clamp<std::uint64_t>(core.peer.max_bio_bytes, block_bytes, drbd::kMaxDataBytes);
}

}  // namespace

ResyncTarget::ResyncTarget(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes,
                           PeerWrites& peer_writes)
    : core_(core),
      metadata_(metadata),
      handshake_(handshake),
      writes_(writes),
      peer_writes_(peer_writes),
      pacing_(core.config.options, core.config.resync_rate_max) {}

void ResyncTarget::begin() {
  const drbd_config::Options& options = core_.config.options;
  pacing_ = Pacing(options, core_.config.resync_rate_max);
  pacing_.begin(core_.now);
  next_bit_ = equal_bytes_ = 0;
  failed_ = alone_ = Bitmap();
  finish_ = Finish::No;
  const bool checksums = !options.net.csums_after_crash_only || core_.crashed_primary;
  digest_ = checksums ? digest_named(options.net.csums_alg).value_or(Digest::none) : Digest::none;
  const bool thin = (core_.session.feature_flags & drbd::feature::kThinResync) != 0;
  const std::uint64_t granularity = options.disk.rs_discard_granularity_bytes;
  const bool usable =
      granularity >= block_bytes && std::has_single_bit(granularity) && granularity <= peer_most_bytes(core_);
  thin_bytes_ = thin && usable && core_.config.backing_discards ? granularity : 0;
}

void ResyncTarget::session_lost() {
  requests_.clear();
  finish_ = Finish::No;
  pacing_.stop();
}

std::uint64_t ResyncTarget::failed_bytes() const { return failed_.count() * block_bytes; }

// ---- asking -----------------------------------------------------------------------------------------------------

std::uint64_t ResyncTarget::largest_request() const {
  return std::bit_floor(std::min(peer_most_bytes(core_), pacing_.request_bytes(core_.now)));
}

void ResyncTarget::ask() {
  if (core_.application_io_at) pacing_.application_io(*core_.application_io_at);
  while (ask_next()) {
  }
}

/// The first block from `first` on that shall be asked for.
std::optional<std::size_t> ResyncTarget::wanted_from(std::size_t first) const {
  auto block = core_.bitmap.find_set(first);
  while (block && failed_.size() != 0 && failed_.test(*block)) block = core_.bitmap.find_set(*block + 1);
  return block;
}

std::optional<std::size_t> ResyncTarget::next_block() {
  auto block = wanted_from(next_bit_);
  if (!block && requests_.empty() && next_bit_ != 0) {
    next_bit_ = 0;  // bits that were set, or requests that were cancelled, behind the cursor
    block = wanted_from(0);
  }
  return block;
}

/// As much of a run of set bits as one thin request takes, if there is so much.
std::optional<Range> ResyncTarget::thin_run_at(std::size_t first) const {
  const std::size_t blocks = thin_bytes_ / block_bytes;
  if (blocks == 0 || first % blocks != 0 || alone_.size() != 0) return std::nullopt;
  const Range range{first * block_bytes, thin_bytes_};
  const bool whole =
      range.end() <= core_.size_bytes() && core_.bitmap.find_clear(first).value_or(~0ULL) >= first + blocks;
  return whole ? std::optional(range) : std::nullopt;
}

/// The run of set bits that begins there, cut at multiples of the largest request: so it crosses no extent.
Range ResyncTarget::run_at(std::size_t first, std::uint64_t most_bytes) const {
  static_assert(extent_bytes % drbd::kMaxDataBytes == 0);
  if (const auto thin = thin_run_at(first)) return *thin;
  const std::size_t per_request = largest_request() / block_bytes;
  const std::size_t affordable = std::max<std::uint64_t>(most_bytes / block_bytes, 1);
  std::size_t limit = std::min({core_.bitmap.size(), (first / per_request + 1) * per_request, first + affordable});
  if (alone_.size() != 0)
    limit = alone_.test(first) ? first + 1 : std::min(limit, alone_.find_set(first).value_or(limit));
  const std::size_t last = std::min(limit, core_.bitmap.find_clear(first).value_or(limit));
  const std::uint64_t offset = first * block_bytes;
  return {offset, std::min<std::uint64_t>(last * block_bytes, core_.size_bytes()) - offset};
}

/// Asks for the next run. False: nothing to ask for now.
bool ResyncTarget::ask_next() {
  const std::uint64_t allowance = pacing_.allowance(core_.now);
  if (allowance == 0) return false;
  const auto first = next_block();
  if (!first) return false;
  const Range range = run_at(*first, allowance);
  if (requests_.contains(range.offset) || writes_.local_write_overlaps(range)) return false;
  next_bit_ = static_cast<std::size_t>((range.end() + block_bytes - 1) / block_bytes);
  start(range);
  return true;
}

void ResyncTarget::start(const Range& range) {
  Request& request = requests_[range.offset];
  request = Request{range, Step::Asked, thin_bytes_ != 0 && range.length == thin_bytes_, next_number_++, core_.now};
  core_.lock(range);
  pacing_.asked(range.length);
  if (digest_ != Digest::none)
    read_own(request);
  else
    send_request(request, {});
}

void ResyncTarget::read_own(Request& request) {
  request.step = Step::Digesting;
  request.thin = false;
  const auto length = static_cast<std::uint32_t>(request.range.length);
  const BufferId buffer = own_reads_[request.number] = core_.take_buffer(length);
  core_.emit(effect::DiskRead{operation_of(Owner::ResyncChecksum, request.number), request.range.offset, length, buffer,
                              digest_, false});
}

void ResyncTarget::read_done(const input::DiskDone& done) {
  const auto read = own_reads_.find(rest_of(done.operation));
  if (read == own_reads_.end()) return;
  core_.release(read->second);
  own_reads_.erase(read);
  const auto found = std::find_if(requests_.begin(), requests_.end(), [&](const auto& each) {
    return each.second.step == Step::Digesting && each.second.number == rest_of(done.operation);
  });
  if (found == requests_.end()) return;  // of a session that is over
  Request& request = found->second;
  request.step = Step::Asked;
  // What cannot be read is replaced.
  send_request(request, done.error_number == 0 ? done.digest : Bytes{});
}

void ResyncTarget::send_request(const Request& request, const Bytes& digest) {
  const std::uint64_t sector = request.range.offset / 512;
  const auto length = static_cast<std::uint32_t>(request.range.length);
  if (!digest.empty())
    core_.send_data(drbd::ChecksumResyncRequest{sector, drbd::kSyncerBlockId, length, 0, digest});
  else if (request.thin)
    core_.send_data(drbd::ThinResyncRequest{sector, drbd::kSyncerBlockId, length, 0});
  else
    core_.send_data(drbd::ResyncRequest{sector, drbd::kSyncerBlockId, length, 0});
}

// ---- answers ----------------------------------------------------------------------------------------------------

ResyncTarget::Requests::iterator ResyncTarget::asked_for(std::uint64_t sector, std::uint64_t length) {
  const auto found = requests_.find(sector * 512);
  const bool good =
      found != requests_.end() && found->second.step == Step::Asked && found->second.range.length == length;
  return good ? found : requests_.end();
}

void ResyncTarget::forget(Requests::iterator request) {
  const Request done = request->second;
  requests_.erase(request);
  core_.unlock(done.range);
  pacing_.answered(done.range.length, done.asked_at, core_.now);
  core_.changed();
}

bool ResyncTarget::reply(const drbd::ResyncReply& reply, BufferId buffer) {
  const auto found = asked_for(reply.sector, reply.size_bytes);
  if (found == requests_.end()) {
    core_.release(buffer);
    return false;
  }
  found->second.step = Step::Writing;
  peer_writes_.resync_data(found->second.range, buffer);
  return true;
}

bool ResyncTarget::deallocated(const drbd::ResyncDeallocated& reply) {
  const auto found = asked_for(reply.sector, reply.size_bytes);
  if (found == requests_.end() || !found->second.thin) return false;
  found->second.step = Step::Writing;
  peer_writes_.resync_zeroes(found->second.range);
  return true;
}

bool ResyncTarget::answer(const drbd::BlockAck& ack) {
  const auto found = asked_for(ack.sector, ack.size_bytes);
  if (found == requests_.end()) return false;
  const Range range = found->second.range;
  forget(found);
  if (ack.kind == drbd::BlockAck::Kind::ResyncIsInSync) {
    metadata_.mark_in_sync(range);
    equal_bytes_ += range.length;
  }
  if (ack.kind == drbd::BlockAck::Kind::NegativeResyncReply) mark_failed(range);
  return true;  // a cancelled one stays marked, and is asked for again when the source has come back
}

/// Of a big range only some blocks may be bad: these are found out one by one.
void ResyncTarget::mark_failed(const Range& range) {
  Bitmap& blocks = range.length > block_bytes ? alone_ : failed_;
  if (blocks.size() == 0) blocks = Bitmap(core_.bitmap.size());
  blocks.set(range.offset / block_bytes,
             std::min<std::size_t>(blocks.size(), (range.end() + block_bytes - 1) / block_bytes));
}

void ResyncTarget::take_acknowledgements() {
  for (const Range& range : peer_writes_.take_resynced()) {
    const auto found = requests_.find(range.offset);
    if (found != requests_.end() && found->second.step == Step::Writing) forget(found);
  }
}

// ---- end --------------------------------------------------------------------------------------------------------

void ResyncTarget::advance(bool may_ask) {
  take_acknowledgements();
  if (finish_ == Finish::No && may_ask) {
    ask();
    check_end();
  }
  if (finish_ == Finish::Writing && metadata_.superblock_durable(finish_version_)) ask_to_finish(End::Complete);
  if (finish_ == Finish::Asking && core_.session.pings_answered >= finish_ping_) finish();
}

void ResyncTarget::check_end() {
  if (!requests_.empty() || core_.dropping) return;
  if (core_.bitmap.count() == 0)
    begin_finish();
  else if (failed_.count() != 0 && !wanted_from(0))
    ask_to_finish(End::Failed);
}

void ResyncTarget::begin_finish() {
  finish_ = Finish::Writing;
  pacing_.stop();
  end_resync_as_target(core_);
  peer_has_the_same(core_);
  core_.crashed_primary = false;
  // The superblock write flushes the disk before it: everything received so far is durable with it.
  core_.become(DiskState::UpToDate, "every block is here");
  metadata_.write_all_bits();
  finish_version_ = metadata_.superblock_changed();
}

/// When this PING is answered, the peer has seen everything that it had been sent on the meta socket before.
void ResyncTarget::ask_to_finish(End outcome) {
  pacing_.stop();
  finish_ = Finish::Asking;
  outcome_ = outcome;
  core_.send_meta(drbd::Ping{});
  finish_ping_ = core_.session.pings_sent;
}

/// With failures, as in DRBD: the connection stays, the disk stays Inconsistent, the bits stay set for the next run.
void ResyncTarget::finish() {
  finish_ = Finish::No;
  end_ = outcome_;
  if (outcome_ == End::Failed) {
    core_.resync_retry_at = core_.now + resync_retry_pause;
    core_.become(ConnectionState::Connected, "the source cannot read " + std::to_string(failed_bytes()) + " bytes");
    metadata_.write_all_bits();
  } else {
    core_.become(ConnectionState::Connected, "the resync is complete");
  }
  handshake_.send_state_if_changed();
}

}  // namespace bascule::replication::detail
