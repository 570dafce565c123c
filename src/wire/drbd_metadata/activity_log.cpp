#include "wire/drbd_metadata/activity_log.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"
#include "base/crc32c.h"

namespace bascule::drbd_metadata {
namespace {

constexpr std::size_t kCrcOffset = 8;
constexpr std::size_t kReservedBytes = 16;
constexpr std::uint32_t kMaxSlots = 65534;

tl::unexpected<Error> wrong_field(const char* field, std::string why) {
  return fail("activity log block is wrong", field, std::move(why));
}

/// Castagnoli from 0 without a final inversion, the CRC field counted as zero.
std::uint32_t crc_of(ByteView block) {
  constexpr std::array<Byte, 4> kZero{};
  const std::uint32_t before = crc32c_raw(0, block.first(kCrcOffset));
  return crc32c_raw(crc32c_raw(before, kZero), block.subspan(kCrcOffset + kZero.size()));
}

Result<void> check_seal(ByteView block) {
  if (block.size() != kBlockBytes) return wrong_field("size", fmt::format("{} bytes instead of 4096", block.size()));
  const auto magic = get_big<std::uint32_t>(block, 0);
  if (magic != kActivityLogMagic)
    return wrong_field("magic", fmt::format("0x{:08x} instead of 0x{:08x}", magic, kActivityLogMagic));
  const auto stored = get_big<std::uint32_t>(block, kCrcOffset);
  if (const std::uint32_t computed = crc_of(block); stored != computed)
    return wrong_field("crc", fmt::format("0x{:08x}, but the content gives 0x{:08x}", stored, computed));
  return {};
}

std::vector<SlotUpdate> read_updates(ByteReader& reader, std::size_t count) {
  std::vector<SlotUpdate> updates(count);
  for (SlotUpdate& update : updates) update.slot = reader.big<std::uint16_t>();
  reader.skip((kUpdatesPerTransaction - count) * sizeof(std::uint16_t));
  for (SlotUpdate& update : updates) update.extent = reader.big<std::uint32_t>();
  reader.skip((kUpdatesPerTransaction - count) * sizeof(std::uint32_t));
  return updates;
}

void apply(const Transaction& transaction, std::vector<std::uint32_t>& slots) {
  const auto put = [&slots](std::size_t slot, std::uint32_t extent) {
    if (slot >= slots.size()) slots.resize(slot + 1, kFreeExtent);
    slots[slot] = extent;
  };
  for (std::size_t i = 0; i < transaction.context.size(); ++i)
    put(transaction.context_first_slot + i, transaction.context[i]);
  for (const SlotUpdate& update : transaction.updates)
    if (update.slot != kUnusedSlot) put(update.slot, update.extent);
}

std::vector<std::uint32_t> extents_of(const std::vector<std::uint32_t>& slots) {
  std::vector<std::uint32_t> extents;
  std::ranges::copy_if(slots, std::back_inserter(extents), [](std::uint32_t extent) { return extent != kFreeExtent; });
  std::ranges::sort(extents);
  const auto repeated = std::ranges::unique(extents);
  extents.erase(repeated.begin(), repeated.end());
  return extents;
}

}  // namespace

Result<Transaction> decode_transaction(ByteView block) {
  if (auto sealed = check_seal(block); !sealed) return tl::unexpected(sealed.error());
  ByteReader reader(block);
  reader.skip(4);
  Transaction transaction;
  transaction.number = reader.big<std::uint32_t>();
  reader.skip(4);
  const auto type = reader.big<std::uint16_t>();
  const auto count = reader.big<std::uint16_t>();
  transaction.slots = reader.big<std::uint16_t>();
  transaction.context_first_slot = reader.big<std::uint16_t>();
  reader.skip(kReservedBytes);
  transaction.type = static_cast<TransactionType>(type);
  if (transaction.type == TransactionType::Initialised) return transaction;
  if (transaction.type != TransactionType::Update) return wrong_field("type", fmt::format("0x{:04x}", type));
  if (count > kUpdatesPerTransaction) return wrong_field("n_updates", fmt::format("{} is over 64", count));
  if (transaction.context_first_slot > transaction.slots)
    return wrong_field("context_start_slot_nr",
                       fmt::format("{} of {} slots", transaction.context_first_slot, transaction.slots));
  transaction.updates = read_updates(reader, count);
  transaction.context.resize(
      std::min<std::size_t>(kContextPerTransaction, transaction.slots - transaction.context_first_slot));
  for (std::uint32_t& extent : transaction.context) extent = reader.big<std::uint32_t>();
  return transaction;
}

Bytes encode_transaction(const Transaction& transaction) {
  BASCULE_ASSERT(transaction.updates.size() <= kUpdatesPerTransaction);
  BASCULE_ASSERT(transaction.context.size() <= kContextPerTransaction);
  Bytes block;
  block.reserve(kBlockBytes);
  ByteWriter writer(block);
  writer.big(kActivityLogMagic).big(transaction.number).zeros(4);
  writer.big(static_cast<std::uint16_t>(transaction.type));
  writer.big(static_cast<std::uint16_t>(transaction.updates.size()));
  writer.big(transaction.slots).big(transaction.context_first_slot).zeros(kReservedBytes);
  if (transaction.type == TransactionType::Update) {
    const std::size_t unused = kUpdatesPerTransaction - transaction.updates.size();
    for (const SlotUpdate& update : transaction.updates) writer.big(update.slot);
    for (std::size_t i = 0; i < unused; ++i) writer.big(kUnusedSlot);
    for (const SlotUpdate& update : transaction.updates) writer.big(update.extent);
    for (std::size_t i = 0; i < unused; ++i) writer.big(kFreeExtent);
    for (const std::uint32_t extent : transaction.context) writer.big(extent);
    for (std::size_t i = transaction.context.size(); i < kContextPerTransaction; ++i) writer.big(kFreeExtent);
  }
  block.resize(kBlockBytes, 0);
  put_big(std::span(block), kCrcOffset, crc_of(block));
  return block;
}

std::uint64_t ring_block(std::uint32_t number, ActivityLogShape shape) {
  const std::uint64_t position = number % shape.blocks();
  return position % shape.stripes * shape.stripe_blocks + position / shape.stripes;
}

std::uint32_t max_slots(ActivityLogShape shape) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(kMaxSlots, kContextPerTransaction * (shape.blocks() - 1)));
}

Result<ReplayedLog> replay(ByteView ring, ActivityLogShape shape) {
  if (ring.size() != shape.blocks() * kBlockBytes)
    return fail("activity log cannot be read", "ring",
                fmt::format("{} bytes instead of {} blocks", ring.size(), shape.blocks()));
  ReplayedLog log;
  std::vector<Transaction> transactions;
  for (std::size_t at = 0; at < ring.size(); at += kBlockBytes) {
    auto transaction = decode_transaction(ring.subspan(at, kBlockBytes));
    if (!transaction)
      ++log.dropped_blocks;
    else
      transactions.push_back(std::move(*transaction));
  }
  if (transactions.empty())
    return fail("activity log cannot be read", "ring", fmt::format("none of {} blocks is valid", shape.blocks()));
  std::erase_if(transactions, [](const Transaction& one) { return one.type != TransactionType::Update; });
  if (transactions.empty()) return log;
  // Numbers wrap, so their order is that of the signed distance to any one of them.
  std::ranges::sort(transactions, {}, [first = transactions.front().number](const Transaction& one) {
    return static_cast<std::int32_t>(one.number - first);
  });
  for (const Transaction& transaction : transactions) apply(transaction, log.slots);
  log.extents = extents_of(log.slots);
  log.next_number = transactions.back().number + 1;
  log.valid_updates = transactions.size();
  return log;
}

std::size_t mark_out_of_sync(Bitmap& bitmap, std::span<const std::uint32_t> extents) {
  std::size_t newly_set = 0;
  for (const std::uint32_t extent : extents) {
    const std::size_t first = std::min<std::size_t>(extent * kBitsPerExtent, bitmap.size());
    newly_set += bitmap.set(first, std::min<std::size_t>(first + kBitsPerExtent, bitmap.size()));
  }
  return newly_set;
}

}  // namespace bascule::drbd_metadata
