#pragma once

#include <string>

#include "core/replication/detail/metadata.h"

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
/// disk grows when the bits of the new area are there.
class Sizes {
 public:
  Sizes(Core& core, Metadata& metadata) : core_(core), metadata_(metadata) {}

  /// `ask`: the peer is to answer with its own.
  [[nodiscard]] drbd::Sizes to_send(bool ask = false, std::uint16_t flags = 0) const;
  /// Why the two do not fit together (empty: they do). Takes what fits.
  [[nodiscard]] std::string received(const drbd::Sizes& packet);
  /// The size that input::Resize asks for, or why not.
  [[nodiscard]] std::string resize(const input::Resize& wanted);

  /// Both devices have grown while connected, and the new area is to be resynced; once.
  [[nodiscard]] bool take_new_area() { return std::exchange(new_area_, false); }
  void session_began() { asked_ = new_area_ = false; }

 private:
  [[nodiscard]] SizeFacts facts() const;
  [[nodiscard]] std::string received_with_disk(const drbd::Sizes& packet);
  [[nodiscard]] std::string received_diskless(const drbd::Sizes& packet);
  [[nodiscard]] std::string move_metadata(std::uint64_t backing_bytes) const;
  void take_limit(const drbd::Sizes& packet);
  void take(std::uint64_t sectors, bool assume_clean);
  void after_growth(bool grown, const drbd::Sizes& packet);

  Core& core_;
  Metadata& metadata_;
  bool asked_ = false;  ///< our resize has been sent, and the peer's answer is to come
  bool new_area_ = false;
};

}  // namespace bascule::replication::detail
