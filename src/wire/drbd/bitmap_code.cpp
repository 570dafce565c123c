#include "wire/drbd/bitmap_code.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.h"

namespace bascule::drbd {
namespace {

constexpr std::uint8_t kRunLengthCode = 2;
constexpr std::uint8_t kFirstRunSet = 0x80;
constexpr std::size_t kWordBits = 64;

/// Codes of one length. They encode first .. first + 2^(bits - prefix_bits) - 1.
struct VliLevel {
  std::uint64_t first;
  unsigned bits;
  unsigned prefix_bits;
  std::uint64_t prefix;
};
constexpr VliLevel kLevels[] = {
    {1, 2, 1, 0x00},   {3, 3, 2, 0x01},    {5, 5, 3, 0x03},     {9, 7, 4, 0x07},        {17, 10, 5, 0x0f},
    {49, 14, 6, 0x1f}, {305, 21, 8, 0x3f}, {8497, 29, 8, 0x7f}, {2105649, 42, 8, 0xbf}, {17181974833, 64, 8, 0xff},
};

constexpr std::uint64_t low_bits(unsigned count) { return count >= 64 ? ~0ULL : (1ULL << count) - 1; }

/// Fills bytes from the least significant bit up, within a limit.
class BitWriter {
 public:
  explicit BitWriter(std::size_t limit_bytes) : limit_bits_(limit_bytes * 8) {}

  /// False, and nothing written, when the code does not fit any more.
  bool put(VliCode code) {
    if (bits_ + code.bits > limit_bits_) return false;
    for (unsigned written = 0; written < code.bits;) {
      if (bits_ % 8 == 0) bytes_.push_back(0);
      const unsigned room = 8 - static_cast<unsigned>(bits_ % 8);
      const unsigned count = std::min(room, code.bits - written);
      bytes_.back() |= static_cast<Byte>(((code.word >> written) & low_bits(count)) << (8 - room));
      written += count;
      bits_ += count;
    }
    return true;
  }
  [[nodiscard]] unsigned pad_bits() const { return static_cast<unsigned>((8 - bits_ % 8) % 8); }
  [[nodiscard]] Bytes take() { return std::move(bytes_); }
  [[nodiscard]] std::size_t byte_count() const { return bytes_.size(); }

 private:
  std::size_t limit_bits_;
  std::size_t bits_ = 0;
  Bytes bytes_;
};

/// Up to 64 bits of `code` from bit `at` on; zeros after the end.
std::uint64_t peek(ByteView code, std::size_t at) {
  const std::size_t first = at / 8;
  const unsigned shift = static_cast<unsigned>(at % 8);
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < 8 && first + i < code.size(); ++i) word |= std::uint64_t{code[first + i]} << (8 * i);
  word >>= shift;
  if (shift != 0 && first + 8 < code.size()) word |= std::uint64_t{code[first + 8]} << (64 - shift);
  return word;
}

/// The end of the run of equal bits that starts at `bit`.
std::size_t run_end(const Bitmap& bitmap, std::size_t bit, bool set) {
  return (set ? bitmap.find_clear(bit) : bitmap.find_set(bit)).value_or(bitmap.size());
}

tl::unexpected<Error> wrong_bitmap(const char* where, std::string why) {
  return fail("bitmap from the peer cannot be used", where, std::move(why));
}

Result<void> check_encoding(const CompressedBitmap& chunk) {
  if ((chunk.encoding & 0x0f) != kRunLengthCode)
    return wrong_bitmap("code", fmt::format("{} instead of {}", chunk.encoding & 0x0f, kRunLengthCode));
  if (chunk.code.empty()) return wrong_bitmap("code", "no bits");
  const unsigned pad_bits = (chunk.encoding >> 4) & 7U;
  if ((chunk.code.back() >> (8 - pad_bits)) != 0)
    return wrong_bitmap("pad", fmt::format("the last {} bits are not zero", pad_bits));
  return {};
}

}  // namespace

VliCode vli_encode(std::uint64_t length) {
  BASCULE_ASSERT(length >= 1);
  std::size_t level = std::size(kLevels) - 1;
  while (length < kLevels[level].first) --level;
  const VliLevel& chosen = kLevels[level];
  return {.word = chosen.prefix | (length - chosen.first) << chosen.prefix_bits, .bits = chosen.bits};
}

std::optional<VliRun> vli_decode(std::uint64_t word, unsigned available_bits) {
  for (const VliLevel& level : kLevels) {
    if ((word & low_bits(level.prefix_bits)) != level.prefix) continue;
    if (level.bits > available_bits) return std::nullopt;
    const std::uint64_t payload = (word & low_bits(level.bits)) >> level.prefix_bits;
    return VliRun{.length = level.first + payload, .bits = level.bits};
  }
  return std::nullopt;
}

BitmapSender::BitmapSender(const Bitmap& bitmap, std::size_t header_bytes, bool compress)
    : bitmap_(bitmap), chunk_bytes_(kMaxControlPacketBytes - header_bytes), compress_(compress) {}

std::variant<BitmapChunk, CompressedBitmap> BitmapSender::next() {
  BASCULE_ASSERT(!done_);
  if (compress_ && bit_ < bitmap_.size()) {
    if (auto chunk = compressed()) {
      done_ = bit_ == bitmap_.size();
      return std::move(*chunk);
    }
  }
  return plain();
}

std::optional<CompressedBitmap> BitmapSender::compressed() {
  BitWriter writer(chunk_bytes_ - 1);
  std::size_t bit = bit_;
  const bool first_set = bitmap_.test(bit);
  for (bool set = first_set; bit < bitmap_.size(); set = !set) {
    const std::size_t end = run_end(bitmap_, bit, set);
    if (!writer.put(vli_encode(end - bit))) break;
    bit = end;
  }
  if (bit - bit_ < writer.byte_count() * 8) return std::nullopt;
  bit_ = bit;
  const unsigned encoding = kRunLengthCode | writer.pad_bits() << 4 | (first_set ? kFirstRunSet : 0U);
  return CompressedBitmap{.encoding = static_cast<std::uint8_t>(encoding), .code = writer.take()};
}

BitmapChunk BitmapSender::plain() {
  const std::size_t first = bit_ >= bitmap_.size() ? bitmap_.words().size() : bit_ / kWordBits;
  const std::size_t count = std::min(chunk_bytes_ / 8, bitmap_.words().size() - first);
  BitmapChunk chunk;
  ByteWriter writer(chunk.words);
  for (std::size_t i = 0; i < count; ++i) writer.little(bitmap_.words()[first + i]);
  bit_ = std::min((first + count) * kWordBits, bitmap_.size());
  done_ = count == 0;
  return chunk;
}

BitmapReceiver::BitmapReceiver(Bitmap& bitmap, std::size_t header_bytes)
    : bitmap_(bitmap), chunk_bytes_(kMaxControlPacketBytes - header_bytes) {}

Result<void> BitmapReceiver::add(const BitmapChunk& chunk) {
  if (done_) return wrong_bitmap("plain chunk", "the bitmap was complete already");
  const std::size_t words = bitmap_.words().size();
  const std::size_t first = bit_ >= bitmap_.size() ? words : bit_ / kWordBits;
  const std::size_t count = std::min(chunk_bytes_ / 8, words - first);
  if (chunk.words.size() != count * 8)
    return wrong_bitmap("plain chunk", fmt::format("{} bytes instead of {}", chunk.words.size(), count * 8));
  ByteReader reader(chunk.words);
  for (std::size_t i = 0; i < count; ++i) newly_set_ += bitmap_.or_word(first + i, reader.little<std::uint64_t>());
  bit_ = std::min((first + count) * kWordBits, bitmap_.size());
  done_ = count == 0;
  return {};
}

Result<void> BitmapReceiver::add(const CompressedBitmap& chunk) {
  if (done_) return wrong_bitmap("compressed chunk", "the bitmap was complete already");
  if (auto checked = check_encoding(chunk); !checked) return checked;
  const std::size_t total_bits = chunk.code.size() * 8 - ((chunk.encoding >> 4) & 7U);
  bool set = (chunk.encoding & kFirstRunSet) != 0;
  for (std::size_t at = 0; at < total_bits; set = !set) {
    const auto available = static_cast<unsigned>(std::min<std::size_t>(total_bits - at, 64));
    const auto run = vli_decode(peek(chunk.code, at), available);
    if (!run) return wrong_bitmap("compressed chunk", fmt::format("the code at bit {} is cut short", at));
    if (auto added = add_run(run->length, set); !added) return added;
    at += run->bits;
  }
  done_ = bit_ == bitmap_.size();
  return {};
}

Result<void> BitmapReceiver::add_run(std::size_t length, bool set) {
  if (length > bitmap_.size() - bit_)
    return wrong_bitmap("compressed chunk", fmt::format("a run of {} bits at bit {} passes the end of {} bits", length,
                                                        bit_, bitmap_.size()));
  if (set) newly_set_ += bitmap_.set(bit_, bit_ + length);
  bit_ += length;
  return {};
}

}  // namespace bascule::drbd
