#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "base/bitmap.h"
#include "base/bytes.h"
#include "base/result.h"
#include "wire/drbd/packets.h"

namespace bascule::drbd {

// ---- variable length integers -------------------------------------------------------------------------------------

/// A code word: the low `bits` bits of `word`, least significant bit first on the wire.
struct VliCode {
  std::uint64_t word = 0;
  unsigned bits = 0;
};
/// The code of a run length. `length` >= 1 (asserted); lengths over 2^56 are not used.
VliCode vli_encode(std::uint64_t length);
/// The run length at the low end of `word` of which `available_bits` are real; nullopt: the code is cut short.
struct VliRun {
  std::uint64_t length = 0;
  unsigned bits = 0;
};
std::optional<VliRun> vli_decode(std::uint64_t word, unsigned available_bits);

// ---- sending -----------------------------------------------------------------------------------------------------

/// Cuts a bitmap into packets of at most 4096 bytes (header included). Compressed while that is smaller than plain
/// words. The bitmap must outlive the encoder and should not change while it is used; bits set meanwhile may be missed.
class BitmapSender {
 public:
  /// `header_bytes`: 16 for version >= 100. `compress`: use-rle.
  BitmapSender(const Bitmap& bitmap, std::size_t header_bytes, bool compress);
  [[nodiscard]] bool done() const { return done_; }
  /// The next packet. Only while !done().
  std::variant<BitmapChunk, CompressedBitmap> next();

 private:
  std::optional<CompressedBitmap> compressed();
  BitmapChunk plain();

  const Bitmap& bitmap_;
  std::size_t chunk_bytes_;
  bool compress_;
  std::size_t bit_ = 0;
  bool done_ = false;
};

// ---- receiving ---------------------------------------------------------------------------------------------------

/// ORs the peer's chunks into `bitmap`, in order. The bitmap must outlive the receiver.
class BitmapReceiver {
 public:
  /// `header_bytes`: as BitmapSender.
  BitmapReceiver(Bitmap& bitmap, std::size_t header_bytes);
  /// Errors: more or fewer words than the next chunk must have; a chunk after the end.
  Result<void> add(const BitmapChunk& chunk);
  /// Errors: unknown code, code cut short, runs past the end of the bitmap, empty code, wrong pad bits.
  Result<void> add(const CompressedBitmap& chunk);
  /// The peer's bitmap is complete: a compressed chunk reached its end, or an empty plain one came after it.
  [[nodiscard]] bool done() const { return done_; }
  /// Number of bits of ours that the peer's bitmap newly set.
  [[nodiscard]] std::size_t newly_set() const { return newly_set_; }

 private:
  Result<void> add_run(std::size_t length, bool set);

  Bitmap& bitmap_;
  std::size_t chunk_bytes_;
  std::size_t bit_ = 0;
  std::size_t newly_set_ = 0;
  bool done_ = false;
};

}  // namespace bascule::drbd
