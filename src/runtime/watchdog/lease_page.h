#pragma once

#include <atomic>
#include <cstdint>

#include "base/time.h"

/// The one page through which a node's processes learn whether they may still act. bascule-watchdogd is the only
/// writer; bascule-blockd and others map the file RUN_DIR/lease read-only. Native byte order, one machine only.
namespace bascule::watchdog {

inline constexpr std::uint64_t lease_page_magic = 0x6261736c65617365;  // "baslease"
inline constexpr std::uint32_t lease_slots_max = 100;
inline constexpr std::uint32_t slot_name_max = 55;

/// One lease: "volume:data" or "service:shop". `sequence` is odd while the writer changes the slot.
struct LeaseSlot {
  char name[slot_name_max + 1];  ///< NUL-terminated, fixed after the page was made; empty = unused
  std::atomic<std::uint32_t> sequence;
  std::uint32_t reserved;
  std::atomic<std::uint64_t> epoch;
  std::atomic<std::int64_t> lease_end_ns;  ///< CLOCK_BOOTTIME; 0: none
};

struct LeasePage {
  std::uint64_t magic;
  std::uint32_t slot_count;
  std::uint32_t boot_tag;  ///< of the start of this machine: a page from before a reboot is not read on
  LeaseSlot slots[lease_slots_max];
};

static_assert(sizeof(LeasePage) <= 8192);
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

struct Lease {
  std::uint64_t epoch = 0;
  Instant end{};  ///< the holder may act strictly before this moment
};

/// A consistent copy of a slot. Retries while the writer is in it, but not forever: a writer that was frozen or killed
/// there leaves the slot without a lease.
[[nodiscard]] Lease read_slot(const LeaseSlot& slot);
/// Only bascule-watchdogd calls this.
void write_slot(LeaseSlot& slot, Lease lease);

/// What bascule-managerd sends to RUN_DIR/watchdog.sock (SOCK_SEQPACKET): one or more of these per datagram. The newest
/// for a slot wins; an epoch below the slot's is ignored.
struct LeaseUpdate {
  enum class Kind : std::uint32_t {
    grant = 1,      ///< the lease of `epoch` lasts until `lease_end_ns`; arms the slot
    release = 2,    ///< nothing of this epoch runs here any more: disarms the slot, closes the addresses at once
    configure = 3,  ///< the configuration file says something else: read it again; no slot, no epoch
  };
  std::uint64_t magic;  ///< lease_page_magic
  Kind kind;
  std::uint32_t reserved;
  char name[slot_name_max + 1];
  std::uint64_t epoch;
  std::int64_t lease_end_ns;
};

inline constexpr std::size_t lease_updates_max = 32;  ///< in one datagram

}  // namespace bascule::watchdog
