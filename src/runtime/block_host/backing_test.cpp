#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "base/test_directory.h"
#include "runtime/block_host/known_sizes.h"
#include "runtime/block_host/replica.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::block_host {
namespace {

constexpr std::uint64_t small_bytes = 8ULL << 20;
constexpr std::uint64_t large_bytes = 16ULL << 20;

class BackingTest : public ::testing::Test {
 protected:
  [[nodiscard]] std::string file(const char* name) const { return directory_ + "/" + name; }

  /// Metadata at the end of a device of that size, told apart by their generation.
  void put_metadata(std::uint64_t bytes, std::uint64_t generation) const {
    auto backing = Backing::open(file("disk")).value();
    auto created = drbd_metadata::create_v08(bytes).value();
    created.superblock.current_uuid = generation;
    ASSERT_TRUE(backing.write_durably(created.layout.activity_log_offset, created.image));
    ASSERT_TRUE(
        backing.write_durably(created.layout.superblock_offset, drbd_metadata::encode_superblock(created.superblock)));
  }
  void make_disk(std::uint64_t bytes) const {
    std::ofstream(file("disk")).put(0);
    std::filesystem::resize_file(file("disk"), bytes);
  }
  [[nodiscard]] Replica open_replica(const std::string& place = "internal") const {
    Replica replica(MetadataPlace::parse(place).value());
    const auto opened = replica.open(file("disk"));
    EXPECT_TRUE(opened) << opened.error().text();
    return replica;
  }
  TestDirectory made_;
  std::string directory_ = made_.path();
};

TEST_F(BackingTest, MetadataThatHadNoTimeToMoveAreFoundAtAnEarlierEnd) {
  make_disk(large_bytes);
  put_metadata(small_bytes, 0x50);
  const Replica backing = open_replica();
  EXPECT_FALSE(restore(backing, "data"));
  const auto found = restore(backing, "data", {small_bytes, large_bytes});
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->backing_bytes, small_bytes);
  EXPECT_EQ(found->restored.superblock.current_uuid, 0x50U);
}

TEST_F(BackingTest, WhatIsStillAtTheEarlierEndCountsMoreThanWhatAnEarlierTimeLeftAtTheNewOne) {
  make_disk(large_bytes);
  put_metadata(large_bytes, 0x70);
  put_metadata(small_bytes, 0x50);
  const Replica backing = open_replica();
  EXPECT_EQ(restore(backing, "data", {small_bytes, large_bytes})->backing_bytes, small_bytes);
  EXPECT_EQ(restore(backing, "data", {large_bytes})->backing_bytes, large_bytes);
  EXPECT_EQ(restore(backing, "data", {2 * large_bytes, small_bytes + 4096})->restored.superblock.current_uuid, 0x70U);
}

TEST_F(BackingTest, ADiskThatIsStillInUseIsWaitedForWithPatienceOnly) {
  make_disk(small_bytes);
  auto first = std::make_unique<Backing>(Backing::open(file("disk")).value());
  const auto refused = Backing::open(file("disk"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, "another process uses it");
  // What a killed process leaves in the kernel holds the disk for a while, and nothing tells when it lets go.
  std::jthread release([&first] {
    std::this_thread::sleep_for(milliseconds(30));
    first.reset();
  });
  EXPECT_TRUE(Backing::open(file("disk"), std::nullopt, seconds(60)));
}

TEST_F(BackingTest, TheSizeIsTakenAnew) {
  make_disk(small_bytes);
  auto backing = Backing::open(file("disk")).value();
  std::filesystem::resize_file(file("disk"), large_bytes);
  EXPECT_EQ(backing.bytes(), small_bytes);
  ASSERT_TRUE(backing.measure());
  EXPECT_EQ(backing.bytes(), large_bytes);
}

TEST_F(BackingTest, KnownSizesAreKeptInTheirOrder) {
  const KnownSizes known(file("state/disk-sizes.data.alice"));
  EXPECT_TRUE(known.read().empty());
  ASSERT_TRUE(known.keep_only(1));
  ASSERT_TRUE(known.add(2));
  ASSERT_TRUE(known.add(2));
  ASSERT_TRUE(known.add(1));
  EXPECT_EQ(known.read(), (std::vector<std::uint64_t>{1, 2, 1}));
  ASSERT_TRUE(known.keep_only(2));
  EXPECT_EQ(known.read(), std::vector<std::uint64_t>{2});
}

TEST_F(BackingTest, KnownSizesThatCannotBeWrittenAreAnError) {
  std::ofstream(file("state")).put('x');
  const auto noted = KnownSizes(file("state/disk-sizes.data.alice")).add(1);
  ASSERT_FALSE(noted);
  EXPECT_NE(noted.error().text().find("cannot be noted"), std::string::npos);
}

}  // namespace
}  // namespace bascule::block_host
