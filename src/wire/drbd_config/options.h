#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

/// The options of a DRBD 8.4 resource as values, under DRBD's names, units and defaults (drbd.conf(5), model facts
/// section 10). Tenths of a second end in `_ds`. Read from drbd.conf, cluster.toml and the command line alike.
namespace bascule::drbd_config {

enum class Protocol : std::uint8_t { A = 1, B = 2, C = 3 };
enum class AfterSplitBrain0 : std::uint8_t {
  disconnect,
  discard_younger_primary,
  discard_older_primary,
  discard_zero_changes,
  discard_least_changes,
  discard_local,
  discard_remote,
};
enum class AfterSplitBrain1 : std::uint8_t {
  disconnect,
  consensus,
  discard_secondary,
  call_pri_lost_after_sb,
  violently_as0p,
};
enum class AfterSplitBrain2 : std::uint8_t { disconnect, call_pri_lost_after_sb, violently_as0p };
enum class ResyncRoleConflict : std::uint8_t { disconnect, call_pri_lost, violently };
enum class OnCongestion : std::uint8_t { block, pull_ahead, disconnect };
enum class Fencing : std::uint8_t { dont_care, resource_only, resource_and_stonith };
enum class OnIoError : std::uint8_t { pass_on, call_local_io_error, detach };
enum class OnNoDataAccessible : std::uint8_t { io_error, suspend_io };
enum class ReadBalancing : std::uint8_t {
  prefer_local,
  prefer_remote,
  round_robin,
  least_pending,
  when_congested_remote,
  striping_32k,
  striping_64k,
  striping_128k,
  striping_256k,
  striping_512k,
  striping_1m,
};

/// net { }: must be equal on both nodes where DRBD's handshake compares them.
struct Net {
  Protocol protocol = Protocol::C;
  AfterSplitBrain0 after_sb_0pri = AfterSplitBrain0::disconnect;
  AfterSplitBrain1 after_sb_1pri = AfterSplitBrain1::disconnect;
  AfterSplitBrain2 after_sb_2pri = AfterSplitBrain2::disconnect;
  bool always_asbp = false;
  ResyncRoleConflict rr_conflict = ResyncRoleConflict::disconnect;
  bool allow_two_primaries = false;
  std::string cram_hmac_alg;       ///< empty: no authentication
  std::string shared_secret;       ///< at most 64 characters
  std::string data_integrity_alg;  ///< empty: none
  std::string verify_alg;          ///< empty: no online verify
  std::string csums_alg;           ///< empty: no checksum-based resync
  bool csums_after_crash_only = false;
  std::uint32_t timeout_ds = 60;
  std::uint32_t ko_count = 7;
  std::uint32_t ping_int_s = 10;
  std::uint32_t ping_timeout_ds = 5;
  std::uint32_t connect_int_s = 10;
  std::uint32_t socket_check_timeout_ds = 0;  ///< 0: ping_timeout_ds
  std::uint32_t max_buffers = 2048;           ///< pages of 4 KiB
  std::uint32_t max_epoch_size = 2048;        ///< writes
  std::uint32_t sndbuf_size = 0;              ///< bytes, 0: the system's choice
  std::uint32_t rcvbuf_size = 0;
  bool tcp_cork = true;
  bool use_rle = true;
  OnCongestion on_congestion = OnCongestion::block;
  std::uint32_t congestion_fill_sectors = 0;  ///< 0: not looked at
  std::uint32_t congestion_extents = 1237;
  std::uint32_t unplug_watermark = 128;  ///< accepted and unused, as by the kernel today
  friend bool operator==(const Net&, const Net&) = default;
};

/// disk { }
struct Disk {
  std::uint64_t size_sectors = 0;  ///< limit by the user, 0: none
  OnIoError on_io_error = OnIoError::detach;
  Fencing fencing = Fencing::dont_care;
  ReadBalancing read_balancing = ReadBalancing::prefer_local;
  bool disk_barrier = false;
  bool disk_flushes = true;
  bool disk_drain = true;
  bool md_flushes = true;
  std::uint32_t al_extents = 1237;
  bool al_updates = true;
  std::uint32_t disk_timeout_ds = 0;          ///< 0: off
  std::uint32_t resync_rate_kib_per_s = 250;  ///< start, or fixed when c_plan_ahead_ds is 0
  std::int32_t resync_after_minor = -1;       ///< -1: none
  std::uint32_t c_plan_ahead_ds = 20;         ///< 0: fixed rate
  std::uint32_t c_delay_target_ds = 10;
  std::uint32_t c_fill_target_sectors = 100;  ///< 0: c_delay_target_ds decides
  std::uint32_t c_max_rate_kib_per_s = 102400;
  std::uint32_t c_min_rate_kib_per_s = 250;  ///< 0: application I/O never throttles the resync
  bool discard_zeroes_if_aligned = true;
  bool disable_write_same = false;
  std::uint32_t rs_discard_granularity_bytes = 0;  ///< 0: no thin resync
  std::uint32_t max_bio_bvecs = 0;                 ///< obsolete, accepted
  friend bool operator==(const Disk&, const Disk&) = default;
};

/// options { }
struct ResourceOptions {
  OnNoDataAccessible on_no_data_accessible = OnNoDataAccessible::io_error;
  std::string cpu_mask;
  friend bool operator==(const ResourceOptions&, const ResourceOptions&) = default;
};

/// All options of one volume with one peer. `handlers`: name of the event -> command line, as written.
struct Options {
  Net net;
  Disk disk;
  ResourceOptions resource;
  std::map<std::string, std::string> handlers;
  friend bool operator==(const Options&, const Options&) = default;
};

}  // namespace bascule::drbd_config
