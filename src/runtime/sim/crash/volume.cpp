#include "runtime/sim/crash/volume.h"

#include <algorithm>
#include <cstring>
#include <map>

namespace bascule::sim {
namespace {

/// Calls visit(offset, length) for the pieces of [offset, offset + length) between multiples of `unit`.
template <typename Visit>
void for_each_piece(std::uint64_t offset, std::uint64_t length, std::uint64_t unit, Visit visit) {
  for (const std::uint64_t end = offset + length; offset < end;) {
    const std::uint64_t piece = std::min(end - offset, unit - offset % unit);
    visit(offset, piece);
    offset += piece;
  }
}

}  // namespace

void CrashVolume::store(Image& image, std::uint64_t offset, ByteView bytes) {
  if (image.size() * page_bytes < offset + bytes.size())
    image.resize((offset + bytes.size() + page_bytes - 1) / page_bytes);
  for_each_piece(offset, bytes.size(), page_bytes, [&](std::uint64_t at, std::uint64_t length) {
    auto& page = image[at / page_bytes];
    if (!page)
      page = std::make_shared<Page>(Page{});
    else if (page.use_count() > 1)
      page = std::make_shared<Page>(*page);
    std::memcpy(page->data() + at % page_bytes, bytes.data() + (at - offset), length);
  });
}

void CrashVolume::load(const Image& image, std::uint64_t offset, std::span<Byte> into) {
  for_each_piece(offset, into.size(), page_bytes, [&](std::uint64_t at, std::uint64_t length) {
    Byte* const target = into.data() + (at - offset);
    if (at / page_bytes < image.size() && image[at / page_bytes])
      std::memcpy(target, image[at / page_bytes]->data() + at % page_bytes, length);
    else
      std::memset(target, 0, length);
  });
}

void CrashVolume::read(std::uint64_t offset, std::span<Byte> into) const { load(current_, offset, into); }

std::uint64_t CrashVolume::write(std::uint64_t offset, ByteView bytes) {
  store(current_, offset, bytes);
  pending_.push_back({++writes_, offset, Bytes(bytes.begin(), bytes.end())});
  return writes_;
}

void CrashVolume::flush() {
  durable_ = current_;
  pending_.clear();
}

void CrashVolume::flush(std::uint64_t number) {
  const auto write =
      std::find_if(pending_.begin(), pending_.end(), [&](const auto& one) { return one.number == number; });
  if (write == pending_.end()) return;
  store(durable_, write->offset, write->bytes);
  pending_.erase(write);
}

std::vector<CrashVolume::Cell> CrashVolume::cells(std::uint64_t cell_bytes) const {
  std::map<std::uint64_t, std::vector<const Pending*>> touched;
  for (const Pending& write : pending_)
    for_each_piece(write.offset, write.bytes.size(), cell_bytes,
                   [&](std::uint64_t at, std::uint64_t) { touched[at / cell_bytes * cell_bytes].push_back(&write); });
  std::vector<Cell> cells;
  for (const auto& [offset, writes] : touched) {
    Cell cell{offset, Bytes(cell_bytes), {}};
    load(durable_, offset, cell.old);
    Bytes content = cell.old;
    for (const Pending* write : writes) {
      const std::uint64_t begin = std::max(offset, write->offset);
      const std::uint64_t end = std::min(offset + cell_bytes, write->offset + write->bytes.size());
      std::memcpy(content.data() + (begin - offset), write->bytes.data() + (begin - write->offset), end - begin);
      const Bytes& before = cell.versions.empty() ? cell.old : cell.versions.back();
      if (content != before) cell.versions.push_back(content);
    }
    if (!cell.versions.empty()) cells.push_back(std::move(cell));
  }
  return cells;
}

std::uint64_t CrashVolume::Cell::hash(std::size_t version) const {
  std::uint64_t sum = 0;
  for (std::uint64_t at = 0; at < old.size(); at += sector_bytes) {
    const ByteView sector = ByteView(versions[version]).subspan(at, sector_bytes);
    if (!std::equal(sector.begin(), sector.end(), old.begin() + static_cast<std::ptrdiff_t>(at)))
      sum += mixed_hash(offset + at, hash_of(sector));
  }
  return sum;
}

CrashVolume CrashVolume::durable() const {
  CrashVolume left;
  left.durable_ = left.current_ = durable_;
  return left;
}

void CrashVolume::place(std::uint64_t offset, ByteView bytes) {
  store(durable_, offset, bytes);
  store(current_, offset, bytes);
}

std::uint64_t mixed_hash(std::uint64_t one, std::uint64_t other) {
  std::uint64_t z = one * 0x9e3779b97f4a7c15ULL + other + 0x632be59bd9b4e019ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

std::uint64_t hash_of(ByteView bytes) {
  std::uint64_t hash = bytes.size();
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, std::min<std::size_t>(8, bytes.size() - at));
    hash = mixed_hash(hash, word);
  }
  return hash;
}

}  // namespace bascule::sim
