#include "runtime/uring/buffer_pool.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <set>

namespace bascule::uring {
namespace {

using Use = BufferPool::Use;

TEST(BufferPool, GivesEachUseItsOwnBuffers) {
  auto pool = std::move(*BufferPool::create({2, 1}));
  std::set<BufferPool::Id> taken;
  while (const auto id = pool->take(Use::application, 4096)) taken.insert(id);
  EXPECT_EQ(taken.size(), 3u) << "two small ones, then the large one";
  EXPECT_NE(pool->take(Use::peer, 4096), 0u);
  for (const auto id : taken) pool->release(id);
  EXPECT_EQ(pool->in_use(Use::application), 0u);
  EXPECT_EQ(pool->bytes(pool->take(Use::application, 1 << 20)).size(), BufferPool::kLargeBytes);
}

TEST(BufferPool, FreesABufferWithItsLastReference) {
  auto pool = std::move(*BufferPool::create({1, 0}));
  const auto id = pool->take(Use::peer, 512);
  pool->retain(id);
  pool->release(id);
  EXPECT_EQ(pool->take(Use::peer, 512), 0u);
  const auto before = pool->frees();
  pool->release(id);
  EXPECT_GT(pool->frees(), before);
  EXPECT_EQ(pool->take(Use::peer, 512), id);
}

TEST(BufferPool, AdoptsForeignIdsEvenWhenTheArenaIsFull) {
  auto pool = std::move(*BufferPool::create({1, 0}));
  for (BufferPool::Id id = 1; id <= 4; ++id) {
    pool->adopt(id, 4096);
    EXPECT_GE(pool->bytes(id).size(), 4096u);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pool->bytes(id).data()) % 4096, 0u);
    pool->bytes(id)[0] = static_cast<Byte>(id);
  }
  for (BufferPool::Id id = 1; id <= 4; ++id) EXPECT_EQ(pool->bytes(id)[0], id);
  for (BufferPool::Id id = 1; id <= 4; ++id) pool->release(id);
  EXPECT_FALSE(pool->known(1));
  EXPECT_EQ(pool->in_use(Use::engine), 0u);
}

TEST(BufferPool, KeepsSomeHeapMemoryForTheNext) {
  auto pool = std::move(*BufferPool::create({1, 0}));
  constexpr std::size_t size = 128 * 1024;
  pool->adopt(1, size - 100);
  Byte* const first = pool->bytes(1).data();
  pool->release(1);
  EXPECT_EQ(pool->spare_bytes(), size);
  pool->adopt(2, size);
  EXPECT_EQ(pool->bytes(2).data(), first);
  EXPECT_EQ(pool->spare_bytes(), 0u);
  for (BufferPool::Id id = 3; id < 3 + 2 * BufferPool::kSpareBytes / size; ++id) pool->adopt(id, size);
  for (BufferPool::Id id = 2; id < 3 + 2 * BufferPool::kSpareBytes / size; ++id) pool->release(id);
  EXPECT_EQ(pool->spare_bytes(), BufferPool::kSpareBytes) << "a burst is not kept for ever";
}

std::size_t pages_in_memory(std::span<Byte> memory) {
  std::vector<unsigned char> pages(memory.size() / 4096);
  EXPECT_EQ(mincore(memory.data(), memory.size(), pages.data()), 0);
  return static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](auto page) { return page & 1; }));
}

TEST(BufferPool, GivesBackWhatABurstTook) {
  auto pool = std::move(*BufferPool::create({1, 3, 1}));
  EXPECT_EQ(pool->kept().size(), 3 * (BufferPool::kSmallBytes + BufferPool::kLargeBytes));
  std::vector<BufferPool::Id> burst;
  while (const auto id = pool->take(Use::engine, BufferPool::kLargeBytes)) burst.push_back(id);
  ASSERT_EQ(burst.size(), 3u);
  EXPECT_EQ(pool->beyond_kept(), 2u) << "the kept one is taken first";
  for (const auto id : burst) std::ranges::fill(pool->bytes(id), Byte{1});
  const auto used = burst[1], idle = burst[2];
  pool->release(burst[0]);
  pool->release(idle);
  ASSERT_EQ(pages_in_memory(pool->bytes(idle)), 256u);
  pool->give_back();
  EXPECT_EQ(pages_in_memory(pool->bytes(idle)), 0u);
  EXPECT_EQ(pages_in_memory(pool->bytes(used)), 256u);
  EXPECT_EQ(pages_in_memory(pool->bytes(burst[0])), 256u) << "kept";
  pool->release(used);
}

TEST(BufferPool, BuffersDoNotOverlapAndArePageAligned) {
  auto pool = std::move(*BufferPool::create({8, 2}));
  std::set<std::uintptr_t> starts;
  for (int i = 0; i < 10; ++i) {
    const auto bytes = pool->bytes(pool->take(Use::engine, 100));
    const auto at = reinterpret_cast<std::uintptr_t>(bytes.data());
    EXPECT_EQ(at % 4096, 0u);
    for (const auto start : starts) EXPECT_TRUE(at >= start + BufferPool::kSmallBytes || at + bytes.size() <= start);
    starts.insert(at);
  }
}

}  // namespace
}  // namespace bascule::uring
