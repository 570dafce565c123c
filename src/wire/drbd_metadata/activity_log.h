#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/result.h"
#include "wire/drbd_metadata/layout.h"

namespace bascule::drbd_metadata {

inline constexpr std::uint32_t kActivityLogMagic = 0x69cb65a2;
inline constexpr std::uint32_t kFreeExtent = 0xffffffff;  ///< slot holds no extent
inline constexpr std::uint16_t kUnusedSlot = 0xffff;
inline constexpr std::size_t kUpdatesPerTransaction = 64;
inline constexpr std::size_t kContextPerTransaction = 919;

enum class TransactionType : std::uint16_t { Update = 0, Initialised = 0xffff };

struct SlotUpdate {
  std::uint16_t slot = kUnusedSlot;
  std::uint32_t extent = kFreeExtent;
  friend bool operator==(const SlotUpdate&, const SlotUpdate&) = default;
};

/// One 4096-byte block of the ring.
struct Transaction {
  TransactionType type = TransactionType::Update;
  std::uint32_t number = 0;              ///< +1 for each transaction, wraps
  std::vector<SlotUpdate> updates{};     ///< at most 64
  std::uint16_t slots = 0;               ///< context_size: number of slots in use by the log
  std::uint16_t context_first_slot = 0;  ///< where the window of `context` starts
  std::vector<std::uint32_t> context{};  ///< up to 919 extents; shorter is filled with kFreeExtent
  friend bool operator==(const Transaction&, const Transaction&) = default;
};

/// Errors say which field is wrong: size, magic, CRC (with both values), type, number of updates.
Result<Transaction> decode_transaction(ByteView block);
Bytes encode_transaction(const Transaction& transaction);

/// Which 4 KiB block of the ring (counted from its start) transaction `number` goes to.
std::uint64_t ring_block(std::uint32_t number, ActivityLogShape shape);

/// The most slots a ring can describe: 919 x (blocks - 1), at most 65534.
std::uint32_t max_slots(ActivityLogShape shape);

/// Which extent each slot holds, from the whole ring. Blocks with wrong magic or CRC are dropped; the rest is applied
/// in the order of their numbers (signed difference).
struct ReplayedLog {
  std::vector<std::uint32_t> slots{};    ///< slot -> extent or kFreeExtent
  std::vector<std::uint32_t> extents{};  ///< the hot extents, ascending, no duplicates
  std::uint32_t next_number = 0;         ///< number for the next transaction
  std::uint64_t dropped_blocks = 0;      ///< unreadable blocks
  std::uint64_t valid_updates = 0;       ///< blocks of type Update
};
/// `ring` is the whole ring. Errors: no valid block at all; length not the ring's.
Result<ReplayedLog> replay(ByteView ring, ActivityLogShape shape);

/// Sets the 1024 bits of each hot extent; returns how many bits were newly set. Extents past the end are ignored.
std::size_t mark_out_of_sync(Bitmap& bitmap, std::span<const std::uint32_t> extents);

}  // namespace bascule::drbd_metadata
