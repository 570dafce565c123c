#pragma once

#include <optional>
#include <string>

#include "core/replication/detail/disk/metadata_move.h"

namespace bascule::replication::detail {

/// What the size of the device follows from. Sectors.
struct SizeFacts {
  std::uint64_t own_capacity = 0;   ///< what the own backing device can hold; 0: no disk
  std::uint64_t peer_capacity = 0;  ///< d_size of the peer; 0: no disk, or not known
  std::uint64_t limit = 0;          ///< by the user; 0: none
  std::uint64_t last_agreed = 0;    ///< 0: never
};

/// The smaller of the two backing devices; with one side unknown the size last agreed on, as far as it fits; cut to the
/// limit (model facts, section 9).
std::uint64_t device_size(const SizeFacts& facts);

/// The size of the device: what P_SIZES say about it at connect and later, and what the operator wants. The size on
/// disk grows when the bits of the new area are there, and never before the metadata are out of its way.
///
/// A resize: Idle -> Moving (the metadata, if the disk has grown) -> Asking (the peer, if there is one) -> answered
class Sizes {
 public:
  Sizes(Core& core, Metadata& metadata, MetadataMove& move) : core_(core), metadata_(metadata), move_(move) {}

  /// `ask`: the peer is to answer with its own.
  [[nodiscard]] drbd::Sizes to_send(bool ask = false, std::uint16_t flags = 0);
  /// Why the two do not fit together (empty: they do). Takes what fits; what comes while the metadata move waits.
  [[nodiscard]] std::string received(const drbd::Sizes& packet);
  /// Answered once, now or later.
  void resize(const input::Resize& wanted);
  /// As received(): what had to wait.
  [[nodiscard]] std::string advance();

  /// The peer is to be asked for its size with these flags; once.
  [[nodiscard]] std::optional<std::uint16_t> take_question() { return std::exchange(question_, std::nullopt); }
  /// Both devices have grown while connected, and the new area is to be resynced; once.
  [[nodiscard]] bool take_new_area() { return std::exchange(new_area_, false); }
  void session_began();

 private:
  enum class Phase : std::uint8_t { Idle, Moving, Asking };
  struct Refusal {
    drbd::StateChangeResult result = drbd::StateChangeResult::Success;
    std::string why;  ///< empty: it is allowed
  };

  [[nodiscard]] SizeFacts facts() const;
  [[nodiscard]] std::string taken(const drbd::Sizes& packet);
  [[nodiscard]] std::string received_with_disk(const drbd::Sizes& packet);
  [[nodiscard]] std::string received_diskless(const drbd::Sizes& packet);
  void take_limit(const drbd::Sizes& packet);
  void take(std::uint64_t sectors, bool assume_clean);
  void answer_peer();
  void announce();

  [[nodiscard]] Refusal not_now() const;
  [[nodiscard]] Refusal not_so(std::uint64_t size) const;
  void decide();
  void finish();
  [[nodiscard]] std::string outcome() const;
  [[nodiscard]] std::string room_text(std::uint64_t sectors) const;

  Core& core_;
  Metadata& metadata_;
  MetadataMove& move_;
  Phase phase_ = Phase::Idle;
  input::Resize command_{};        ///< unless Idle
  std::uint64_t size_before_ = 0;  ///< of the command: sectors
  std::uint32_t asked_in_ = 0;     ///< number of the session in which the peer is Asking
  std::optional<std::uint16_t> question_;
  std::optional<drbd::Sizes> held_;  ///< of the peer, while the metadata move
  std::uint64_t told_capacity_ = 0;  ///< what the peer has last been told of the own disk
  struct Heard {
    std::uint64_t peer_sectors;  ///< the size of its device
    std::uint16_t flags;
    bool grown;  ///< our device has grown by it
  };
  std::optional<Heard> heard_;  ///< P_SIZES of an established connection, to be answered when our size is on disk
  bool new_area_ = false;
};

}  // namespace bascule::replication::detail
