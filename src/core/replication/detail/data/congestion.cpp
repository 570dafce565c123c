#include "core/replication/detail/data/congestion.h"

#include "core/replication/detail/disk/generation.h"

namespace bascule::replication::detail {

using drbd_config::OnCongestion;

bool Congestion::check(std::uint64_t in_flight_bytes) {
  const drbd_config::Net& net = core_.config.options.net;
  if (net.on_congestion == OnCongestion::block || core_.connection != ConnectionState::Connected) return false;
  if (core_.disk != DiskState::UpToDate || core_.dropping) return false;
  const bool filled =
      net.congestion_fill_sectors != 0 && in_flight_bytes >= std::uint64_t{net.congestion_fill_sectors} * 512;
  if (!filled && activity_log_.used() < net.congestion_extents) return false;
  if (net.on_congestion == OnCongestion::disconnect)
    core_.drop(ConnectionState::Disconnecting, "congestion: the peer does not keep up", true);
  else
    pull_ahead();
  return true;
}

void Congestion::pull_ahead() {
  core_.become(ConnectionState::Ahead, "congestion: the peer does not keep up");
  if (core_.peer.disk > DiskState::Consistent) core_.peer.disk = DiskState::Consistent;
  back_at_.reset();
  version_.reset();
}

void Congestion::follow_peer() {
  if (core_.connection != ConnectionState::Connected || core_.dropping ||
      core_.peer.connection != ConnectionState::Ahead)
    return;
  core_.become(ConnectionState::Behind, "the peer went ahead");
  core_.peer.disk = DiskState::UpToDate;
  if (core_.disk > DiskState::Outdated) core_.become(DiskState::Outdated, "the peer went ahead");
  if (core_.disk_usable()) metadata_.superblock_changed();
}

void Congestion::go_back() {
  if (!version_) {
    begin_resync_as_source(core_);
    version_ = metadata_.superblock_changed();
    metadata_.write_all_bits();
  }
  if (!metadata_.superblock_durable(*version_)) return;
  if (!metadata_.bits_durable(0, core_.bitmap.size())) return metadata_.write_all_bits();
  core_.send_data(drbd::SyncUuid{core_.superblock.bitmap_uuid});
  core_.peer.disk = DiskState::Inconsistent;
  core_.become(ConnectionState::SyncSource, "the congestion is over");
  session_lost();
}

void Congestion::advance(bool nothing_in_flight) {
  follow_peer();
  if (core_.connection != ConnectionState::Ahead || core_.dropping) return;
  if (nothing_in_flight && !back_at_) back_at_ = core_.now + seconds(1);
  if (!nothing_in_flight) return;
  if (version_ || (back_at_ && *back_at_ <= core_.now)) go_back();
}

void Congestion::session_lost() {
  back_at_.reset();
  version_.reset();
}

}  // namespace bascule::replication::detail
