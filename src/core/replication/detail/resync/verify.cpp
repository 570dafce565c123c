#include "core/replication/detail/resync/verify.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace bascule::replication::detail {
namespace {

constexpr std::uint64_t coarse_bytes = 512 * 1024;
constexpr std::size_t max_ranges = 8192;  ///< that a peer may have asked for
/// Agreed on 100, the answering side counts results as blocks, and knows no stop sector (protocol facts, section 10).
constexpr std::uint32_t first_with_stop_sector = 101;
constexpr std::int64_t patience_pings = 10;  ///< for the first request of a peer that says Connected

}  // namespace

// ---- VerifyS ----------------------------------------------------------------------------------------------------

VerifySource::VerifySource(Core& core, Metadata& metadata, Writes& writes)
    : core_(core), metadata_(metadata), writes_(writes), pacing_(core.config.options, core.config.resync_rate_max) {}

void VerifySource::begin(std::uint64_t start_sector, std::uint64_t stop_sector, Digest digest) {
  stop();
  digest_ = digest;
  pacing_ = Pacing(core_.config.options, core_.config.resync_rate_max);
  pacing_.begin(core_.now);
  const std::uint64_t sectors = core_.superblock.effective_sectors;
  start_ = next_ = std::min(start_sector, sectors) * 512 / block_bytes * block_bytes;
  stop_ = std::max(std::min(stop_sector, sectors) * 512, start_);
  done_bytes_ = found_bytes_ = 0;
}

void VerifySource::stop() {
  for (const auto& [offset, request] : requests_) late_ += request.peers.empty() ? 1 : 0;
  for (const auto& [offset, request] : requests_) core_.unlock(request.range);
  requests_.clear();
  waiting_.clear();
  again_.clear();
  next_ = stop_;
  pacing_.stop();
}

bool VerifySource::done() const { return next_ >= stop_ && again_.empty() && requests_.empty(); }

/// Where most differs, asking for big ranges first only asks twice.
std::uint64_t VerifySource::request_bytes() const {
  if (core_.session.agreed_version < first_with_stop_sector || found_bytes_ * 2 > done_bytes_) return block_bytes;
  const std::uint64_t peer_most = std::clamp<std::uint64_t>(core_.peer.max_bio_bytes, block_bytes, coarse_bytes);
  return std::bit_floor(std::min(peer_most, pacing_.request_bytes(core_.now)));
}

std::optional<Range> VerifySource::next_range(std::uint64_t most_bytes) const {
  if (!again_.empty()) {
    const Range& range = again_.front();
    return Range{range.offset, std::min(block_bytes, range.length)};
  }
  if (next_ >= stop_) return std::nullopt;
  const std::uint64_t size = request_bytes();
  const std::uint64_t affordable = std::max(most_bytes / block_bytes, std::uint64_t{1}) * block_bytes;
  const std::uint64_t end = std::min({(next_ / size + 1) * size, next_ + affordable, stop_});
  return Range{next_, end - next_};
}

/// False: nothing to ask for now.
bool VerifySource::ask_next() {
  const std::uint64_t allowance = pacing_.allowance(core_.now);
  if (allowance == 0 || requests_.size() >= max_ranges / 4) return false;
  const auto range = next_range(allowance);
  if (!range) return false;
  if (again_.empty()) {
    next_ = range->end();
  } else {
    again_.front() = Range{range->end(), again_.front().length - range->length};
    if (again_.front().length == 0) again_.pop_front();
  }
  requests_[range->offset] = Request{*range, next_number_++, core_.now, {}, {}, true, false};
  waiting_.push_back(range->offset);
  core_.lock(*range);
  pacing_.asked(range->length);
  core_.send_data(
      drbd::VerifyRequest{range->offset / 512, drbd::kSyncerBlockId, static_cast<std::uint32_t>(range->length), 0});
  return true;
}

bool VerifySource::reply(const drbd::VerifyReply& reply) {
  const auto found = requests_.find(reply.sector * 512);
  const bool expected = found != requests_.end() && found->second.range.length == reply.size_bytes &&
                        found->second.peers.empty() && reply.digest.size() == digest_bytes(digest_);
  // A run that has just ended here leaves answers on their way.
  if (!expected) return core_.connection != ConnectionState::VerifyS && late_ > 0 && late_-- > 0;
  read_again_what_the_peer_writes();  // what came before the answer is in it
  found->second.peers = reply.digest;
  compare(found);
  return true;
}

void VerifySource::read_waiting() {
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    const std::uint64_t offset = waiting_.front();
    waiting_.pop_front();
    Request& request = requests_.at(offset);
    if (writes_.local_write_overlaps(request.range) || core_.peer_ranges.overlaps(request.range)) {
      waiting_.push_back(offset);
      continue;
    }
    const auto length = static_cast<std::uint32_t>(request.range.length);
    request.number = next_number_++;
    request.stale = false;
    const BufferId buffer = reads_[request.number] = core_.take_buffer(length);
    core_.emit(
        effect::DiskRead{operation_of(Owner::VerifyRead, request.number), offset, length, buffer, digest_, false});
  }
}

/// The peer sends its writes before an answer that was read after them.
void VerifySource::read_again_what_the_peer_writes() {
  if (std::exchange(peer_writes_seen_, core_.peer_ranges.arrivals()) == core_.peer_ranges.arrivals()) return;
  for (auto& [offset, request] : requests_) {
    if (!request.peers.empty() || !core_.peer_ranges.overlaps(request.range)) continue;
    request.stale = true;
    if (request.reading) continue;
    request.own.clear();
    request.reading = true;
    waiting_.push_back(offset);
  }
}

void VerifySource::read_done(const input::DiskDone& done) {
  const auto read = reads_.find(rest_of(done.operation));
  if (read == reads_.end()) return;
  core_.release(read->second);
  reads_.erase(read);
  const auto found = std::find_if(requests_.begin(), requests_.end(), [&](const auto& each) {
    return each.second.reading && each.second.number == rest_of(done.operation);
  });
  if (found == requests_.end()) return;  // of a run that is over
  if (found->second.stale) return waiting_.push_back(found->first);
  found->second.reading = false;
  // What cannot be read differs: no digest is this long.
  found->second.own = done.error_number == 0 ? done.digest : Bytes(digest_bytes(digest_) + 1, 0);
  compare(found);
}

void VerifySource::compare(Requests::iterator request) {
  const Request& each = request->second;
  if (!each.own.empty() && !each.peers.empty()) conclude(request, each.own == each.peers);
}

void VerifySource::conclude(Requests::iterator request, bool equal) {
  const Request checked = request->second;
  requests_.erase(request);
  core_.unlock(checked.range);
  pacing_.answered(checked.range.length, checked.asked_at, core_.now);
  const bool exact = checked.range.length <= block_bytes;
  if (!equal && exact) {
    metadata_.mark_out_of_sync(checked.range);
    found_bytes_ += checked.range.length;
  }
  if (!equal && !exact)
    again_.push_back(checked.range);
  else
    done_bytes_ += checked.range.length;
  // Of a big range that differs the peer is told nothing bad: the blocks follow.
  core_.send_ack(drbd::BlockAck::Kind::VerifyResult, checked.range,
                 equal || !exact ? drbd::kVerifyInSync : drbd::kVerifyOutOfSync);
  core_.changed();
}

void VerifySource::advance() {
  read_again_what_the_peer_writes();
  if (core_.application_io_at) pacing_.application_io(*core_.application_io_at);
  while (ask_next()) {
  }
  read_waiting();
}

// ---- VerifyT ----------------------------------------------------------------------------------------------------

VerifyTarget::VerifyTarget(Core& core, Metadata& metadata, Writes& writes)
    : core_(core), metadata_(metadata), writes_(writes) {}

void VerifyTarget::begin(Digest digest) {
  stop();
  digest_ = digest;
  done_bytes_ = found_bytes_ = 0;
  was_asked_ = false;
}

void VerifyTarget::stop() {
  for (const auto& [key, each] : ranges_) late_ += each.step == Step::Answered ? 1 : 0;
  for (const auto& [key, each] : ranges_) core_.unlock(each.range);
  ranges_.clear();
  waiting_.clear();
}

bool VerifyTarget::request(const drbd::VerifyRequest& request) {
  const auto range = core_.range_of(request.sector, request.size_bytes);
  if (!range || core_.connection != ConnectionState::VerifyT) return false;
  if (ranges_.size() >= max_ranges || ranges_.contains({range->offset, range->length})) return false;
  was_asked_ = true;
  ranges_[{range->offset, range->length}] = Asked{*range, Step::Waiting, next_number_++};
  waiting_.emplace_back(range->offset, range->length);
  core_.lock(*range);
  advance();
  return true;
}

void VerifyTarget::advance() {
  for (std::size_t left = waiting_.size(); left > 0; --left) {
    const Key key = waiting_.front();
    waiting_.pop_front();
    Asked& each = ranges_.at(key);
    if (writes_.local_write_overlaps(each.range) || core_.peer_ranges.overlaps(each.range)) {
      waiting_.push_back(key);
      continue;
    }
    const auto length = static_cast<std::uint32_t>(each.range.length);
    each.step = Step::Reading;
    const BufferId buffer = reads_[each.number] = core_.take_buffer(length);
    core_.emit(effect::DiskRead{operation_of(Owner::VerifyReplyRead, each.number), each.range.offset, length, buffer,
                                digest_, false});
  }
}

void VerifyTarget::read_done(const input::DiskDone& done) {
  const auto read = reads_.find(rest_of(done.operation));
  if (read == reads_.end()) return;
  core_.release(read->second);
  reads_.erase(read);
  const auto found = std::find_if(ranges_.begin(), ranges_.end(), [&](const auto& each) {
    return each.second.step == Step::Reading && each.second.number == rest_of(done.operation);
  });
  if (found == ranges_.end()) return;  // of a run that is over
  Asked& each = found->second;
  each.step = Step::Answered;
  drbd::VerifyReply reply;
  reply.sector = each.range.offset / 512;
  reply.size_bytes = static_cast<std::uint32_t>(each.range.length);
  // What cannot be read differs: a digest that no data has.
  reply.digest = done.error_number == 0 ? done.digest : Bytes(digest_bytes(digest_), 0);
  core_.send_data(std::move(reply));
}

bool VerifyTarget::result(const drbd::BlockAck& ack) {
  const auto found = ranges_.find({ack.sector * 512, ack.size_bytes});
  const bool expected = found != ranges_.end() && found->second.step == Step::Answered;
  if (!expected) return core_.connection != ConnectionState::VerifyT && late_ > 0 && late_-- > 0;
  const Range range = found->second.range;
  ranges_.erase(found);
  core_.unlock(range);
  done_bytes_ += range.length;
  if (ack.block_id == drbd::kVerifyOutOfSync) {
    metadata_.mark_out_of_sync(range);
    found_bytes_ += range.length;
  }
  core_.changed();
  return true;
}

// ---- both -------------------------------------------------------------------------------------------------------

Verify::Verify(Core& core, Metadata& metadata, Handshake& handshake, Writes& writes)
    : core_(core),
      metadata_(metadata),
      handshake_(handshake),
      source_(core, metadata, writes),
      target_(core, metadata, writes) {}

void Verify::plan(std::uint64_t start_sector, std::uint64_t stop_sector) {
  start_sector_ = start_sector;
  stop_sector_ = stop_sector;
}

bool Verify::possible() const {
  return digest_named(core_.config.options.net.verify_alg).value_or(Digest::none) != Digest::none;
}

Instant Verify::deadline() const {
  return core_.connection == ConnectionState::VerifyS ? source_.deadline() : doubt_until_;
}

void Verify::disk_done(const input::DiskDone& done) {
  if (owner_of(done.operation) == Owner::VerifyRead)
    source_.read_done(done);
  else
    target_.read_done(done);
}

void Verify::session_lost() {
  source_.session_lost();
  target_.session_lost();
  running_ = false;
  ping_ = 0;
  doubt_until_ = never;
}

void Verify::note_state() {
  const bool runs = is_verifying(core_.connection);
  if (runs == running_) return;
  if (runs) return begin();
  source_.stop();
  target_.stop();
  running_ = false;
  ping_ = 0;
  doubt_until_ = never;
}

void Verify::begin() {
  running_ = true;
  ping_ = 0;
  is_source_ = core_.connection == ConnectionState::VerifyS;
  doubt_until_ = never;
  states_heard_ = core_.peer.states_heard;
  peer_verifies_ = false;
  const Digest digest = digest_named(core_.config.options.net.verify_alg).value_or(Digest::none);
  const bool may_stop = core_.session.agreed_version >= first_with_stop_sector;
  if (is_source_)
    source_.begin(start_sector_, may_stop ? stop_sector_ : ~std::uint64_t{0}, digest);
  else
    target_.begin(digest);
  total_bytes_ = is_source_ ? source_.total_bytes() : core_.size_bytes();
  core_.event("verify-started", std::string("this node is ") + drbd::name_of(core_.connection));
}

/// What the peer said before it knew that both agree says Connected too, and may still be on its way. It knows when it
/// has said that it verifies; and the source, when it has asked for something. The kernel's source says nothing when it
/// begins, so that one that says Connected and then asks for nothing has ended after all.
bool Verify::peer_ended() {
  if (is_verifying(core_.peer.connection)) peer_verifies_ = true;
  const bool heard = core_.peer.states_heard != states_heard_;
  if (!heard || core_.peer.connection != ConnectionState::Connected) return false;
  if (is_source_ || peer_verifies_) return peer_verifies_;
  if (target_.was_asked() || core_.peer.disk < DiskState::UpToDate) return true;
  if (doubt_until_ == never) doubt_until_ = core_.now + patience_pings * core_.config.ping_timeout;
  return doubt_until_ <= core_.now;
}

void Verify::advance() {
  note_state();
  if (!running_ || core_.dropping) return;
  if (peer_ended()) return finish("the peer ends the verify");
  if (!is_source_) return target_.advance();
  source_.advance();
  if (!source_.done()) return;
  if (ping_ == 0) {
    core_.send_meta(drbd::Ping{});
    ping_ = core_.session.pings_sent;
  }
  // The PING is answered: everything that the peer had been sent on the meta socket before, all results, it has seen.
  if (core_.session.pings_answered >= ping_) finish("the verify is complete");
}

void Verify::finish(const char* reason) {
  source_.stop();
  target_.stop();
  running_ = false;
  ping_ = 0;
  doubt_until_ = never;
  core_.become(ConnectionState::Connected, reason);
  metadata_.write_all_bits();
  handshake_.send_state_if_changed();
  core_.event("verify-finished", std::to_string(done_bytes()) + " bytes compared, " + std::to_string(found_bytes()) +
                                     " bytes are out of sync");
  if (found_bytes() == 0) return;
  core_.event("out-of-sync", std::to_string(found_bytes()) + " bytes differ between the replicas");
  core_.emit(effect::RunHandler{"out-of-sync", 0});
}

}  // namespace bascule::replication::detail
