#include "core/replication/detail/sizes.h"

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

drbd::Sizes Sizes::to_send(bool ask, std::uint16_t flags) const {
  drbd::Sizes sizes;
  sizes.disk_sectors = facts().own_capacity;
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

/// At connect the smaller limit counts, later the one that the peer's operator has just set.
void Sizes::take_limit(const drbd::Sizes& packet) {
  const std::uint64_t own = core_.size_limit_sectors();
  const std::uint64_t limit =
      is_connected(core_.connection) ? packet.user_sectors : smaller_but_not_zero(own, packet.user_sectors);
  if (limit == own) return;
  core_.set_size_limit_sectors(limit);
  core_.event("size-limit", "the peer's limit of " + bytes_text(limit) + " counts");
}

std::string Sizes::received(const drbd::Sizes& packet) {
  core_.peer.capacity_sectors = packet.disk_sectors;
  core_.peer.max_bio_bytes = packet.max_bio_bytes;
  take_limit(packet);
  const bool own_disk = core_.own_disk() >= DiskState::Inconsistent;
  const std::uint64_t before = core_.superblock.effective_sectors;
  std::string wrong = own_disk ? received_with_disk(packet) : received_diskless(packet);
  if (wrong.empty() && is_connected(core_.connection))
    after_growth(core_.superblock.effective_sectors > before, packet);
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
  return "";
}

/// P_SIZES of an established connection: one of the two has been resized.
void Sizes::after_growth(bool grown, const drbd::Sizes& packet) {
  if (packet.current_sectors != core_.superblock.effective_sectors) core_.send_data(to_send(false, packet.flags));
  const bool due = (std::exchange(asked_, false) || grown) && core_.connection == ConnectionState::Connected;
  if (!due || core_.disk < DiskState::Inconsistent || core_.peer.disk < DiskState::Inconsistent) return;
  if ((packet.flags & drbd::size_flag::kNoResync) != 0)
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

// ---- from the operator ------------------------------------------------------------------------------------------

/// Internal metadata lie at the end of the backing device: they stay where they are when the end does.
std::string Sizes::move_metadata(std::uint64_t backing_bytes) const {
  const auto end_of = [](std::uint64_t bytes) { return bytes / drbd_metadata::kBlockBytes; };
  return end_of(backing_bytes) == end_of(core_.config.backing_bytes)
             ? ""
             : "the backing device has another size than at attach: detach, move its metadata, and attach again";
}

std::string Sizes::resize(const input::Resize& wanted) {
  const std::uint64_t now = core_.superblock.effective_sectors;
  if (core_.disk < DiskState::Inconsistent) return "this node has no disk";
  if (core_.connection > ConnectionState::Connected) return "a resync or verify is running";
  if (core_.role == Role::Secondary && core_.peer.role == Role::Secondary) return "one of the nodes must be Primary";
  if (std::string wrong = move_metadata(wanted.backing_bytes); !wrong.empty()) return wrong;
  SizeFacts known = facts();
  known.limit = wanted.size_sectors;
  const bool connected = is_connected(core_.connection);
  if (!connected && wanted.assume_peer_has_space) known.peer_capacity = known.own_capacity;
  const std::uint64_t size = device_size(known);
  if (wanted.size_sectors > size)
    return "the wanted " + bytes_text(wanted.size_sectors) + " do not fit: there is room for " + bytes_text(size);
  if (size < now && wanted.size_sectors == 0) return "the device would shrink: its size must be named";
  core_.set_size_limit_sectors(wanted.size_sectors);
  take(size, wanted.assume_clean);
  asked_ = connected && size > now;
  return "";
}

}  // namespace bascule::replication::detail
