#include "core/replication/detail/core.h"

#include <algorithm>

#include "base/assert.h"

namespace bascule::replication::detail {

Core::Core(const Config& the_config, const drbd_metadata::Superblock& the_superblock, Instant the_now)
    : config(the_config),
      prng(the_config.seed),
      now(the_now),
      superblock(the_superblock),
      bitmap(drbd_metadata::bits_for(the_superblock.effective_sectors)) {
  in_sync.absent = operator_rules();
}

void Core::event(const char* kind, std::string text) { emit(effect::Event{kind, std::move(text)}); }

void Core::send_data(drbd::Packet packet, BufferId buffer) {
  if (session.open) emit(effect::Send{session.data, 0, std::move(packet), buffer});
}

void Core::send_meta(drbd::Packet packet) {
  if (session.open && std::holds_alternative<drbd::Ping>(packet)) ++session.pings_sent;
  if (session.open) emit(effect::Send{session.meta, 0, std::move(packet), 0});
}

void Core::send_ack(drbd::BlockAck::Kind kind, const Range& range, drbd::BlockId block_id) {
  if (!session.open) return;
  drbd::BlockAck ack;
  ack.kind = kind;
  ack.sector = range.offset / 512;
  ack.block_id = block_id;
  ack.size_bytes = static_cast<std::uint32_t>(range.length);
  ack.sequence = ++session.sequence;
  send_meta(ack);
}

BufferId Core::take_buffer(std::uint32_t length, bool zeroed) {
  const BufferId buffer = next_buffer;
  next_buffer = kEngineBufferBit | (next_buffer + 1);
  emit(effect::TakeBuffer{buffer, length, zeroed});
  return buffer;
}

void Core::release(BufferId buffer) {
  if (buffer != 0) emit(effect::ReleaseBuffer{buffer});
}

void Core::complete(RequestId request, int error_number) { emit(effect::Complete{request, error_number}); }

void Core::answer(CommandId command, drbd::StateChangeResult result, std::string reason) {
  if (command != 0) emit(effect::CommandDone{command, result, std::move(reason)});
}

void Core::become(ConnectionState next, const std::string& reason) {
  if (next == connection) return;
  BASCULE_ASSERT(allowed(connection, next));
  const std::string before = drbd::name_of(connection);
  connection = next;
  changed();
  event("connection-state", before + " -> " + drbd::name_of(next) + ": " + reason);
}

void Core::become(DiskState next, const std::string& reason) {
  if (next == disk) return;
  BASCULE_ASSERT(allowed(disk, next));
  const std::string before = drbd::name_of(disk);
  disk = next;
  changed();
  event("disk-state", before + " -> " + drbd::name_of(next) + ": " + reason);
}

void Core::drop(ConnectionState why_state, std::string reason, bool refuse) {
  if (!dropping) dropping = Drop{why_state, std::move(reason), refuse};
}

/// drbd_get_max_capacity: internal metadata leave what lies before them; external ones leave all that their bitmap
/// covers.
std::uint64_t capacity_of(const Config& config, const drbd_metadata::Superblock& superblock) {
  if (config.placement != drbd_metadata::Placement::internal()) {
    const auto layout = drbd_metadata::layout(config.placement, config.backing_bytes, config.metadata_bytes,
                                              {.activity_log = superblock.shape()});
    return layout ? layout->usable_sectors : 0;
  }
  const std::int64_t superblock_sector =
      static_cast<std::int64_t>((config.backing_bytes / 512) & ~std::uint64_t{7}) - 8;
  const std::int64_t data_end = superblock_sector + superblock.bitmap_offset_sectors;
  return data_end > 0 ? static_cast<std::uint64_t>(data_end) : 0;
}

std::uint64_t Core::capacity_sectors() const { return capacity_of(config, superblock); }

bool Core::limited_by_metadata() const {
  return config.placement != drbd_metadata::Placement::internal() && capacity_sectors() < config.backing_bytes / 512;
}

std::uint64_t Core::superblock_offset() const {
  const bool internal = config.placement == drbd_metadata::Placement::internal();
  const auto offset =
      drbd_metadata::superblock_offset(config.placement, internal ? config.backing_bytes : config.metadata_bytes);
  BASCULE_ASSERT(offset);  // whoever read a superblock there knows
  return *offset;
}

std::uint64_t Core::size_limit_sectors() const {
  const std::uint64_t one = config.size_limit_bytes / 512;
  const std::uint64_t other = config.options.disk.size_sectors;
  return one == 0 || other == 0 ? std::max(one, other) : std::min(one, other);
}

void Core::set_size_limit_sectors(std::uint64_t sectors) {
  config.size_limit_bytes = 0;
  config.options.disk.size_sectors = sectors;
}

std::uint64_t Core::usable_sectors() const {
  const std::uint64_t limit = size_limit_sectors();
  return limit == 0 ? capacity_sectors() : std::min(capacity_sectors(), limit);
}

bool Core::lease_valid() const {
  if (canary_set(canary::kIgnoreLease)) return true;
  if (operator_rules()) return primary();
  return primary() && lease_epoch == epoch && now < lease_end;
}

/// Protocol facts, section 7, write, step 1.
bool Core::replicates() const {
  using enum ConnectionState;
  if (!session.open || dropping || !is_connected(connection) || connection == WFBitMapS || connection == Ahead)
    return false;
  if (peer.disk == DiskState::UpToDate) return true;
  return peer.disk >= DiskState::Inconsistent && peer.disk != DiskState::DUnknown && connection >= WFBitMapT &&
         connection < Ahead;
}

void Core::unlock(const Range& range) {
  const auto found = std::find_if(resync_reads.begin(), resync_reads.end(), [&](const Range& each) {
    return each.offset == range.offset && each.length == range.length;
  });
  if (found == resync_reads.end()) return;
  *found = resync_reads.back();
  resync_reads.pop_back();
}

bool Core::inside(const Range& range, std::uint64_t longest) const {
  return range.length != 0 && range.offset % 512 == 0 && range.length % 512 == 0 && range.length <= longest &&
         range.offset < size_bytes() && range.length <= size_bytes() - range.offset;
}

std::optional<Range> Core::range_of(std::uint64_t sector, std::uint64_t length, std::uint64_t longest) const {
  if (sector >= superblock.effective_sectors) return std::nullopt;
  const Range range{sector * 512, length};
  return inside(range, longest) ? std::optional(range) : std::nullopt;
}

drbd::StateWord Core::state_word() const {
  drbd::StateWord word;
  word.role = role;
  word.peer = peer.role;
  word.connection = connection;
  // Between the last block and the end of the resync the disk is not UpToDate for the peer.
  word.disk = is_syncing(connection) && is_target(connection) ? std::min(disk, DiskState::Inconsistent) : disk;
  word.peer_disk = peer.disk;
  word.resync_paused_by_user = resync_paused_user;
  word.resync_paused_by_peer = resync_paused_peer;
  word.resync_paused_by_dependency = resync_paused_dependency;
  word.suspended = suspended_user;
  word.suspended_no_data = suspended_no_data;
  word.suspended_fencing = suspended_fencing;
  return word;
}

}  // namespace bascule::replication::detail
