#include "core/replication/detail/session/sizes.h"

#include <algorithm>

namespace bascule::replication::detail {
namespace {

std::string bytes_text(std::uint64_t sectors) { return std::to_string(sectors * 512) + " bytes"; }

std::uint64_t smaller_but_not_zero(std::uint64_t one, std::uint64_t other) {
  if (one == 0 || other == 0) return std::max(one, other);
  return std::min(one, other);
}

}  // namespace

std::uint64_t device_size(const SizeFacts& facts) {
  std::uint64_t size = smaller_but_not_zero(facts.own_capacity, facts.peer_capacity);
  const bool one_unknown = facts.own_capacity == 0 || facts.peer_capacity == 0;
  if (one_unknown && facts.last_agreed != 0) size = smaller_but_not_zero(facts.last_agreed, size);
  return smaller_but_not_zero(size, facts.limit);
}

SizeFacts Sizes::facts() const {
  const bool own_disk = core_.own_disk() >= DiskState::Inconsistent;
  return {own_disk ? core_.capacity_sectors() : 0, core_.session.open ? core_.peer.capacity_sectors : 0,
          core_.size_limit_sectors(), core_.superblock.effective_sectors};
}

void Sizes::session_began() {
  core_.growing_at_peer = new_area_ = false;
  held_.reset();
  heard_.reset();
  question_.reset();
}

drbd::Sizes Sizes::to_send(bool ask, std::uint16_t flags) {
  drbd::Sizes sizes;
  sizes.disk_sectors = told_capacity_ = facts().own_capacity;
  sizes.user_sectors = core_.size_limit_sectors();
  sizes.current_sectors = ask ? 0 : core_.superblock.effective_sectors;
  sizes.flags = flags;
  if (core_.agreed(drbd::feature::kWriteSame)) {
    sizes.queue_limits.emplace();
    sizes.queue_limits->discard_enabled = core_.config.backing_discards && core_.agreed(drbd::feature::kTrim) ? 1 : 0;
  }
  return sizes;
}

// ---- from the peer ----------------------------------------------------------------------------------------------

/// At connect the smaller limit counts, but no own one that the peer's device has outgrown: this node was away when it
/// was overtaken. Later it is the one that the peer's operator has just set.
void Sizes::take_limit(const drbd::Sizes& packet) {
  const std::uint64_t own = core_.size_limit_sectors();
  const std::uint64_t valid = own < packet.current_sectors ? 0 : own;
  const std::uint64_t limit =
      is_connected(core_.connection) ? packet.user_sectors : smaller_but_not_zero(valid, packet.user_sectors);
  if (limit == own) return;
  core_.set_size_limit_sectors(limit);
  core_.event("size-limit", limit == 0 ? "no limit counts any more" : "a limit of " + bytes_text(limit) + " counts");
}

/// A peer that asks waits for the answer, so nothing of it depends on the new size before that.
std::string Sizes::received(const drbd::Sizes& packet) {
  if (!is_connected(core_.connection) || !move_.busy()) return taken(packet);
  const bool asked_before = held_ && held_->current_sectors == 0;
  held_ = packet;
  if (asked_before) held_->current_sectors = 0;
  return "";
}

std::string Sizes::taken(const drbd::Sizes& packet) {
  core_.peer.capacity_sectors = packet.disk_sectors;
  core_.peer.max_bio_bytes = packet.max_bio_bytes;
  const std::uint64_t limit_before = core_.size_limit_sectors();
  take_limit(packet);
  const bool own_disk = core_.own_disk() >= DiskState::Inconsistent;
  const std::uint64_t before = core_.superblock.effective_sectors;
  std::string wrong = own_disk ? received_with_disk(packet) : received_diskless(packet);
  if (!wrong.empty()) core_.set_size_limit_sectors(limit_before);  // what is refused leaves nothing behind
  if (wrong.empty() && is_connected(core_.connection)) {
    const bool grown = core_.superblock.effective_sectors > before || (heard_ && heard_->grown);
    heard_ = Heard{packet.current_sectors, packet.flags, grown};
  }
  return wrong;
}

std::string Sizes::received_with_disk(const drbd::Sizes& packet) {
  const std::uint64_t now = core_.superblock.effective_sectors;
  const std::uint64_t size = device_size(facts());
  // The cluster's peer has a size only if it has held data; the smaller side knows best what is wrong.
  if (now == 0 && !core_.operator_rules() && packet.disk_sectors != 0 && packet.current_sectors > size)
    return "this node's disk is too small: " + bytes_text(size) + " of " + bytes_text(packet.current_sectors);
  // A smaller limit is the operator's wish; a smaller disk is none.
  const bool wished = core_.connection == ConnectionState::Connected && size == packet.user_sectors &&
                      core_.peer.disk != DiskState::Diskless;
  if (size < now && core_.own_disk() >= DiskState::Outdated && !wished) {
    const bool peer_is_small = packet.disk_sectors != 0 && packet.disk_sectors < now;
    return (peer_is_small ? "the peer's disk is too small: " : "the device would become too small: ") +
           bytes_text(size) + " of " + bytes_text(now);
  }
  if (size != now && core_.connection > ConnectionState::Connected)
    return "the peer changes the size of the device while " + std::string(drbd::name_of(core_.connection));
  take(size, (packet.flags & drbd::size_flag::kNoResync) != 0);
  return "";
}

/// Without a disk the peer's word counts: its current size, not what its disk could hold.
std::string Sizes::received_diskless(const drbd::Sizes& packet) {
  const std::uint64_t now = core_.superblock.effective_sectors;
  std::uint64_t size = packet.current_sectors;
  if (size == 0) size = smaller_but_not_zero(packet.user_sectors, packet.disk_sectors);
  if (size == 0 || size == now) return "";
  if (now != 0 && packet.disk_sectors == 0) {
    core_.event("size-ignored", "the peer has no disk and another size: " + bytes_text(size));
    return "";
  }
  if (size < now && core_.primary())
    return "the peer's device is too small: " + bytes_text(size) + " of " + bytes_text(now) +
           "; this node must be demoted first";
  metadata_.set_size(size);
  core_.changed();
  core_.event("resize", "the peer's device has " + bytes_text(size));
  return "";
}

/// P_SIZES of an established connection: one of the two has been resized. The peer may use the new area when it has our
/// answer, so the size is on disk before that.
void Sizes::answer_peer() {
  const Heard heard = *std::exchange(heard_, std::nullopt);
  const bool grown = std::exchange(core_.growing_at_peer, false) || heard.grown;
  const bool own_changed = facts().own_capacity != told_capacity_;
  if (heard.peer_sectors != core_.superblock.effective_sectors || own_changed)
    core_.send_data(to_send(false, heard.flags));
  if (phase_ == Phase::Asking) finish();
  core_.changed();
  if (!grown || core_.connection != ConnectionState::Connected || core_.disk < DiskState::Inconsistent ||
      core_.peer.disk < DiskState::Inconsistent)
    return;
  if ((heard.flags & drbd::size_flag::kNoResync) != 0)
    core_.event("resize", "the new area is taken to be clean");
  else
    new_area_ = true;
}

void Sizes::take(std::uint64_t sectors, bool assume_clean) {
  const std::uint64_t now = core_.superblock.effective_sectors;
  if (sectors == now || sectors == 0) return;
  if (now == 0)
    metadata_.set_size(sectors);
  else
    metadata_.resize(sectors, !assume_clean);
  metadata_.superblock_changed();
  core_.event("resize", "the device has " + bytes_text(sectors) + " now, it had " + bytes_text(now));
}

/// The own disk has grown since the peer was told: it may be the one that held both back.
void Sizes::announce() {
  const bool more = told_capacity_ != 0 && facts().own_capacity > told_capacity_;
  const bool said_soon = question_ || held_ || heard_ || move_.busy() || core_.only_measured;
  if (!more || said_soon || core_.connection != ConnectionState::Connected || core_.dropping) return;
  core_.send_data(to_send());
}

std::string Sizes::advance() {
  if (!core_.session.open || core_.dropping) {
    core_.growing_at_peer = false;
    held_.reset();
    heard_.reset();
  }
  if (!move_.busy() && held_)
    if (std::string wrong = taken(*std::exchange(held_, std::nullopt)); !wrong.empty()) return wrong;
  if (heard_ && !core_.growing_on_disk) answer_peer();
  // In the middle of a handshake the sizes that were told are being compared.
  const bool comparing = core_.session.open && !is_connected(core_.connection);
  if (phase_ == Phase::Moving && !move_.busy() && !comparing) decide();
  const bool session_over = !core_.session.open || core_.dropping || core_.session.number != asked_in_;
  if (phase_ == Phase::Asking && session_over && !core_.growing_on_disk) finish();
  announce();
  return "";
}

// ---- from the operator ------------------------------------------------------------------------------------------

/// DRBD's conditions, in its order.
Sizes::Refusal Sizes::not_now() const {
  if (core_.connection > ConnectionState::Connected)
    return {drbd::StateChangeResult::ResyncRunning, "a resync or verify is running"};
  if (core_.role == Role::Secondary && core_.peer.role == Role::Secondary)
    return {drbd::StateChangeResult::NotSupported, "one of the nodes must be Primary"};
  if (core_.disk < DiskState::Inconsistent) return {drbd::StateChangeResult::NoLocalDisk, "this node has no disk"};
  return {};
}

/// A device shrinks only because somebody named the size, and only on both nodes at once.
Sizes::Refusal Sizes::not_so(std::uint64_t size) const {
  const std::uint64_t now = core_.superblock.effective_sectors;
  const std::uint64_t wanted = command_.size_sectors;
  const std::uint64_t room = facts().own_capacity;
  if (wanted > room)
    return {drbd::StateChangeResult::NotSupported,
            "the wanted " + bytes_text(wanted) + " do not fit: this node's disk has room for " + room_text(room)};
  if (size >= now) return {};
  if (wanted == 0) return {drbd::StateChangeResult::NotSupported, "the device would shrink: its size must be named"};
  if (size != wanted)
    return {drbd::StateChangeResult::NotSupported,
            "the device would shrink to " + bytes_text(size) + ", which is not what was named"};
  if (!is_connected(core_.connection))
    return {drbd::StateChangeResult::NeedConnection, "a device shrinks only while its two nodes are connected"};
  return {};
}

void Sizes::resize(const input::Resize& wanted) {
  if (phase_ != Phase::Idle)
    return core_.answer(wanted.command, drbd::StateChangeResult::InTransientState, "another resize is under way");
  if (Refusal refused = not_now(); !refused.why.empty())
    return core_.answer(wanted.command, refused.result, std::move(refused.why));
  move_.measured(wanted.backing_bytes, wanted.metadata_bytes);
  if (!move_.refusal().empty())
    return core_.answer(wanted.command, drbd::StateChangeResult::NotSupported, move_.refusal());
  command_ = wanted;
  size_before_ = core_.superblock.effective_sectors;
  phase_ = Phase::Moving;
}

std::string Sizes::room_text(std::uint64_t sectors) const {
  if (!core_.limited_by_metadata()) return bytes_text(sectors);
  return bytes_text(sectors) + ", as its metadata device is too small for the bitmap of the " +
         std::to_string(core_.config.backing_bytes) + " bytes that it has";
}

void Sizes::decide() {
  SizeFacts known = facts();
  known.limit = command_.size_sectors;
  const bool connected = is_connected(core_.connection);
  if (!connected && command_.assume_peer_has_space) known.peer_capacity = known.own_capacity;
  const std::uint64_t size = device_size(known);
  Refusal refused = not_now();
  if (refused.why.empty()) refused = not_so(size);
  if (!refused.why.empty()) {
    phase_ = Phase::Idle;
    return core_.answer(command_.command, refused.result, std::move(refused.why));
  }
  core_.set_size_limit_sectors(command_.size_sectors);
  take(size, command_.assume_clean);
  asked_in_ = core_.session.number;
  phase_ = Phase::Asking;
  core_.changed();
  if (!connected) return;  // answered when it is on disk
  core_.growing_at_peer = size > size_before_;
  std::uint16_t flags = 0;
  if (command_.assume_peer_has_space) flags |= drbd::size_flag::kForced;
  if (command_.assume_clean) flags |= drbd::size_flag::kNoResync;
  question_ = flags;
}

std::string Sizes::outcome() const {
  const SizeFacts known = facts();
  const std::uint64_t now = known.last_agreed;
  if (now != size_before_) return "the device has " + bytes_text(now) + " now, it had " + bytes_text(size_before_);
  const std::uint64_t possible = smaller_but_not_zero(known.own_capacity, known.limit);
  const std::string keeps = "the device keeps its " + bytes_text(now);
  if (possible <= now) return keeps + ": the disk has room for " + room_text(known.own_capacity);
  if (known.peer_capacity == 0)
    return keeps + ", although the disk has room for " + bytes_text(known.own_capacity) +
           ": the peer's disk is not known; the device grows when it is";
  return keeps + ", although the disk has room for " + bytes_text(known.own_capacity) + ": the peer's has only " +
         bytes_text(known.peer_capacity);
}

void Sizes::finish() {
  phase_ = Phase::Idle;
  const bool done = core_.superblock.effective_sectors != size_before_;
  std::string text = outcome();
  if (!done) core_.event("resize", text);
  core_.answer(command_.command, done ? drbd::StateChangeResult::Success : drbd::StateChangeResult::NothingToDo,
               std::move(text));
}

}  // namespace bascule::replication::detail
