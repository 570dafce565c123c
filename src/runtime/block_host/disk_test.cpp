#include "runtime/block_host/disk.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

namespace bascule::block_host {
namespace {

namespace effect = replication::effect;
using replication::WriteKind;

constexpr std::uint64_t kMib = 1 << 20;
constexpr std::uint64_t kFileBytes = 4 * kMib;

/// A disk on a file full of 0x5A.
struct DiskTest : testing::Test, Disk::Events {
  std::string path = testing::TempDir() + "disk_test." + std::to_string(::getpid());
  std::unique_ptr<uring::Ring> ring = uring::Ring::create().value();
  std::unique_ptr<uring::BufferPool> pool = uring::BufferPool::create({4, 4}).value();
  Backing backing;
  std::unique_ptr<Disk> disk;
  std::map<replication::OperationId, replication::input::DiskDone> outcomes;

  void SetUp() override {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    const Bytes piece(kMib, 0x5A);
    for (std::uint64_t at = 0; at < kFileBytes; at += kMib)
      ASSERT_EQ(::pwrite(file, piece.data(), piece.size(), static_cast<off_t>(at)), static_cast<ssize_t>(kMib));
    ::fsync(file);
    ::close(file);
    backing = Backing::open(path).value();
    disk = std::make_unique<Disk>(*ring, *pool, backing, backing, *this);
  }
  void TearDown() override { ::unlink(path.c_str()); }

  void disk_done(replication::input::DiskDone done, bool) override { outcomes[done.operation] = std::move(done); }
  void finish() {
    while (disk->in_flight() > 0) ring->turn();
  }
  int zero(WriteKind kind, std::uint64_t offset, std::uint64_t length, bool durable = false) {
    disk->start(effect::DiskZero{1, offset, length, kind, durable});
    finish();
    return outcomes.at(1).error_number;
  }
  replication::input::DiskDone read(std::uint64_t offset, std::uint32_t length, Digest digest = Digest::none) {
    const auto buffer = pool->take(uring::BufferPool::Use::engine, length);
    disk->start(effect::DiskRead{2, offset, length, buffer, digest, true});
    finish();
    pool->release(buffer);
    return outcomes.at(2);
  }
  [[nodiscard]] std::uint64_t allocated() const {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
};

TEST_F(DiskTest, EachKindOfZeroesReadsAsZeroesAndTouchesNothingElse) {
  for (const WriteKind kind : {WriteKind::discard, WriteKind::zeroes, WriteKind::zeroes_unmap}) {
    const std::uint64_t at = static_cast<std::uint64_t>(kind) * kMib;
    EXPECT_EQ(zero(kind, at, kMib / 2, true), 0);
    EXPECT_TRUE(read(at, kMib / 2).all_zero);
    EXPECT_FALSE(read(at + kMib / 2, 4096).all_zero);
    EXPECT_FALSE(read(at - 4096, 4096).all_zero);
  }
}

TEST_F(DiskTest, WhatAProcessBeforeWroteIsFlushedBeforeTheFirstMetadata) {
  EXPECT_TRUE(disk->may_hold_unflushed_data());
  disk->start(effect::MetadataWrite{3, 0, Bytes(4096, 1)});
  finish();
  EXPECT_EQ(outcomes.at(3).error_number, 0);
  EXPECT_FALSE(disk->may_hold_unflushed_data());
}

TEST_F(DiskTest, ADiscardGivesTheSpaceBack) {
  const std::uint64_t before = allocated();
  ASSERT_EQ(zero(WriteKind::discard, 0, 2 * kMib, true), 0);
  EXPECT_LE(allocated() + kMib, before);
}

TEST_F(DiskTest, ARangeOfSectorsIsExact) {
  EXPECT_EQ(zero(WriteKind::zeroes, 512, 1024), 0);
  EXPECT_TRUE(read(512, 1024).all_zero);
  EXPECT_FALSE(read(0, 512).all_zero);
  EXPECT_FALSE(read(1536, 512).all_zero);
}

TEST_F(DiskTest, AReadCarriesTheDigestThatWasAskedFor) {
  const Bytes expected = digest_of(Digest::sha1, Bytes(4096, 0x5A));
  EXPECT_EQ(read(8192, 4096, Digest::sha1).digest, expected);
  EXPECT_TRUE(read(8192, 4096).digest.empty());
}

TEST_F(DiskTest, MetadataGoToTheirOwnDevice) {
  const std::string metadata_path = path + ".meta";
  ASSERT_EQ(::close(::open(metadata_path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)), 0);
  ASSERT_EQ(::truncate(metadata_path.c_str(), 65536), 0);
  const Backing metadata = Backing::open(metadata_path).value();
  Disk apart(*ring, *pool, backing, metadata, *this);
  const auto buffer = pool->take(uring::BufferPool::Use::engine, 4096);
  apart.start(effect::DiskWrite{3, 0, 4096, buffer, false});
  while (apart.in_flight() > 0) ring->turn();
  apart.start(effect::MetadataWrite{4, 8192, Bytes(4096, 0x77)});
  while (apart.in_flight() > 0) ring->turn();
  pool->release(buffer);
  EXPECT_EQ(outcomes.at(4).error_number, 0);
  EXPECT_EQ(metadata.read(8192, 4096).value(), Bytes(4096, 0x77));
  EXPECT_EQ(metadata.read(4096, 4096).value(), Bytes(4096, 0));
  EXPECT_EQ(backing.read(8192, 4096).value(), Bytes(4096, 0x5A));
  ::unlink(metadata_path.c_str());
}

TEST_F(DiskTest, BehindTheEndIsAnErrorNotAGrownFile) {
  EXPECT_EQ(read(kFileBytes, 4096).error_number, EIO);
  EXPECT_FALSE(read(kFileBytes, 4096).all_zero);
  EXPECT_EQ(zero(WriteKind::discard, kFileBytes, 4096), 0);
  ASSERT_TRUE(backing.measure());
  EXPECT_EQ(backing.bytes(), kFileBytes);
}

}  // namespace
}  // namespace bascule::block_host
