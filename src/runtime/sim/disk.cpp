#include "runtime/sim/disk.h"

#include <algorithm>

namespace bascule::sim {
namespace {

/// Calls visit(offset, length) for the pieces of [offset, offset + length) between multiples of `unit`.
template <typename Visit>
void for_each_piece(std::uint64_t offset, std::uint64_t length, std::uint64_t unit, Visit visit) {
  while (length > 0) {
    const std::uint64_t piece = std::min(length, unit - offset % unit);
    visit(offset, piece);
    offset += piece;
    length -= piece;
  }
}

}  // namespace

Disk::Disk(std::uint64_t size_bytes)
    : size_bytes_(size_bytes),
      durable_((size_bytes + page_bytes - 1) / page_bytes),
      current_((size_bytes + page_bytes - 1) / page_bytes) {}

void Disk::store(Image& image, std::uint64_t offset, ByteView bytes) {
  const std::uint64_t start = offset;
  for_each_piece(offset, bytes.size(), page_bytes, [&](std::uint64_t at, std::uint64_t length) {
    auto& page = image[at / page_bytes];
    if (!page) page = std::make_unique<Page>(Page{});
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at - start), length, page->begin() + at % page_bytes);
  });
}

void Disk::load(const Image& image, std::uint64_t offset, std::span<Byte> into) {
  const std::uint64_t start = offset;
  for_each_piece(offset, into.size(), page_bytes, [&](std::uint64_t at, std::uint64_t length) {
    const auto& page = image[at / page_bytes];
    const auto target = into.begin() + static_cast<std::ptrdiff_t>(at - start);
    if (page)
      std::copy_n(page->begin() + at % page_bytes, length, target);
    else
      std::fill_n(target, length, Byte{0});
  });
}

bool Disk::touches_bad_sector(std::uint64_t offset, std::uint64_t length) const {
  if (bad_sectors_.empty() || length == 0) return false;
  const auto first = bad_sectors_.lower_bound(offset / sector_bytes);
  return first != bad_sectors_.end() && *first <= (offset + length - 1) / sector_bytes;
}

DiskStatus Disk::read(std::uint64_t offset, std::span<Byte> into) const {
  BASCULE_ASSERT(offset <= size_bytes_ && into.size() <= size_bytes_ - offset);
  if (touches_bad_sector(offset, into.size())) return DiskStatus::IoError;
  load(current_, offset, into);
  return DiskStatus::Ok;
}

DiskStatus Disk::write(std::uint64_t offset, ByteView bytes) {
  BASCULE_ASSERT(offset <= size_bytes_ && bytes.size() <= size_bytes_ - offset);
  if (full_) return DiskStatus::NoSpace;
  if (failing_writes_ > 0) {
    --failing_writes_;
    return DiskStatus::IoError;
  }
  for_each_piece(offset, bytes.size(), sector_bytes,
                 [&](std::uint64_t at, std::uint64_t) { bad_sectors_.erase(at / sector_bytes); });
  store(current_, offset, bytes);
  pending_.push_back({++write_count_, offset, Bytes(bytes.begin(), bytes.end())});
  return DiskStatus::Ok;
}

DiskStatus Disk::write_zeros(std::uint64_t offset, std::uint64_t length) { return write(offset, Bytes(length, 0)); }

DiskStatus Disk::end_flush(FlushToken token) {
  if (failing_flushes_ > 0) {
    --failing_flushes_;
    return DiskStatus::IoError;
  }
  std::size_t covered = 0;
  while (covered < pending_.size() && pending_[covered].number <= token.covers_writes) {
    store(durable_, pending_[covered].offset, pending_[covered].bytes);
    ++covered;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(covered));
  return DiskStatus::Ok;
}

std::uint64_t Disk::unflushed_bytes() const {
  std::uint64_t total = 0;
  for (const auto& write : pending_) total += write.bytes.size();
  return total;
}

void Disk::settle(const Pending& write, Fate fate, Prng& prng) {
  if (fate == Fate::Lost) return;
  if (fate == Fate::Kept) return store(durable_, write.offset, write.bytes);
  const std::uint64_t unit = fate == Fate::TornAtPages ? page_bytes : sector_bytes;
  for_each_piece(write.offset, write.bytes.size(), unit, [&](std::uint64_t at, std::uint64_t length) {
    if (prng.chance(1, 2)) store(durable_, at, ByteView(write.bytes).subspan(at - write.offset, length));
  });
}

void Disk::power_loss(Prng& prng) {
  for (const auto& write : pending_) settle(write, static_cast<Fate>(prng.below(4)), prng);
  for (const auto& write : pending_) {
    for_each_piece(write.offset, write.bytes.size(), page_bytes, [&](std::uint64_t at, std::uint64_t) {
      const auto& page = durable_[at / page_bytes];
      current_[at / page_bytes] = page ? std::make_unique<Page>(*page) : nullptr;
    });
  }
  pending_.clear();
  failing_writes_ = 0;
  failing_flushes_ = 0;
}

void Disk::corrupt(std::uint64_t offset, Byte flip_mask) {
  BASCULE_ASSERT(offset < size_bytes_);
  for (Image* image : {&durable_, &current_}) {
    Byte byte = 0;
    load(*image, offset, {&byte, 1});
    byte ^= flip_mask;
    store(*image, offset, {&byte, 1});
  }
}

bool Disk::durable_equals(const Disk& other) const {
  if (size_bytes_ != other.size_bytes_) return false;
  static const Page zeros{};
  for (std::size_t i = 0; i < durable_.size(); ++i) {
    const Page& mine = durable_[i] ? *durable_[i] : zeros;
    const Page& theirs = other.durable_[i] ? *other.durable_[i] : zeros;
    if (mine != theirs) return false;
  }
  return true;
}

}  // namespace bascule::sim
