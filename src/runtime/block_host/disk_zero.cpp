// Writes without data: what the device does by itself, and zeroes where it does not.

#include <linux/falloc.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/block_host/disk.h"

namespace bascule::block_host {
namespace {

constexpr std::uint32_t kPieceBytes = 1 << 20;

alignas(kAlignment) constexpr Byte kZeroes[kPieceBytes] = {};

// A discarded range reads as zeroes here: peers may rely on it (discard-zeroes-if-aligned), and nobody minds.
int mode_of(replication::WriteKind kind) {
  if (kind == replication::WriteKind::zeroes) return FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;
  return FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
}

bool not_supported(int result) { return result == -EOPNOTSUPP || result == -ENOSYS || result == -ENODEV; }

}  // namespace

void Disk::start(const replication::effect::DiskZero& zero) {
  ++in_flight_;
  if (zeroing_free_.empty()) {
    zeroing_free_.push_back(static_cast<std::uint32_t>(zeroing_.size()));
    zeroing_.emplace_back();
  }
  const std::uint32_t index = zeroing_free_.back();
  zeroing_free_.pop_back();
  zeroing_[index] = {zero};
  if (cannot_zero_[static_cast<std::size_t>(zero.kind)]) return write_zeroes(index);
  zero_range(index);
}

void Disk::zero_range(std::uint32_t index) {
  const auto& zero = zeroing_[index].zero;
  ring_.allocate(backing_.descriptor(), mode_of(zero.kind), zero.offset, zero.length, [this, index](int result) {
    if (!not_supported(result) && result != -EINVAL) return zeroed(index, -std::min(result, 0));
    if (not_supported(result)) cannot_zero_[static_cast<std::size_t>(zeroing_[index].zero.kind)] = true;
    write_zeroes(index);
  });
}

void Disk::write_zeroes(std::uint32_t index) {
  Zeroing& zeroing = zeroing_[index];
  const std::uint64_t left = zeroing.zero.length - zeroing.written;
  if (left == 0) return zeroed(index, 0);
  zeroing.piece = static_cast<std::uint32_t>(std::min<std::uint64_t>(left, kPieceBytes));
  const ByteView bytes(kZeroes, zeroing.piece);
  ring_.write(backing_.descriptor(), bytes, zeroing.zero.offset + zeroing.written, false, [this, index](int result) {
    Zeroing& going = zeroing_[index];
    if (result < 0) return zeroed(index, -result);
    if (static_cast<std::uint32_t>(result) != going.piece) return zeroed(index, EIO);
    going.written += going.piece;
    write_zeroes(index);
  });
}

// Neither way is durable by itself: that takes a flush, which it shares with others.
void Disk::zeroed(std::uint32_t index, int error_number) {
  const replication::effect::DiskZero zero = zeroing_[index].zero;
  zeroing_free_.push_back(index);
  ++written_;
  if (error_number != 0 || !zero.durable) return done(zero.operation, error_number, true);
  flush_waiting_.push_back(zero.operation);
  flush_if_wanted();
}

}  // namespace bascule::block_host
