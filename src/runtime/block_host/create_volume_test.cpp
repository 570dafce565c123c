#include "runtime/block_host/create_volume.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/test_directory.h"
#include "runtime/block_host/replica.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::block_host {
namespace {

using drbd_metadata::kIndexedBytes;

constexpr std::uint64_t kVolumeBytes = 16ULL << 20;
constexpr std::uint64_t kOneMib = 1 << 20;
constexpr std::uint64_t kBeforeBitmap = 9 * 4096;

class CreateVolumeTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file(const std::string& name) const { return directory_ + "/" + name; }
  [[nodiscard]] Result<CreateReport> create(const std::string& metadata, bool force = false,
                                            std::uint64_t size_bytes = kVolumeBytes) const {
    config::ClusterConfig cluster;
    config::Volume volume;
    volume.name = "data";
    volume.size_bytes = size_bytes;
    volume.disk["alice"] = file("disk");
    volume.metadata["alice"] = metadata;
    cluster.volumes.push_back(volume);
    return create_volume(cluster, "alice", "data", force);
  }
  void make(const char* name, std::uint64_t bytes) const {
    std::ofstream(file(name)).put(0);
    std::filesystem::resize_file(file(name), bytes);
  }
  void put(const char* name, std::uint64_t offset, const std::string& text) const {
    std::fstream out(file(name), std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(offset));
    out << text;
  }
  [[nodiscard]] Result<FoundVolume> found(const std::string& metadata) const {
    Replica replica(MetadataPlace::parse(metadata).value());
    if (const auto opened = replica.open(file("disk")); !opened) return tl::unexpected(opened.error());
    return restore(replica, "data");
  }
  void expect_refused(const Result<CreateReport>& made, const std::string& word) const {
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text().find(word), std::string::npos) << made.error().text();
  }
  TestDirectory made_;
  std::string directory_ = made_.path();
};

TEST_F(CreateVolumeTest, AFileSystemIsNotOverwrittenAlsoOneWhoseMarkLiesBehind64KiB) {
  make("disk", 2 * kVolumeBytes);
  put("disk", 65536 + 64, "_BHRfS_M");
  expect_refused(create("internal"), "btrfs");
}

TEST_F(CreateVolumeTest, MissingFilesAreMadeForDataAndFlexibleMetadata) {
  const auto made = create(file("meta"));
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_TRUE(made->file_made && made->metadata_file_made);
  EXPECT_EQ(made->usable_bytes, kVolumeBytes);
  EXPECT_EQ(made->metadata, file("meta"));
  EXPECT_EQ(std::filesystem::file_size(file("disk")), kVolumeBytes);
  EXPECT_EQ(std::filesystem::file_size(file("meta")), kOneMib);
  const auto volume = found(file("meta"));
  ASSERT_TRUE(volume) << volume.error().text();
  EXPECT_EQ(volume->backing_bytes, kVolumeBytes);
  EXPECT_EQ(volume->metadata_bytes, kOneMib);
  EXPECT_EQ(volume->restored.superblock.current_uuid, drbd_metadata::kUuidJustCreated);
}

TEST_F(CreateVolumeTest, VolumesShareADeviceByIndex) {
  make("meta", 3 * kIndexedBytes);
  ASSERT_TRUE(create(file("meta") + "[0]"));
  ASSERT_TRUE(create(file("meta") + "[2]"));
  expect_refused(create(file("meta") + "[2]"), "metadata of a volume");
  EXPECT_TRUE(create(file("meta") + "[2]", true));
  EXPECT_TRUE(create(file("meta") + "[1]"));
  EXPECT_TRUE(found(file("meta") + "[0]"));
  expect_refused(create(file("meta")), "metadata of a volume");
  expect_refused(create(file("meta") + "[3]"), "metadata device has");
  expect_refused(create(file("meta") + "[256]"), "an index is 0..255");
}

TEST_F(CreateVolumeTest, TwoVolumesMayRunOnPiecesOfOneDeviceButNotOnTheSame) {
  make("meta", 2 * kIndexedBytes);
  make("disk", kVolumeBytes);
  make("other", kVolumeBytes);
  Replica first(MetadataPlace::parse(file("meta") + "[0]").value());
  Replica second(MetadataPlace::parse(file("meta") + "[1]").value());
  Replica same(MetadataPlace::parse(file("meta") + "[0]").value());
  Replica whole(MetadataPlace::parse(file("meta")).value());
  ASSERT_TRUE(first.open(file("disk")));
  EXPECT_FALSE(same.open(file("other")));
  EXPECT_FALSE(whole.open(file("other")));
  EXPECT_TRUE(second.open(file("other")));
  first.close();
  second.close();
  EXPECT_TRUE(whole.open(file("other")));
  EXPECT_FALSE(first.open(file("disk")));
}

TEST_F(CreateVolumeTest, AMetadataDeviceThatIsTooSmallIsRefusedAndNothingIsLeftBehind) {
  make("meta", 65536);
  expect_refused(create(file("meta")), "more than 65536");
  EXPECT_FALSE(std::filesystem::exists(file("disk")));
  make("meta", kBeforeBitmap + 8 * 4096);
  make("disk", 2ULL << 30);
  expect_refused(create(file("meta"), false, 1025ULL << 20), "covers 1073741824 of 1074790400 bytes");
  EXPECT_TRUE(create(file("meta"), false, 1024ULL << 20));
}

TEST_F(CreateVolumeTest, WithoutASizeTheWholeDataDeviceCounts) {
  make("disk", kVolumeBytes + 512);
  const auto made = create(file("meta"), false, 0);
  ASSERT_TRUE(made) << made.error().text();
  EXPECT_EQ(made->usable_bytes, kVolumeBytes + 512);
}

TEST_F(CreateVolumeTest, ADataDeviceThatIsTooSmallIsRefused) {
  make("disk", kVolumeBytes - 4096);
  expect_refused(create(file("meta")), "it is too small");
  EXPECT_FALSE(std::filesystem::exists(file("meta")));
}

TEST_F(CreateVolumeTest, TheDiskItselfIsNoPlaceApartFromIt) {
  make("disk", kVolumeBytes);
  expect_refused(create(file("disk")), "the disk itself");
  std::filesystem::create_symlink(file("disk"), file("link"));
  expect_refused(create(file("link") + "[0]"), "the disk itself");
}

TEST_F(CreateVolumeTest, AMissingDeviceIsNotMade) {
  expect_refused(create("/dev/bascule-no-such-device"), "there is no such device");
  EXPECT_FALSE(std::filesystem::exists(file("disk")));
}

TEST_F(CreateVolumeTest, WhatIsInUseIsRefused) {
  make("meta", kOneMib);
  const auto used = Backing::open(file("meta")).value();
  expect_refused(create(file("meta")), "another process uses it");
}

TEST_F(CreateVolumeTest, UnknownBytesOnTheMetadataDeviceAreNotOverwritten) {
  make("meta", kOneMib);
  put("meta", 5000, "somebody wrote this");
  expect_refused(create(file("meta")), "something that is not known");
  EXPECT_TRUE(create(file("meta"), true));
}

TEST_F(CreateVolumeTest, AVolumeWithInternalMetadataIsNoMetadataDevice) {
  ASSERT_TRUE(create("internal"));
  std::filesystem::rename(file("disk"), file("meta"));
  expect_refused(create(file("meta")), "metadata of a volume");
}

TEST_F(CreateVolumeTest, WhatTheDataDeviceHoldsStaysAndIsTakenOnlyByForce) {
  make("disk", kVolumeBytes);
  put("disk", 1024 + 56, "\x53\xEF");  // ext4's magic
  expect_refused(create(file("meta")), "leaves what it holds");
  ASSERT_TRUE(create(file("meta"), true));
  std::ifstream in(file("disk"));
  in.seekg(1024 + 56);
  EXPECT_EQ(in.get(), 0x53);
}

TEST_F(CreateVolumeTest, AMetadataDeviceThatHasGrownIsReadAsFarAsItWasUsed) {
  ASSERT_TRUE(create(file("meta")));
  std::filesystem::resize_file(file("meta"), 4 * kOneMib);
  const auto volume = found(file("meta"));
  ASSERT_TRUE(volume) << volume.error().text();
  EXPECT_EQ(volume->metadata_bytes, kOneMib);
}

TEST_F(CreateVolumeTest, ADataDeviceThatHasBecomeTooSmallIsNamed) {
  ASSERT_TRUE(create(file("meta")));
  {
    const auto metadata = Backing::open(file("meta")).value();
    auto superblock = drbd_metadata::decode_superblock(metadata.read(0, 4096).value()).value();
    superblock.effective_sectors = kVolumeBytes / 512;
    ASSERT_TRUE(metadata.write_durably(0, drbd_metadata::encode_superblock(superblock)));
  }
  ASSERT_TRUE(found(file("meta")));
  std::filesystem::resize_file(file("disk"), kVolumeBytes / 2);
  const auto volume = found(file("meta"));
  ASSERT_FALSE(volume);
  EXPECT_EQ(volume.error().where, file("disk"));
  EXPECT_NE(volume.error().text().find("has become too small"), std::string::npos) << volume.error().text();
}

TEST_F(CreateVolumeTest, MetadataThatAreNotThereAreNamed) {
  make("disk", kVolumeBytes);
  make("meta", kOneMib);
  const auto volume = found(file("meta"));
  ASSERT_FALSE(volume);
  EXPECT_NE(volume.error().text().find("bascule volume create data"), std::string::npos) << volume.error().text();
  std::filesystem::remove(file("meta"));
  EXPECT_NE(found(file("meta")).error().text().find("does not exist"), std::string::npos);
}

TEST(MetadataPlace, IsWrittenAsItIsConfigured) {
  for (const char* text : {"internal", "/dev/sdc1", "/dev/sdc1[0]", "/dev/sdc1[255]"})
    EXPECT_EQ(MetadataPlace::parse(text)->text(), text);
  EXPECT_TRUE(MetadataPlace::parse("internal")->internal());
  EXPECT_EQ(MetadataPlace::parse("/dev/sdc1")->placement, drbd_metadata::Placement::flexible());
  for (const char* text : {"/dev/sdc1[256]", "/dev/sdc1[]", "/dev/sdc1[1", "/dev/sdc1[1]x"})
    EXPECT_FALSE(MetadataPlace::parse(text)) << text;
}

}  // namespace
}  // namespace bascule::block_host
