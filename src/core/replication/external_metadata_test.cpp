// Metadata on a device of their own: where they are written, and what the device's size follows from.
#include "core/replication/testing/external_metadata.h"

#include "core/replication/testing/pairs.h"
#include "core/replication/testing/transcript.h"
#include "core/replication/testing/two_engines.h"

namespace bascule::replication::external_metadata_tests {
namespace {

using namespace replication::testing;  // NOLINT: the tests are made of it
using drbd_metadata::kIndexedBytes;
using drbd_metadata::Placement;

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t before_bitmap = 9 * page;  ///< superblock and activity log
constexpr std::uint64_t page_covers = 128ULL << 20;

// ---- one engine -------------------------------------------------------------------------------------------------

Transcript on(Placement placement, std::uint64_t metadata_bytes) {
  Transcript transcript(Transcript::Setup{
      .configure = [](Config& config) { config.authority = Authority::Operator; },
      .place = [=](Config& config,
                   Restored& restored) { return move_out(config, restored, placement, metadata_bytes); }});
  transcript.play(attach);
  return transcript;
}

constexpr const char* a_write_alone = R"(
    primary 1
    < metadata superblock
    disk
    < volume-promoted
    < done 1 1
    write 1 0 4096
    < metadata activity-log
    disk
    < disk-write 0 4096
    < complete 1 0)";

TEST(ExternalMetadata, EachPartIsWrittenWhereAFlexibleDeviceHasIt) {
  on(Placement::flexible(), before_bitmap + page).play(a_write_alone);
}

TEST(ExternalMetadata, EachPartIsWrittenInTheIndexedPiece) {
  on(Placement::indexed(3), 4 * kIndexedBytes).play(a_write_alone);
}

// ---- two engines, and sizes -------------------------------------------------------------------------------------

/// Both use all of their data devices; Alice's metadata are apart, Bob's behind his data.
TwoEngines mixed_pair(Placement placement, std::uint64_t metadata_bytes) {
  TwoEngines pair;
  const std::uint64_t bobs = drbd_metadata::internal_layout(TwoEngines::backing_bytes).value().usable_sectors;
  pair.both([bobs](EngineNode& node) {
    node.config.size_limit_bytes = 0;
    node.restored.superblock.effective_sectors = bobs;
  });
  move_out(pair.alice.config, pair.alice.restored, placement, metadata_bytes);
  return pair;
}

/// What was written to Alice's metadata device, and how far.
std::uint64_t written_end(const EngineNode& node) {
  std::uint64_t end = 0;
  for (const effect::MetadataWrite& write : node.metadata_writes)
    end = std::max(end, write.offset + write.content.size());
  return end;
}

std::optional<drbd_metadata::Superblock> superblock_at(const EngineNode& node, std::uint64_t offset) {
  std::optional<drbd_metadata::Superblock> found;
  for (const effect::MetadataWrite& write : node.metadata_writes)
    if (write.offset == offset && write.content.size() == page)
      if (auto superblock = drbd_metadata::decode_superblock(write.content)) found = *superblock;
  return found;
}

void measure(TwoEngines& pair, input::BackingSize alice, std::uint64_t bob_bytes) {
  pair.before_sizes = [&pair, alice, bob_bytes](EngineNode& node) {
    pair.give(node, &node == &pair.alice ? alice : input::BackingSize{bob_bytes});
  };
}

const effect::CommandDone& last_answer(const EngineNode& node) { return node.answers.back(); }

void start_primary(TwoEngines& pair) {
  pair.start();
  pair.do_now(pair.alice, input::Promote{1, false, false, 7});
  ASSERT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
}

TEST(ExternalMetadata, AllOfTheDataDeviceIsCapacity) {
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + page);
  pair.alice.config.backing_bytes += 512;  // odd sectors count too, as in the kernel
  pair.start();
  EXPECT_EQ(pair.alice.status().capacity_bytes, TwoEngines::backing_bytes + 512);
  EXPECT_LT(pair.bob.status().capacity_bytes, TwoEngines::backing_bytes);
  EXPECT_EQ(pair.bob.status().peer_capacity_bytes, TwoEngines::backing_bytes + 512);
  EXPECT_EQ(pair.alice.text(), "Secondary Connected UpToDate/UpToDate");
}

TEST(ExternalMetadata, TheDeviceGrowsAndTheMetadataStay) {
  constexpr std::uint64_t grown = 100ULL << 20;
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + page);
  start_primary(pair);
  measure(pair, {grown, before_bitmap + page}, grown);
  pair.do_now(pair.alice, input::Resize{11, grown, 0, false, false, before_bitmap + page}, seconds(10));
  EXPECT_EQ(last_answer(pair.alice).result, drbd::StateChangeResult::Success) << last_answer(pair.alice).why;
  const std::uint64_t usable = drbd_metadata::internal_layout(grown).value().usable_sectors;
  EXPECT_EQ(pair.alice.status().size_bytes, usable * 512);
  EXPECT_EQ(pair.bob.status().size_bytes, usable * 512);
  EXPECT_EQ(superblock_at(pair.alice, 0)->effective_sectors, usable);
  EXPECT_EQ(written_end(pair.alice), before_bitmap + page);
  EXPECT_FALSE(pair.alice.has_event("the metadata are at its end"));
  EXPECT_TRUE(pair.bob.has_event("the metadata are at its end"));
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
}

/// A peer that measures before it hears the question does not answer it by announcing what it has just seen.
TEST(ExternalMetadata, BothGrowToTheNamedSizeAndTheQuestionIsAnsweredByItsAnswer) {
  constexpr std::uint64_t grown = 100ULL << 20;
  constexpr std::uint64_t wanted = 64ULL << 20;
  TwoEngines pair;
  pair.both([](EngineNode& node) {
    move_out(node.config, node.restored, Placement::flexible(), before_bitmap + page);
    node.config.backing_bytes = node.restored.superblock.effective_sectors * 512;
  });
  start_primary(pair);
  pair.before_sizes = [&pair](EngineNode& node) { pair.give(node, input::BackingSize{grown, before_bitmap + page}); };
  pair.do_now(pair.alice, input::Resize{11, grown, wanted / 512, false, false, before_bitmap + page}, seconds(10));
  EXPECT_EQ(last_answer(pair.alice).result, drbd::StateChangeResult::Success) << last_answer(pair.alice).why;
  EXPECT_EQ(pair.alice.status().size_bytes, wanted);
  EXPECT_EQ(pair.bob.status().size_bytes, wanted);
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
}

/// What is on disk never promises bits that are not.
TEST(ExternalMetadata, TheNewBitsAreWrittenBeforeTheNewSize) {
  constexpr std::uint64_t grown = 200ULL << 20;
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + 2 * page);
  start_primary(pair);
  pair.alice.metadata_writes.clear();
  measure(pair, {grown, before_bitmap + 2 * page}, grown);
  pair.do_now(pair.alice, input::Resize{11, grown, 0, false, false, before_bitmap + 2 * page}, seconds(10));
  bool second_page = false;
  for (const effect::MetadataWrite& write : pair.alice.metadata_writes) {
    second_page |= write.offset + write.content.size() == before_bitmap + 2 * page;
    if (write.offset != 0) continue;
    const auto sectors = drbd_metadata::decode_superblock(write.content)->effective_sectors;
    EXPECT_TRUE(second_page || sectors * 512 < page_covers);
  }
  EXPECT_GT(pair.alice.status().size_bytes, page_covers);
}

TEST(ExternalMetadata, ABitmapThatHasNoRoomRefusesANamedSizeInWords) {
  constexpr std::uint64_t grown = 200ULL << 20;
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + page);
  start_primary(pair);
  measure(pair, {grown, before_bitmap + page}, grown);
  pair.do_now(pair.alice, input::Resize{11, grown, grown / 512 - 4096, false, false, before_bitmap + page},
              seconds(10));
  EXPECT_EQ(last_answer(pair.alice).result, drbd::StateChangeResult::NotSupported);
  EXPECT_NE(last_answer(pair.alice).why.find("metadata device is too small"), std::string::npos)
      << last_answer(pair.alice).why;
  EXPECT_EQ(pair.alice.status().size_bytes, pair.bob.status().size_bytes);
  EXPECT_LE(pair.alice.status().size_bytes, page_covers);
}

TEST(ExternalMetadata, WithoutANamedSizeItGrowsAsFarAsTheBitmapGoes) {
  constexpr std::uint64_t grown = 200ULL << 20;
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + page);
  start_primary(pair);
  measure(pair, {grown, before_bitmap + page}, grown);
  pair.do_now(pair.alice, input::Resize{11, grown, 0, false, false, before_bitmap + page}, seconds(10));
  EXPECT_EQ(pair.alice.status().size_bytes, page_covers);
  EXPECT_EQ(written_end(pair.alice), before_bitmap + page);
  pair.do_now(pair.alice, input::Resize{12, grown, 0, false, false, before_bitmap + page}, seconds(10));
  EXPECT_EQ(last_answer(pair.alice).result, drbd::StateChangeResult::NothingToDo);
  EXPECT_NE(last_answer(pair.alice).why.find("metadata device is too small"), std::string::npos)
      << last_answer(pair.alice).why;
}

TEST(ExternalMetadata, AMetadataDeviceThatHasGrownIsUsed) {
  constexpr std::uint64_t grown = 200ULL << 20;
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + page);
  start_primary(pair);
  measure(pair, {grown, before_bitmap + 2 * page}, grown);
  pair.do_now(pair.alice, input::Resize{11, grown, 0, false, false, before_bitmap + 2 * page}, seconds(10));
  EXPECT_EQ(pair.alice.status().size_bytes, drbd_metadata::internal_layout(grown).value().usable_sectors * 512);
  EXPECT_EQ(superblock_at(pair.alice, 0)->metadata_sectors, (before_bitmap + 2 * page) / 512);
}

TEST(ExternalMetadata, ADataDeviceThatHasBecomeTooSmallIsRefused) {
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + page);
  start_primary(pair);
  const std::uint64_t size = pair.alice.status().size_bytes;
  pair.do_now(pair.alice, input::Resize{11, 8ULL << 20, 0, false, false, before_bitmap + page});
  EXPECT_EQ(last_answer(pair.alice).result, drbd::StateChangeResult::NotSupported);
  EXPECT_NE(last_answer(pair.alice).why.find("too small"), std::string::npos) << last_answer(pair.alice).why;
  EXPECT_EQ(pair.alice.status().size_bytes, size);
  EXPECT_EQ(pair.alice.status().capacity_bytes, TwoEngines::backing_bytes);
}

TEST(ExternalMetadata, ADetachedDiskComesBackWithBothSizes) {
  TwoEngines pair = mixed_pair(Placement::indexed(1), 2 * kIndexedBytes);
  start_primary(pair);
  pair.do_now(pair.alice, input::Detach{11});
  EXPECT_EQ(pair.alice.text(), "Primary Connected Diskless/UpToDate");
  Restored again = pair.alice.restored;
  again.superblock = *superblock_at(pair.alice, kIndexedBytes);
  pair.alice.metadata_writes.clear();
  pair.do_now(pair.alice, input::Attach{12, again, TwoEngines::backing_bytes, 2 * kIndexedBytes}, seconds(5));
  EXPECT_EQ(last_answer(pair.alice).result, drbd::StateChangeResult::Success) << last_answer(pair.alice).why;
  EXPECT_EQ(pair.alice.text(), "Primary Connected UpToDate/UpToDate");
  for (const effect::MetadataWrite& write : pair.alice.metadata_writes) EXPECT_GE(write.offset, kIndexedBytes);
}

TEST(ExternalMetadata, ADiskIsRefusedWhoseMetadataCoverLessThanTheySay) {
  TwoEngines pair = mixed_pair(Placement::flexible(), before_bitmap + page);
  start_primary(pair);
  pair.do_now(pair.alice, input::Detach{11});
  Restored again = pair.alice.restored;
  again.superblock = *superblock_at(pair.alice, 0);
  pair.do_now(pair.alice, input::Attach{12, again, 4096, before_bitmap + page});
  EXPECT_NE(last_answer(pair.alice).why.find("smaller than its metadata say"), std::string::npos)
      << last_answer(pair.alice).why;
  EXPECT_EQ(pair.alice.text(), "Primary Connected Diskless/UpToDate");
}

}  // namespace
}  // namespace bascule::replication::external_metadata_tests
