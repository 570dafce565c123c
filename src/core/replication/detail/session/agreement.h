#pragma once

#include "core/replication/detail/resync/bitmap_exchange.h"
#include "core/replication/detail/state/membership.h"
#include "core/replication/detail/state/state_changes.h"

namespace bascule::replication::detail {

/// Acts on what the two nodes told each other: Connected, a resync, or refused. It decides when a handshake is
/// complete, and again while Connected when a disk comes to one of them (Negotiating), when one of two empty replicas
/// becomes the first UpToDate one, and when the peer begins a resync (model facts, section 4: "When is it evaluated").
class Agreement {
 public:
  Agreement(Core& core, Metadata& metadata, Handshake& handshake, BitmapExchange& exchange, Membership& membership,
            const StateChanges& state_changes);

  /// Compare again at the next chance while Connected: this node's disk has come or was forced to be UpToDate.
  void reconsider() { asked_ = true; }
  /// The peer's state has come in.
  void peer_state_received();
  void session_lost();
  /// What a Primary without a disk has written here is durable, or the superblock said so when it was promised less:
  /// the write of the superblock that ends that time flushes the data first. Without a session; no new one before.
  [[nodiscard]] bool settled() const;
  void advance();
  void tick();
  [[nodiscard]] Instant deadline() const { return until_; }

  /// `drbdadm new-current-uuid`: a new generation by hand, while StandAlone; with `clear_bitmap` also of two Connected
  /// new replicas, which then need no first resync. Why not; empty: done.
  [[nodiscard]] std::string new_current_uuid(bool clear_bitmap);

 private:
  [[nodiscard]] bool due();
  void act_on(const Verdict& verdict);
  void refuse(const Verdict& verdict);
  void refuse_new_disk(const Verdict& verdict);
  void give_up_new_disk(std::string why);
  void begin_negotiation();
  [[nodiscard]] bool would_lose_writes(const Verdict& verdict) const;
  void connect_without_sync(const Verdict& verdict);
  void disk_is_known(const Verdict& verdict);
  void begin_generation();
  void take_for_equal();
  void note_exposed_generation();
  void note_only_copy();

  Core& core_;
  Metadata& metadata_;
  Handshake& handshake_;
  BitmapExchange& exchange_;
  Membership& membership_;
  const StateChanges& state_changes_;
  bool asked_ = false;
  bool negotiating_ = false;           ///< the peer has been told of the new disk
  Instant until_ = never;              ///< when its answer must be there
  std::uint64_t settled_version_ = 0;  ///< of the superblock that tells who has the only copy
  bool both_inconsistent_ = false;     ///< in this session, while Connected
};

}  // namespace bascule::replication::detail
