#include "core/replication/detail/resync/bitmap_exchange.h"

#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {
namespace {

constexpr std::size_t header_bytes = 16;
constexpr Duration patience = seconds(30);  ///< without a packet of the exchange

}  // namespace

BitmapExchange::BitmapExchange(Core& core, Metadata& metadata, Handshake& handshake)
    : core_(core), metadata_(metadata), handshake_(handshake) {}

void BitmapExchange::begin(const Verdict& verdict) {
  if (verdict.full) metadata_.mark_all_out_of_sync();
  receiver_.emplace(core_.bitmap, header_bytes);
  durable_version_.reset();
  until_ = core_.now + patience;
  if (verdict.kind == Verdict::Kind::Source) {
    if (core_.peer.disk > DiskState::Consistent) core_.peer.disk = DiskState::Consistent;
    core_.become(ConnectionState::WFBitMapS, verdict.text);
    handshake_.send_state_if_changed();
    send_bitmap();
    return;
  }
  disk_before_ = core_.disk;
  core_.peer.disk = DiskState::UpToDate;
  core_.become(ConnectionState::WFBitMapT, verdict.text);
  if (core_.disk > DiskState::Outdated) core_.become(DiskState::Outdated, "about to be resynced");
}

void BitmapExchange::begin_full(bool as_source) {
  durable_version_.reset();
  expects_full_ = false;
  receiver_.reset();
  until_ = core_.now + patience;
  if (as_source) {
    early_uuid_.reset();
    if (core_.peer.disk > DiskState::Consistent) core_.peer.disk = DiskState::Consistent;
    core_.become(ConnectionState::StartingSyncS, "every block is to be sent");
  } else {
    disk_before_ = core_.disk;
    core_.peer.disk = DiskState::UpToDate;
    core_.become(ConnectionState::StartingSyncT, "every block is to be replaced");
    if (core_.disk > DiskState::Outdated) core_.become(DiskState::Outdated, "about to be resynced");
  }
  metadata_.mark_all_out_of_sync();
  metadata_.write_all_bits();
}

/// The bits are durable before anything else follows from them.
void BitmapExchange::advance_full() {
  const bool starting =
      core_.connection == ConnectionState::StartingSyncS || core_.connection == ConnectionState::StartingSyncT;
  if (!starting || durable_version_ || !metadata_.bits_durable(0, core_.bitmap.size())) return;
  if (core_.connection == ConnectionState::StartingSyncS) {
    begin_resync_as_source(core_);
    durable_version_ = metadata_.superblock_changed();
    return;
  }
  core_.become(ConnectionState::WFSyncUUID, "every bit is set");
  if (const auto uuid = std::exchange(early_uuid_, std::nullopt)) (void)sync_uuid(*uuid);
}

void BitmapExchange::begin_on_new_area(bool source) {
  until_ = core_.now + patience;
  durable_version_.reset();
  if (source) {
    core_.new_area_source = true;
    begin_resync_as_source(core_);
    durable_version_ = metadata_.superblock_changed();
    return;
  }
  disk_before_ = core_.disk;
  core_.become(ConnectionState::WFSyncUUID, "the new area of the device is resynced");
  if (core_.disk > DiskState::Outdated) core_.become(DiskState::Outdated, "about to be resynced");
}

void BitmapExchange::send_bitmap() {
  drbd::BitmapSender sender(core_.bitmap, header_bytes, core_.config.options.net.use_rle);
  while (!sender.done()) std::visit([&](auto&& chunk) { core_.send_data(std::move(chunk)); }, sender.next());
}

bool BitmapExchange::bitmap(const drbd::Packet& packet) {
  const bool expected =
      core_.connection == ConnectionState::WFBitMapS || core_.connection == ConnectionState::WFBitMapT;
  if (!expected || !receiver_ || receiver_->done()) return false;
  until_ = core_.now + patience;
  const auto* plain = std::get_if<drbd::BitmapChunk>(&packet);
  const Result<void> added =
      plain != nullptr ? receiver_->add(*plain) : receiver_->add(std::get<drbd::CompressedBitmap>(packet));
  if (!added) {
    core_.why = added.error().text();
    return false;
  }
  if (receiver_->done()) bitmap_complete();
  return true;
}

void BitmapExchange::bitmap_complete() {
  metadata_.all_bits_changed();
  metadata_.write_all_bits();
  if (core_.connection == ConnectionState::WFBitMapT) {
    send_bitmap();
    core_.become(ConnectionState::WFSyncUUID, "both bitmaps are exchanged");
    return;
  }
  begin_resync_as_source(core_);
  durable_version_ = metadata_.superblock_changed();
}

bool BitmapExchange::sync_uuid(const drbd::SyncUuid& packet) {
  const bool asked = expects_full_ && core_.connection == ConnectionState::Connected;
  if (core_.connection == ConnectionState::StartingSyncT || asked) {
    early_uuid_ = packet;
    return true;
  }
  const bool expected = core_.connection == ConnectionState::WFSyncUUID || core_.connection == ConnectionState::Behind;
  if (!expected || durable_version_ || !core_.disk_usable()) return false;
  disk_before_.reset();
  core_.become(DiskState::Inconsistent, "the resync begins");
  begin_resync_as_target(core_, packet.uuid);
  // From here on the disk is neither what it was nor what it will be, and has to say so first.
  core_.superblock.flags &= ~(drbd_metadata::flag::kConsistent | drbd_metadata::flag::kWasUpToDate);
  durable_version_ = metadata_.superblock_changed();
  return true;
}

/// The peer wrote without telling what: it is Ahead, or about to exchange bitmaps.
bool BitmapExchange::out_of_sync(const drbd::OutOfSync& packet) {
  const auto range = core_.range_of(packet.sector, packet.size_bytes);
  const bool expected = core_.connection == ConnectionState::WFBitMapT ||
                        core_.connection == ConnectionState::WFSyncUUID || core_.connection == ConnectionState::Behind;
  if (!expected || !range) return false;
  metadata_.mark_out_of_sync(*range);
  return true;
}

void BitmapExchange::advance() {
  advance_full();
  if (!durable_version_ || !metadata_.superblock_durable(*durable_version_)) return;
  if (core_.connection == ConnectionState::WFBitMapS || core_.connection == ConnectionState::StartingSyncS ||
      core_.new_area_source) {
    // The target's bits must survive our crash: nobody else will have them.
    if (!metadata_.bits_durable(0, core_.bitmap.size())) return metadata_.write_all_bits();
    core_.send_data(drbd::SyncUuid{core_.superblock.bitmap_uuid});
    core_.peer.disk = DiskState::Inconsistent;
    core_.become(ConnectionState::SyncSource, "the new bitmap UUID is on disk");
    core_.new_area_source = false;
  } else if (core_.connection == ConnectionState::WFSyncUUID || core_.connection == ConnectionState::Behind) {
    core_.become(ConnectionState::SyncTarget, "this disk is marked Inconsistent");
  }
  durable_version_.reset();
  receiver_.reset();
  until_ = never;
}

void BitmapExchange::session_lost() {
  // Nothing has been replaced yet: the disk is what it was.
  if (disk_before_ && core_.disk == DiskState::Outdated) core_.become(*disk_before_, "the resync did not begin");
  disk_before_.reset();
  durable_version_.reset();
  early_uuid_.reset();
  expects_full_ = false;
  receiver_.reset();
  core_.new_area_source = false;
  until_ = never;
}

void BitmapExchange::tick() {
  if (until_ <= core_.now) core_.drop(ConnectionState::Timeout, "the bitmap exchange does not go on");
}

}  // namespace bascule::replication::detail
