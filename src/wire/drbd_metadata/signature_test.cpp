#include "wire/drbd_metadata/signature.h"

#include <gtest/gtest.h>

#include "wire/drbd_metadata/detail/test_files.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::drbd_metadata {
namespace {

Bytes with(std::size_t offset, std::string_view text) {
  Bytes bytes(kSignatureProbeBytes, 0);
  std::copy(text.begin(), text.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
  return bytes;
}

std::string in_first(std::size_t offset, std::string_view text) {
  return recognise_signature(with(offset, text), Bytes(kSignatureProbeBytes)).value_or("nothing");
}
std::string in_last(std::size_t offset_from_end, std::string_view text) {
  return recognise_signature(Bytes(kSignatureProbeBytes), with(kSignatureProbeBytes - offset_from_end, text))
      .value_or("nothing");
}

TEST(Signature, KnownOnesAreNamed) {
  EXPECT_EQ(in_first(1080, "\x53\xef"), "ext2/3/4 filesystem");
  EXPECT_EQ(in_first(0, "XFSB"), "XFS filesystem");
  EXPECT_EQ(in_first(65600, "_BHRfS_M"), "btrfs filesystem");
  EXPECT_EQ(in_first(4086, "SWAPSPACE2"), "swap space");
  EXPECT_EQ(in_first(0, "LUKS\xba\xbe"), "LUKS encrypted volume");
  EXPECT_EQ(in_first(3, "NTFS    "), "NTFS filesystem");
  EXPECT_EQ(in_first(82, "FAT32   "), "FAT filesystem");
  EXPECT_EQ(in_first(54, "FAT16   "), "FAT filesystem");
  EXPECT_EQ(in_first(510, "\x55\xaa"), "MBR partition table or boot sector");
  EXPECT_EQ(in_first(512, "EFI PART"), "GPT partition table");
  EXPECT_EQ(in_last(512, "EFI PART"), "GPT partition table");
  EXPECT_EQ(in_first(4096, "\xfc\x4e\x2b\xa9"), "Linux MD raid member");
  EXPECT_EQ(in_last(8192, "\xfc\x4e\x2b\xa9"), "Linux MD raid member");
  EXPECT_EQ(in_last(65536, "\xfc\x4e\x2b\xa9"), "Linux MD raid member");
}

TEST(Signature, LvmLabelNeedsBothParts) {
  Bytes first = with(512, "LABELONE");
  EXPECT_EQ(recognise_signature(first, {}), std::nullopt);
  const std::string_view type = "LVM2 001";
  std::copy(type.begin(), type.end(), first.begin() + 512 + 24);
  EXPECT_EQ(recognise_signature(first, {}), "LVM2 physical volume");
}

TEST(Signature, DrbdMetadataAtTheEndOfRealDevices) {
  const detail::Tail v08("v08-virgin-64M");
  const detail::Tail unclean("crashed-primary.a");
  const detail::Tail v09("v09-virgin-64M");
  EXPECT_EQ(recognise_signature({}, v08.bytes), "DRBD metadata (v08)");
  EXPECT_EQ(recognise_signature({}, unclean.bytes), "DRBD metadata (v08)");
  EXPECT_EQ(recognise_signature({}, v09.bytes), "DRBD metadata (v09)");
}

TEST(Signature, DrbdMetadataOnADeviceWhoseEndIsNotAligned) {
  Bytes last = create_v08(1 << 20)->image;
  last.resize(last.size() + 7 * 512, 0);
  EXPECT_EQ(recognise_signature({}, last), "DRBD metadata (v08)");
}

TEST(Signature, NothingIsNothing) {
  EXPECT_EQ(recognise_signature({}, {}), std::nullopt);
  EXPECT_EQ(recognise_signature(Bytes(kSignatureProbeBytes), Bytes(kSignatureProbeBytes)), std::nullopt);
}

}  // namespace
}  // namespace bascule::drbd_metadata
