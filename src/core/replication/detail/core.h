#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bitmap.h"
#include "base/prng.h"
#include "core/replication/canary.h"
#include "core/replication/detail/data/range_order.h"
#include "core/replication/detail/state/states.h"
#include "core/replication/engine.h"
#include "wire/drbd/uuid_compare.h"
#include "wire/drbd_metadata/layout.h"
#include "wire/drbd_metadata/superblock.h"

namespace bascule::replication::detail {

using input::SocketId;

inline constexpr std::uint64_t block_bytes = drbd_metadata::kBlockBytes;  ///< of one bit of the bitmap

/// Which machine started an operation; the top byte of its OperationId. The rest is that machine's own.
enum class Owner : std::uint8_t {
  Superblock = 1,
  BitmapPages,
  ActivityLog,
  LocalWrite,
  LocalRead,
  LocalFlush,
  PeerWrite,
  PeerFlush,
  ResyncRead,
  ResyncFlush,
  ServedRead,  ///< a read for the peer's application
  ResyncChecksum,
  VerifyRead,
  VerifyReplyRead,
  MetadataMove,
};
constexpr OperationId operation_of(Owner owner, std::uint64_t rest) {
  return (static_cast<std::uint64_t>(owner) << 56) | rest;
}
constexpr Owner owner_of(OperationId operation) { return static_cast<Owner>(operation >> 56); }
constexpr std::uint64_t rest_of(OperationId operation) { return operation & ((1ULL << 56) - 1); }

/// What the peer last said about itself.
struct PeerView {
  Role role = Role::Unknown;
  DiskState disk = DiskState::DUnknown;
  ConnectionState connection = ConnectionState::StandAlone;
  bool attaching = false;  ///< its last state said Negotiating; `disk` is what that stands for
  drbd::UuidSet uuids;
  std::uint64_t uuid_flags = 0;
  std::uint64_t dirty_bits = 0;
  std::uint32_t connection_flags = 0;                 ///< connection_flag::* of its P_PROTOCOL
  std::uint64_t capacity_sectors = 0;                 ///< what its disk could hold; 0: it has none
  std::uint32_t max_bio_bytes = drbd::kMaxDataBytes;  ///< the largest write or read that suits it
  std::uint64_t states_heard = 0;                     ///< how many P_STATE of this session
};

/// What the operator asked of the next handshake; over when one has succeeded.
struct ConnectWish {
  bool discard_my_data = false;
  bool tentative = false;
};

/// The in-sync set as far as this node knows it.
struct InSyncSet {
  bool known = false;
  std::uint64_t version = 0;
  bool self = false;
  bool peer = false;
  bool grow_requested = false;  ///< since `version`: the peer counts as a member until a later version arrives
  bool absent = false;          ///< Authority::Operator: there is no set, the rules of DRBD hold

  /// Unknown counts as member: what is not known to be safe is held.
  [[nodiscard]] bool peer_counts() const { return !absent && (!known || peer || grow_requested); }
};

/// The pair of sockets while there is one.
struct Session {
  bool open = false;
  SocketId data = 0;
  SocketId meta = 0;
  bool resolve_conflicts = false;  ///< we accepted the meta socket
  std::uint32_t agreed_version = 0;
  std::uint32_t number = 0;         ///< counts sessions
  std::uint32_t sequence = 0;       ///< of the last Data or BlockAck that went out
  std::uint32_t peer_sequence = 0;  ///< the highest one seen of the peer, on either socket
  Instant meta_heard{};             ///< last packet on either socket
  std::uint32_t feature_flags = 0;  ///< agreed
  std::uint64_t pings_sent = 0;
  std::uint64_t pings_answered = 0;
};

/// Facts that all machines of the engine share, and the way out for effects. Machines change facts only through the
/// functions here, so that each change is checked against the tables and told once.
class Core {
 public:
  Core(const Config& config, const drbd_metadata::Superblock& superblock, Instant now);

  // -- effects
  template <typename Kind>
  void emit(Kind effect) {
    effects->emplace_back(std::move(effect));
  }
  void event(const char* kind, std::string text);
  /// On the data (meta) socket of the open session; nothing is sent without one.
  void send_data(drbd::Packet packet, BufferId buffer = 0);
  void send_meta(drbd::Packet packet);
  /// An answer about one block; it takes the next number of the sequence that Data and acks share.
  void send_ack(drbd::BlockAck::Kind kind, const Range& range, drbd::BlockId block_id);
  void release(BufferId buffer);
  /// A buffer of the engine's own.
  BufferId take_buffer(std::uint32_t length, bool zeroed = false);
  void complete(RequestId request, int error_number);
  /// Answers a command of the operator; nothing if nobody waits (id 0).
  void answer(CommandId command, drbd::StateChangeResult result, std::string reason = {});

  // -- state changes
  void become(ConnectionState next, const std::string& reason);
  void become(DiskState next, const std::string& reason);
  void changed() {
    status_changed = true;
    ++changes;
  }
  /// Ends the session at the end of this step; the first reason given wins.
  void drop(ConnectionState why, std::string reason, bool refuse = false);

  // -- questions
  /// The peer is a Primary without a disk and writes to this node's: a crash here is the crash of a primary.
  [[nodiscard]] bool holds_only_copy() const {
    return disk_usable() && session.open && is_connected(connection) && peer.role == Role::Primary &&
           peer.disk < DiskState::Inconsistent;
  }
  /// The peer has got a disk, and this node has not compared its generations yet: what it writes does not go there.
  [[nodiscard]] bool peer_disk_undecided() const {
    return session.open && connection == ConnectionState::Connected && peer.attaching;
  }
  /// The disk, seen through Negotiating.
  [[nodiscard]] DiskState own_disk() const { return disk == DiskState::Negotiating ? remembered_disk : disk; }
  [[nodiscard]] bool primary() const { return role == Role::Primary; }
  [[nodiscard]] bool canary_set(std::uint32_t bit) const { return (config.canaries & bit) != 0; }
  [[nodiscard]] bool just_created() const { return superblock.current_uuid == drbd::kUuidJustCreated; }
  /// Was what applications of this node last saw of this generation? Also true when nothing is known of it.
  [[nodiscard]] bool was_exposed(std::uint64_t current_uuid) const {
    return exposed_uuid == 0 || ((exposed_uuid ^ current_uuid) & ~drbd::kUuidPrimaryBit) == 0;
  }
  [[nodiscard]] bool disk_usable() const { return disk >= DiskState::Inconsistent; }
  [[nodiscard]] bool metadata_writable() const {
    return disk_usable() || disk == DiskState::Attaching || disk == DiskState::Negotiating;
  }
  [[nodiscard]] std::uint64_t size_bytes() const { return superblock.effective_sectors * 512; }
  /// Sectors of the data area.
  [[nodiscard]] std::uint64_t capacity_sectors() const;
  /// It could be larger if the device with the external metadata were.
  [[nodiscard]] bool limited_by_metadata() const;
  /// From the start of the device that holds the metadata.
  [[nodiscard]] std::uint64_t superblock_offset() const;
  /// The configured size; 0: none.
  [[nodiscard]] std::uint64_t size_limit_sectors() const;
  void set_size_limit_sectors(std::uint64_t sectors);
  /// Sectors that this node could export: the data area, cut to the configured size.
  [[nodiscard]] std::uint64_t usable_sectors() const;
  /// Under Authority::Operator a Primary needs none.
  [[nodiscard]] bool lease_valid() const;
  /// DRBD's own rules hold, and the person at the console: no lease, no in-sync set.
  [[nodiscard]] bool operator_rules() const { return config.authority == Authority::Operator; }
  /// The replication parameters are still being exchanged: no state change before that is over.
  [[nodiscard]] bool handshaking() const { return session.open && connection < ConnectionState::Connected; }
  /// The peer has everything that is acknowledged: connected, UpToDate, nothing to resync.
  [[nodiscard]] bool peer_in_step() const {
    return connection == ConnectionState::Connected && peer.disk == DiskState::UpToDate;
  }
  /// This node's own disk keeps what is written here. One that is behind does not: its resync will undo the write.
  [[nodiscard]] bool keeps_own_copy() const { return disk == DiskState::UpToDate; }
  /// Is a write sent to the peer now?
  [[nodiscard]] bool replicates() const;
  /// The peer's disk can answer reads, and is enough for writes: it has the data as the application knows it.
  [[nodiscard]] bool peer_has_data() const {
    return session.open && !dropping && is_connected(connection) && peer.disk == DiskState::UpToDate;
  }
  /// DRBD refuses writes when neither disk is UpToDate.
  /// With Authority::Cluster only this node's own replica counts: the in-sync set knows no diskless owner.
  [[nodiscard]] bool may_write() const {
    return disk == DiskState::UpToDate || (config.authority == Authority::Operator && peer_has_data());
  }
  /// md-flushes; the in-sync set counts on what is on disk, whatever the option.
  [[nodiscard]] bool flushes_metadata() const {
    return config.authority == Authority::Cluster || config.options.disk.md_flushes;
  }
  /// Both nodes may be Primary at once.
  [[nodiscard]] bool two_primaries() const {
    return config.options.net.allow_two_primaries && config.options.net.protocol == drbd_config::Protocol::C;
  }
  /// A number of the peer's sequence was seen, on either socket.
  void see_sequence(std::uint32_t sequence) {
    if (static_cast<std::int32_t>(sequence - session.peer_sequence) > 0) session.peer_sequence = sequence;
  }
  /// Requests wait: the operator said so, no data is reachable, or a fencing handler runs.
  [[nodiscard]] bool suspended() const { return suspended_user || suspended_no_data || suspended_fencing || detaching; }
  [[nodiscard]] bool agreed(std::uint32_t feature) const { return (session.feature_flags & feature) != 0; }
  [[nodiscard]] bool inside(const Range& range, std::uint64_t longest = drbd::kMaxDataBytes) const;
  /// What a packet names, if it lies in the device and is no longer than that.
  [[nodiscard]] std::optional<Range> range_of(std::uint64_t sector, std::uint64_t length,
                                              std::uint64_t longest = drbd::kMaxDataBytes) const;

  [[nodiscard]] drbd::StateWord state_word() const;

  // -- for resync and verify
  /// New application writes to a locked range wait; those already started are for the locker to look after.
  void lock(const Range& range) { resync_reads.push_back(range); }
  void unlock(const Range& range);

  Config config;
  Prng prng;
  Instant now;
  Effects* effects = nullptr;

  drbd_metadata::Superblock superblock;  ///< as it shall be on disk; Metadata writes it
  Bitmap bitmap;                         ///< 1 is out of sync; changed through Metadata only
  bool crashed_primary = false;
  bool wrote_for_primary = false;  ///< holds_only_copy(), or did until the bits of that time are on disk
  bool superblock_held = false;    ///< attach: not before the bits, which it says are there, are on disk
  DiskState remembered_disk = DiskState::Diskless;  ///< what the metadata say; of use while the disk is Negotiating
  std::uint64_t exposed_uuid = 0;                   ///< generation of the data that this node last offered or had
  bool wrote_without_disk = false;                  ///< as a Primary, since this node had a disk of its own
  std::uint64_t told_dirty_bits = 0;  ///< our part of the last Uuids: both sides decide by the same numbers

  Role role = Role::Secondary;
  bool serving = false;  ///< primary, and the promotion is durable
  std::uint64_t epoch = 0;
  bool failing_io = false;
  bool suspended_user = false, suspended_no_data = false, suspended_fencing = false;
  DiskState disk = DiskState::Attaching;
  ConnectionState connection = ConnectionState::Unconnected;
  PeerView peer;
  Session session;
  InSyncSet in_sync;
  /// A larger device is used when its size is on disk, and the peer has it too: what is written there is lost
  /// otherwise.
  [[nodiscard]] bool growing() const { return growing_on_disk || growing_at_peer || new_area_source; }
  bool growing_on_disk = false;
  bool growing_at_peer = false;
  bool only_measured = false;  ///< this step's input: what comes next may be the reason, and say more of the sizes
  bool new_area_source =
      false;  ///< Connected, and about to be SyncSource: no bitmaps tell the target what is written now
  bool metadata_held = false;     ///< the metadata move: nothing of them is written at the old place any more
  bool gave_up_new_disk = false;  ///< in this session: what the peer still says about it comes late
  std::string disk_failure;       ///< why this node gave its disk up last
  bool detaching = false;         ///< requests wait until the disk is gone
  bool wants_connection = true;   ///< the operator has not asked to disconnect
  ConnectWish wish;
  std::uint64_t lease_epoch = 0;
  Instant lease_end{};
  std::string why;

  /// What the application writes, by serial number, until it is on every disk it is going to.
  RangeOrder own_ranges;
  /// What the peer writes here, until it is on the disk.
  RangeOrder peer_ranges;
  std::uint64_t peer_barriers = 0;       ///< that the peer has sent
  std::uint64_t peer_barriers_done = 0;  ///< obeyed, or of a session that is over
  /// Ranges that resync or verify reads or replaces: a new write of an application waits. lock() and unlock().
  std::vector<Range> resync_reads;
  /// Who holds the resync back: user_isp, peer_isp, aftr_isp.
  bool resync_paused_user = false;
  bool resync_paused_peer = false;
  bool resync_paused_dependency = false;
  [[nodiscard]] bool resync_paused() const {
    return resync_paused_user || resync_paused_peer || resync_paused_dependency;
  }
  /// A resync ended with blocks that could not be read: it is not tried again before.
  Instant resync_retry_at = never;
  std::optional<Instant> application_io_at;  ///< when an application, here or there, last asked for something

  bool status_changed = false;
  std::uint64_t changes = 0;
  struct Drop {
    ConnectionState why;
    std::string reason;
    bool refuse;
  };
  std::optional<Drop> dropping;
  std::uint64_t writes_acknowledged = 0;
  Statistics statistics;  ///< the counters; what is pending is asked of the machines
  BufferId next_buffer = kEngineBufferBit;
};

/// Sectors that these devices leave for data, with the metadata of this superblock.
[[nodiscard]] std::uint64_t capacity_of(const Config& config, const drbd_metadata::Superblock& superblock);

}  // namespace bascule::replication::detail
