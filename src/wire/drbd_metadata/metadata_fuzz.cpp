// Superblocks of both formats, activity log blocks, dumps: any input is decoded or refused, and what decodes encodes
// back.

#include <algorithm>

#include "base/assert.h"
#include "wire/drbd_metadata/activity_log.h"
#include "wire/drbd_metadata/convert.h"
#include "wire/drbd_metadata/dump.h"
#include "wire/drbd_metadata/generation.h"
#include "wire/drbd_metadata/signature.h"

namespace {

using namespace bascule;
using namespace bascule::drbd_metadata;

Bytes padded(ByteView input) {
  Bytes block(input.begin(), input.end());
  block.resize(kBlockBytes, 0);
  return block;
}

void check_superblock(ByteView input) {
  Bytes block = padded(input);
  for (const std::uint32_t magic : {get_big<std::uint32_t>(block, 60), kMagicV08}) {
    put_big(std::span(block), 60, magic);
    const auto superblock = decode_superblock(block);
    if (superblock) BASCULE_ASSERT(encode_superblock(*superblock) == block);
  }
}

/// A v09 superblock with good sizes, so that the peers are reached, and what is made of it.
void check_v09(ByteView input) {
  Metadata good = *create({.format = Format::V09}, *internal_layout(1 << 20));
  Bytes block = encode_metadata(good);
  for (std::size_t i = 0; i + 3 <= input.size(); i += 3) block[get_big<std::uint16_t>(input, i) % 1400] = input[i + 2];
  const auto metadata = decode_metadata(block);
  if (!metadata) return;
  BASCULE_ASSERT(encode_metadata(*metadata) == block);
  const auto place = layout(Placement::internal(), 0, 1 << 20, metadata->shape());
  if (!place || !check(*metadata, *place)) return;
  (void)convert(*metadata, input, *internal_layout(1 << 20), Format::V08);
  const std::string text = dump_text(*metadata, *place, input);
  BASCULE_ASSERT(parse_dump(text).has_value() == metadata->clean());
}

/// A dump, and a good one with the input put somewhere into it.
void check_dump(ByteView input) {
  (void)parse_dump(text_of(input));
  (void)with_generation({}, 0, text_of(input));
  const Layout place = *internal_layout(1 << 20);
  std::string text =
      dump_text(*create({.format = input.size() % 2 == 0 ? Format::V08 : Format::V09}, place), place, {});
  if (input.size() >= 2) text.insert(get_big<std::uint16_t>(input, 0) % text.size(), text_of(input.subspan(2)));
  const auto parsed = parse_dump(text);
  if (parsed) (void)area_of(*parsed, 4096);
}

/// The input behind a right magic and CRC, so that the fields are reached.
Bytes sealed(ByteView input) {
  Transaction frame{.type = TransactionType::Initialised};
  if (input.size() >= 8) frame.number = get_big<std::uint32_t>(input, 0);
  frame.type = TransactionType::Update;
  for (std::size_t i = 8; i + 6 <= input.size() && frame.updates.size() < kUpdatesPerTransaction; i += 6)
    frame.updates.push_back({get_big<std::uint16_t>(input, i), get_big<std::uint32_t>(input, i + 2)});
  if (input.size() >= 8) {
    frame.slots = get_big<std::uint16_t>(input, 4);
    frame.context_first_slot = get_big<std::uint16_t>(input, 6);
  }
  return encode_transaction(frame);
}

void check_log(ByteView input) {
  (void)decode_transaction(padded(input));
  Bytes ring;
  for (int i = 0; i < 8; ++i) {
    const Bytes block = sealed(input.subspan(std::min<std::size_t>(input.size(), static_cast<std::size_t>(i) * 8)));
    const auto transaction = decode_transaction(block);
    if (transaction) BASCULE_ASSERT(*decode_transaction(encode_transaction(*transaction)) == *transaction);
    ring.insert(ring.end(), block.begin(), block.end());
  }
  const auto log = replay(ring, {});
  Bitmap bitmap(100000);
  if (log) (void)mark_out_of_sync(bitmap, log->extents);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  check_superblock(input);
  check_v09(input);
  check_dump(input);
  check_log(input);
  (void)recognise_signature(input, input);
  return 0;
}
