// Internal metadata of a disk that has grown are cut off at every point of their way to its new end: what is found then
// is attached, and says everything that the node has written.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/prng.h"
#include "core/replication/canary.h"
#include "core/replication/engine.h"
#include "wire/drbd_metadata/metadata.h"

namespace bascule::replication::resize_crash_tests {
namespace {

constexpr std::uint64_t block_bytes = 4096;
constexpr std::uint64_t generation = 0x1111222233334440ULL;

/// The blocks of a disk that somebody has written.
class SparseDisk {
 public:
  void write_sector(std::uint64_t offset, ByteView sector) {
    Bytes& block = blocks_.try_emplace(offset / block_bytes, Bytes(block_bytes)).first->second;
    std::copy(sector.begin(), sector.end(), block.begin() + static_cast<std::ptrdiff_t>(offset % block_bytes));
  }
  void write(std::uint64_t offset, ByteView bytes) {
    for (std::size_t at = 0; at < bytes.size(); at += 512) write_sector(offset + at, bytes.subspan(at, 512));
  }
  [[nodiscard]] Bytes read(std::uint64_t offset, std::uint64_t length) const {
    Bytes bytes;
    for (std::uint64_t at = offset; at < offset + length; at += block_bytes) {
      const auto block = blocks_.find(at / block_bytes);
      const Bytes content = block == blocks_.end() ? Bytes(block_bytes) : block->second;
      bytes.insert(bytes.end(), content.begin(), content.end());
    }
    return bytes;
  }

 private:
  std::map<std::uint64_t, Bytes> blocks_;
};

std::optional<drbd_metadata::Superblock> superblock_at(const SparseDisk& disk, std::uint64_t backing) {
  const auto layout = drbd_metadata::internal_layout(backing).value();
  auto superblock = drbd_metadata::decode_superblock(disk.read(layout.superblock_offset, block_bytes));
  if (!superblock || !drbd_metadata::check_internal(*superblock, backing)) return std::nullopt;
  return *superblock;
}

/// One Primary without a peer, that writes while its metadata move; power may fail between any two of its effects.
class MovingNode {
 public:
  MovingNode(std::uint64_t seed, std::uint64_t before, std::uint64_t after, std::uint32_t canaries = 0)
      : prng_(seed), before_(before), after_(after), canaries_(canaries) {
    auto created = drbd_metadata::create_v08(before).value();
    device_bytes_ = created.layout.usable_sectors * 512;
    created.superblock.current_uuid = generation;
    created.superblock.effective_sectors = created.layout.usable_sectors;
    created.superblock.flags |= drbd_metadata::flag::kConsistent | drbd_metadata::flag::kWasUpToDate;
    disk_.write(created.layout.activity_log_offset, created.image);
    disk_.write(created.layout.superblock_offset, drbd_metadata::encode_superblock(created.superblock));
  }

  /// As a driver does it: the earlier end counts as long as there is something. False: there is nothing at either.
  [[nodiscard]] bool start() {
    found_ = superblock_at(disk_, before_) ? before_ : after_;
    const auto superblock = superblock_at(disk_, found_);
    if (!superblock) return false;
    const auto layout = drbd_metadata::internal_layout(found_).value();
    Config config;
    config.self = "alice";
    config.peer = "bob";
    config.authority = Authority::Operator;
    config.backing_bytes = found_;
    config.al_extents = 3;
    config.canaries = canaries_;
    Restored restored{*superblock, disk_.read(layout.bitmap_offset, layout.bitmap_bytes),
                      disk_.read(layout.activity_log_offset, superblock->shape().blocks() * block_bytes)};
    engine_.emplace(config, std::move(restored), now_);
    step(input::Tick{});
    while (!in_flight_.empty()) complete_one();
    return true;
  }
  void promote() { step(input::Promote{1, false, true, 1}); }
  void grow() { step(input::BackingSize{after_}); }
  void write_somewhere() {
    const std::uint64_t block = prng_.below(device_bytes_ / block_bytes);
    step(input::Write{next_request_, block * block_bytes, block_bytes, static_cast<BufferId>(next_request_), false});
    ++next_request_;
  }
  void complete_one() {
    if (in_flight_.empty()) return;
    const std::size_t which = prng_.below(in_flight_.size());
    const effect::MetadataWrite write = std::move(in_flight_[which]);
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(which));
    disk_.write(write.offset, write.content);
    step(input::DiskDone{write.operation, 0});
  }
  void lose_power() {
    for (const effect::MetadataWrite& write : in_flight_) {
      const std::uint64_t fate = prng_.below(3);  // lost, kept, torn
      for (std::size_t at = 0; at < write.content.size(); at += 512)
        if (fate == 1 || (fate == 2 && prng_.chance(1, 2)))
          disk_.write_sector(write.offset + at, ByteView(write.content).subspan(at, 512));
    }
    in_flight_.clear();
    engine_.reset();
  }
  void finish() {
    for (int turn = 0; turn < 5000 && !in_flight_.empty(); ++turn) complete_one();
  }

  [[nodiscard]] bool busy() const { return !in_flight_.empty(); }
  [[nodiscard]] bool moved() const { return moved_ || found_ == after_; }
  [[nodiscard]] const SparseDisk& disk() const { return disk_; }
  [[nodiscard]] const Engine& engine() const { return *engine_; }
  [[nodiscard]] std::uint64_t device_bytes() const { return device_bytes_; }
  /// A block that has reached the disk, perhaps, and is not marked.
  [[nodiscard]] std::optional<std::uint64_t> unmarked() const {
    for (const std::uint64_t block : written_)
      if (!engine_->bitmap().test(block)) return block;
    return std::nullopt;
  }

 private:
  void step(const Input& input) {
    Effects effects;
    now_ += microseconds(10);
    engine_->step(input, now_, effects);
    for (Effect& effect : effects) std::visit([this](auto& each) { carry_out(each); }, effect);
    while (!answers_.empty()) {
      const Input next = std::move(answers_.front());
      answers_.erase(answers_.begin());
      step(next);
    }
  }
  void carry_out(effect::MetadataWrite& write) { in_flight_.push_back(std::move(write)); }
  void carry_out(effect::DiskWrite& write) {
    for (std::uint64_t at = 0; at < write.length; at += block_bytes) written_.insert((write.offset + at) / block_bytes);
    answers_.emplace_back(input::DiskDone{write.operation, 0});
  }
  void carry_out(effect::DiskFlush& flush) { answers_.emplace_back(input::DiskDone{flush.operation, 0}); }
  void carry_out(effect::Connect& connect) { answers_.emplace_back(input::SocketClosed{connect.socket, "nobody"}); }
  void carry_out(effect::RunHandler& handler) {
    if (handler.number != 0) answers_.emplace_back(input::HandlerDone{handler.number, -1});
  }
  void carry_out(effect::MetadataMoved& moved) { moved_ = moved.backing_bytes == after_; }
  template <typename Other>
  void carry_out(const Other&) {}

  Prng prng_;
  std::uint64_t before_, after_, device_bytes_ = 0, found_ = 0;
  std::uint32_t canaries_;
  SparseDisk disk_;
  std::optional<Engine> engine_;
  std::vector<effect::MetadataWrite> in_flight_;
  std::vector<Input> answers_;
  std::set<std::uint64_t> written_;
  RequestId next_request_ = 1;
  Instant now_ = instant_from_ns(1'000'000);
  bool moved_ = false;
};

struct Growth {
  const char* what;
  std::uint64_t before, after;
};
constexpr std::uint64_t mib = 1ULL << 20;
const Growth growths[] = {
    {"clear of the old metadata", 8 * mib, 32 * mib},
    {"over a page of the bitmap", 100 * mib, 400 * mib},
    {"by less than the metadata take", 8 * mib, 8 * mib + 8192},
    {"by one block", 64 * mib, 64 * mib + 4096},
    {"just clear", 8 * mib, 8 * mib + 44 * 1024},
    {"a size that is no multiple of a block", 8 * mib + 512, 12 * mib + 1536},
};

/// What is wrong with what was found; empty: nothing.
std::string fault_of(const MovingNode& node) {
  if (const auto block = node.unmarked()) return "block " + std::to_string(*block) + " was written, and is not marked";
  const Status status = node.engine().status();
  if (status.size_bytes != node.device_bytes()) return "the device has another size";
  return status.disk == drbd::DiskState::UpToDate ? "" : "the disk is not UpToDate";
}

/// And with the metadata when their move is over. The size stays: the peer has not agreed to another one.
std::string fault_at_the_end(const MovingNode& node, const Growth& growth) {
  const auto superblock = superblock_at(node.disk(), growth.after);
  if (!node.moved() || !superblock) return "the metadata are not at the new end";
  if (superblock_at(node.disk(), growth.before)) return "the metadata are at the old end, too";
  if (superblock->effective_sectors * 512 != node.device_bytes()) return "the size on disk has changed";
  const bool marked =
      (superblock->flags & (drbd_metadata::flag::kFullSync | drbd_metadata::flag::kActivityLogDisabled)) != 0;
  return marked ? "the marks of the move are left" : "";
}

/// Writes before, during and between; the power fails up to three times.
std::string grow_with_crashes(std::uint64_t seed, const Growth& growth, std::uint32_t canaries = 0) {
  Prng prng(seed * 77 + 5);
  MovingNode node(seed, growth.before, growth.after, canaries);
  const std::uint64_t crashes = prng.below(4);
  for (std::uint64_t life = 0; life <= crashes; ++life) {
    if (!node.start()) return "no metadata at either end";
    if (std::string fault = fault_of(node); !fault.empty()) return fault;
    node.promote();
    for (std::uint64_t i = prng.below(20); i > 0; --i) prng.chance(1, 3) ? node.write_somewhere() : node.complete_one();
    node.grow();
    for (std::uint64_t i = prng.below(40); i > 0; --i) prng.chance(1, 4) ? node.write_somewhere() : node.complete_one();
    if (life != crashes) node.lose_power();
  }
  node.finish();
  if (std::string fault = fault_at_the_end(node, growth); !fault.empty()) return fault;
  node.lose_power();
  return node.start() ? fault_of(node) : "no metadata at the end";
}

TEST(ResizeCrash, WhatIsFoundSaysEverythingThatWasWritten) {
  for (const Growth& growth : growths)
    for (std::uint64_t seed = 1; seed <= 120; ++seed)
      ASSERT_EQ(grow_with_crashes(seed, growth), "") << growth.what << ", seed " << seed;
}

/// A move that is broken on purpose must be found, wherever the metadata go.
void expect_found(std::uint32_t canary) {
  for (const Growth& growth : growths) {
    std::uint64_t seed = 1;
    while (seed <= 120 && grow_with_crashes(seed, growth, canary).empty()) ++seed;
    EXPECT_LE(seed, 120U) << "not found: " << growth.what;
  }
}

namespace canary = detail::canary;

TEST(ResizeCanary, WritingTheNewSuperblockBeforeTheBitmapIsFound) { expect_found(canary::kMoveAtOnce); }
TEST(ResizeCanary, LeavingTheHotExtentsBehindIsFound) { expect_found(canary::kMoveWithoutLog); }

TEST(ResizeCrash, HotExtentsGoAlong) {
  // Nothing of the move is lost here, but the Primary dies behind it: what was hot before must be marked.
  MovingNode node(3, 64 * mib, 128 * mib);
  ASSERT_TRUE(node.start());
  node.promote();
  for (int i = 0; i < 40; ++i) i % 8 == 0 ? node.write_somewhere() : node.complete_one();
  node.finish();
  node.grow();
  node.finish();
  ASSERT_TRUE(node.moved());
  node.lose_power();
  ASSERT_TRUE(node.start());
  EXPECT_FALSE(node.unmarked());
  // And no more than the extents that were hot, or marked before.
  EXPECT_LE(node.engine().status().out_of_sync_bytes, 5 * (4 * mib));
}

}  // namespace
}  // namespace bascule::replication::resize_crash_tests
