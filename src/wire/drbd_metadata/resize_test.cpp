#include "wire/drbd_metadata/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "wire/drbd_metadata/detail/random_metadata.h"

namespace bascule::drbd_metadata {
namespace {

/// A disk that keeps what was flushed; of what was not, any sector may be lost.
class CrashingDisk {
 public:
  explicit CrashingDisk(std::uint64_t bytes) : durable_(bytes, 0) {}

  void put(std::uint64_t offset, ByteView bytes) {
    ASSERT_LE(offset + bytes.size(), durable_.size());
    std::ranges::copy(bytes, durable_.begin() + static_cast<std::ptrdiff_t>(offset));
  }
  void run(const Step& step) {
    if (step.kind == Step::Kind::Flush) {
      for (const Step& write : pending_) put(write.offset, write.bytes);
      pending_.clear();
    } else {
      Step write = step;
      if (step.kind == Step::Kind::Zero) write.bytes.assign(step.length, 0);
      pending_.push_back(std::move(write));
    }
  }
  /// What is on the disk after a loss of power.
  [[nodiscard]] Bytes after_crash(Prng& prng) const {
    Bytes found = durable_;
    const std::uint64_t kept_of_four = prng.below(5);  // from nothing to everything
    for (const Step& write : pending_)
      for (std::size_t at = 0; at < write.bytes.size(); at += kSectorBytes)
        if (prng.chance(kept_of_four, 4))
          std::copy_n(write.bytes.begin() + static_cast<std::ptrdiff_t>(at), kSectorBytes,
                      found.begin() + static_cast<std::ptrdiff_t>(write.offset + at));
    return found;
  }
  [[nodiscard]] const Bytes& durable() const { return durable_; }

 private:
  Bytes durable_;
  Steps pending_;
};

struct Located {
  Metadata metadata;
  Layout layout;
};

std::optional<Located> locate_at(const Bytes& disk, Placement placement, std::uint64_t device_bytes) {
  const auto offset = superblock_offset(placement, device_bytes);
  if (!offset || *offset + kBlockBytes > disk.size()) return std::nullopt;
  const auto metadata = decode_metadata(ByteView(disk).subspan(*offset, kBlockBytes));
  if (!metadata) return std::nullopt;
  const auto place = layout(placement, kUnknownBytes, device_bytes, metadata->shape());
  if (!place || !check(*metadata, *place)) return std::nullopt;
  return Located{*metadata, *place};
}

Bytes area_at(const Bytes& disk, const Located& found) {
  const auto first = disk.begin() + static_cast<std::ptrdiff_t>(found.layout.bitmap_offset);
  const auto length = bitmap_bytes_for(found.metadata.effective_sectors, found.metadata.slots);
  return {first, first + static_cast<std::ptrdiff_t>(length)};
}

/// One resize: a device of one size with metadata and data, and where the metadata shall go.
struct Case {
  Placement placement;
  std::uint64_t old_bytes = 0, new_bytes = 0;
  Resize resize;
  Bytes area, data;
};

std::uint64_t other_size(Prng& prng, std::uint64_t bytes) {
  constexpr std::array<std::uint64_t, 6> kSteps{0, 512, 4096, 20480, 65536, 1 << 20};
  const std::uint64_t by = kSteps[prng.below(kSteps.size())];
  return prng.chance(2, 3) ? bytes + by : bytes - std::min(by, bytes / 2);
}

std::optional<Case> random_case(Prng& prng) {
  Case made;
  made.placement = prng.chance(4, 5) ? Placement::internal() : Placement::flexible();
  const Format format = prng.chance(1, 2) ? Format::V09 : Format::V08;
  const MetadataShape shape{.activity_log = {1, 8},
                            .slots = format == Format::V08 ? 1 : static_cast<std::uint32_t>(1 + prng.below(31))};
  made.old_bytes = (300ULL << 10) + prng.below(4000) * kSectorBytes;
  made.new_bytes = other_size(prng, made.old_bytes);
  MetadataShape wanted = shape;
  if (prng.chance(1, 3)) wanted.activity_log = {2, 8};
  const auto from = layout(made.placement, kUnknownBytes, made.old_bytes, shape);
  const auto to = layout(made.placement, kUnknownBytes, made.new_bytes, wanted);
  if (!from || !to) return std::nullopt;
  made.resize = {detail::random_superblock(prng, shape, *from, format), *from, *to, wanted.activity_log};
  Metadata& metadata = made.resize.metadata;
  metadata.unclean = false;
  metadata.flags = (metadata.flags | flag::kActivityLogClean) & ~flag::kActivityLogDisabled;
  metadata.effective_sectors = prng.below(std::min(from->usable_sectors, 4096UL) + 1);
  if (metadata.effective_sectors > to->usable_sectors) return std::nullopt;
  made.area = detail::random_area(prng, bitmap_bytes_for(metadata.effective_sectors, shape.slots));
  if (made.placement.kind == Placement::Kind::Internal) made.data.resize(metadata.effective_sectors * kSectorBytes);
  for (Byte& byte : made.data) byte = static_cast<Byte>(prng.next());
  return made;
}

CrashingDisk prepared(Prng& prng, const Case& made) {
  CrashingDisk disk(std::max(made.old_bytes, made.new_bytes));
  Bytes noise(disk.durable().size());
  for (Byte& byte : noise) byte = static_cast<Byte>(prng.next());
  disk.put(0, noise);
  disk.put(0, made.data);
  disk.put(made.resize.from.bitmap_offset, made.area);
  disk.put(made.resize.from.activity_log_offset, initial_ring({}));
  disk.put(made.resize.from.superblock_offset, encode_metadata(made.resize.metadata));
  return disk;
}

/// The end the device has now is looked at first: a grown one is at its new size, one that will shrink at its old.
std::optional<Located> locate(const Bytes& disk, const Case& made) {
  const std::uint64_t now = std::max(made.old_bytes, made.new_bytes);
  if (auto found = locate_at(disk, made.placement, now)) return found;
  return locate_at(disk, made.placement, std::min(made.old_bytes, made.new_bytes));
}

void expect_attachable_and_covering(const Bytes& disk, const Case& made, std::size_t step) {
  const auto found = locate(disk, made);
  ASSERT_TRUE(found) << "nothing to attach after step " << step;
  EXPECT_TRUE(found->metadata.clean());
  EXPECT_EQ(found->metadata.current_uuid, made.resize.metadata.current_uuid);
  EXPECT_EQ(found->metadata.effective_sectors, made.resize.metadata.effective_sectors);
  const bool covered = everything_out_of_sync(found->metadata) || area_at(disk, *found) == made.area;
  EXPECT_TRUE(covered) << "after step " << step;
  EXPECT_TRUE(std::equal(made.data.begin(), made.data.end(), disk.begin())) << "data changed by step " << step;
}

TEST(Resize, MayBeCutAfterEveryStep) {
  Prng prng(2026);
  int cases = 0, cuts = 0;
  while (cases < 120) {
    const auto made = random_case(prng);
    if (!made) continue;
    const auto plan = plan_resize(made->resize, made->area);
    ASSERT_TRUE(plan) << plan.error().text();
    ++cases;
    CrashingDisk disk = prepared(prng, *made);
    for (std::size_t step = 0; step < plan->steps.size(); ++step) {
      disk.run(plan->steps[step]);
      for (int tearing = 0; tearing < 4; ++tearing, ++cuts)
        expect_attachable_and_covering(disk.after_crash(prng), *made, step);
      if (HasFatalFailure()) return;
    }
    const auto last = locate_at(disk.durable(), made->placement, made->new_bytes);
    ASSERT_TRUE(last);
    EXPECT_EQ(last->metadata, plan->metadata);
    EXPECT_EQ(last->layout, made->resize.to);
    EXPECT_EQ(area_at(disk.durable(), *last), made->area);
    const bool stays = made->resize.from.superblock_offset == made->resize.to.superblock_offset;
    const bool old_is_there = locate_at(disk.durable(), made->placement, made->old_bytes).has_value();
    EXPECT_TRUE(stays || !old_is_there) << "two sets of metadata";
  }
  EXPECT_GT(cuts, 2000);
}

/// A torn mark may stay on some peers of v09: they get a full sync that was not needed.
Metadata without_mark(Metadata metadata) {
  metadata.flags &= ~flag::kActivityLogDisabled;
  for (PeerRecord& peer : metadata.peers) peer.flags &= ~peer_flag::kFullSync;
  return metadata;
}

/// A second run, made from what the crash left, ends where the first would have ended, or with everything out of sync.
TEST(Resize, IsCompletedByASecondRun) {
  Prng prng(99);
  for (int i = 0; i < 100; ++i) {
    const auto made = random_case(prng);
    if (!made) continue;
    const auto plan = plan_resize(made->resize, made->area);
    ASSERT_TRUE(plan);
    if (plan->steps.empty()) continue;
    CrashingDisk disk = prepared(prng, *made);
    const std::size_t cut = prng.below(plan->steps.size());
    for (std::size_t step = 0; step <= cut; ++step) disk.run(plan->steps[step]);
    const Bytes left = disk.after_crash(prng);
    const auto found = locate(left, *made);
    ASSERT_TRUE(found);
    const auto again = plan_resize({found->metadata, found->layout, made->resize.to, made->resize.activity_log},
                                   area_at(left, *found));
    ASSERT_TRUE(again) << again.error().text();
    CrashingDisk second(left.size());
    second.put(0, left);
    for (const Step& step : again->steps) second.run(step);
    const auto last = locate_at(second.durable(), made->placement, made->new_bytes);
    ASSERT_TRUE(last);
    EXPECT_EQ(without_mark(last->metadata), without_mark(plan->metadata));
    const bool covered = everything_out_of_sync(last->metadata) || area_at(second.durable(), *last) == made->area;
    EXPECT_TRUE(covered);
  }
}

TEST(Resize, GrowingWellBeyondTheOldMetadataNeverNeedsAFullSync) {
  Metadata metadata = *create({}, *internal_layout(1 << 20));
  const Resize resize{metadata, *internal_layout(1 << 20), *internal_layout(4 << 20), {}};
  const auto plan = plan_resize(resize, {});
  ASSERT_TRUE(plan);
  for (const Step& step : plan->steps) {
    const auto written = step.bytes.size() == kBlockBytes ? decode_metadata(step.bytes) : tl::unexpected(Error{});
    EXPECT_FALSE(written && everything_out_of_sync(*written));
  }
}

TEST(Resize, RefusesWhatWouldLoseDataOrHotExtents) {
  const Layout large = *internal_layout(4 << 20);
  Metadata metadata = *create({}, large);
  metadata.effective_sectors = large.usable_sectors;
  const Resize shrink{metadata, large, *internal_layout(1 << 20), {}};
  EXPECT_EQ(plan_resize(shrink, {}).error().where, "la_size_sect");
  metadata.unclean = true;
  EXPECT_EQ(plan_resize({metadata, large, *internal_layout(8 << 20), {}}, {}).error().hint, "apply-al first");
  metadata.unclean = false;
  EXPECT_TRUE(plan_resize({metadata, large, large, metadata.activity_log}, {})->steps.empty());
}

}  // namespace
}  // namespace bascule::drbd_metadata
