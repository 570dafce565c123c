#include "wire/drbd_metadata/signature.h"

#include <algorithm>
#include <array>

namespace bascule::drbd_metadata {
namespace {

constexpr std::size_t kSectorSize = 512;

bool has_at(ByteView view, std::size_t offset, ByteView pattern) {
  return offset + pattern.size() <= view.size() && std::ranges::equal(view.subspan(offset, pattern.size()), pattern);
}

bool has_text_at(ByteView view, std::size_t offset, std::string_view text) {
  return has_at(view, offset, view_of(text));
}

constexpr std::array<Byte, 4> kMdRaidMagic{0xfc, 0x4e, 0x2b, 0xa9};
constexpr std::array<Byte, 2> kExtMagic{0x53, 0xef};
constexpr std::array<Byte, 2> kBootMagic{0x55, 0xaa};

using Finding = std::optional<std::string>;

/// A superblock of DRBD 8 or 9 that starts at `offset`: its magic, clean or unclean, and a bitmap of whole blocks.
Finding drbd_at(ByteView view, std::size_t offset) {
  if (offset + 84 > view.size()) return std::nullopt;
  const auto magic = get_big<std::uint32_t>(view, offset + 60);
  if (get_big<std::uint32_t>(view, offset + 64) == 0) return std::nullopt;
  if (magic == 0x8374026b || magic == 0x8374026c) return "DRBD metadata (v08)";
  if (magic == 0x8374026d) return "DRBD metadata (v09)";
  return std::nullopt;
}

Finding drbd(ByteView first, ByteView last) {
  if (auto external = drbd_at(first, 0)) return external;
  // The superblock lies on a 4 KiB border of the device; its end need not.
  const std::size_t from = last.size() > 8192 ? last.size() - 8192 : 0;
  for (std::size_t at = from; at + 4096 <= last.size(); at += kSectorSize)
    if (auto internal = drbd_at(last, at)) return internal;
  return std::nullopt;
}

Finding md_raid(ByteView first, ByteView last) {
  const std::string name = "Linux MD raid member";
  if (has_at(first, 0, kMdRaidMagic) || has_at(first, 4096, kMdRaidMagic)) return name;
  for (std::size_t at = last.size() % kSectorSize; at < last.size(); at += kSectorSize)
    if (has_at(last, at, kMdRaidMagic)) return name;
  return std::nullopt;
}

Finding lvm(ByteView first) {
  for (std::size_t sector = 0; sector < 4; ++sector)
    if (has_text_at(first, sector * kSectorSize, "LABELONE") &&
        has_text_at(first, sector * kSectorSize + 24, "LVM2 001"))
      return "LVM2 physical volume";
  return std::nullopt;
}

Finding swap(ByteView first) {
  for (const std::size_t page : {4096U, 8192U, 16384U, 65536U})
    if (has_text_at(first, page - 10, "SWAPSPACE2") || has_text_at(first, page - 10, "SWAP-SPACE")) return "swap space";
  return std::nullopt;
}

Finding file_system(ByteView first) {
  if (has_at(first, 1024 + 56, kExtMagic)) return "ext2/3/4 filesystem";
  if (has_text_at(first, 0, "XFSB")) return "XFS filesystem";
  if (has_text_at(first, 65536 + 64, "_BHRfS_M")) return "btrfs filesystem";
  if (has_text_at(first, 3, "NTFS    ")) return "NTFS filesystem";
  if (has_text_at(first, 3, "EXFAT   ")) return "exFAT filesystem";
  if (has_text_at(first, 54, "FAT1") || has_text_at(first, 82, "FAT32   ")) return "FAT filesystem";
  if (has_text_at(first, 32769, "CD001")) return "ISO 9660 filesystem";
  return std::nullopt;
}

Finding partition_table(ByteView first, ByteView last) {
  const bool backup = last.size() >= kSectorSize && has_text_at(last, last.size() - kSectorSize, "EFI PART");
  if (has_text_at(first, 512, "EFI PART") || has_text_at(first, 4096, "EFI PART") || backup)
    return "GPT partition table";
  if (has_at(first, 510, kBootMagic)) return "MBR partition table or boot sector";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> recognise_signature(ByteView first, ByteView last) {
  if (auto found = drbd(first, last)) return found;
  if (has_text_at(first, 0, std::string_view("LUKS\xba\xbe", 6))) return "LUKS encrypted volume";
  if (auto found = lvm(first)) return found;
  if (auto found = file_system(first)) return found;
  if (auto found = swap(first)) return found;
  if (auto found = md_raid(first, last)) return found;
  return partition_table(first, last);
}

}  // namespace bascule::drbd_metadata
