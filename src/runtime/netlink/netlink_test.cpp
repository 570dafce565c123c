#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>

#include <algorithm>
#include <vector>

#include "runtime/netlink/address_guard.h"
#include "runtime/netlink/nft_batch.h"

namespace bascule::netlink {
namespace {

/// The lengths of the messages in a transaction, by walking their headers; empty when they do not add up.
std::vector<std::uint32_t> message_lengths(ByteView bytes) {
  std::vector<std::uint32_t> lengths;
  while (!bytes.empty()) {
    std::uint32_t length = 0;
    if (bytes.size() < sizeof(nlmsghdr)) return {};
    std::memcpy(&length, bytes.data(), sizeof(length));
    if (length < sizeof(nlmsghdr) || length > bytes.size() || length % 4 != 0) return {};
    lengths.push_back(length);
    bytes = bytes.subspan(length);
  }
  return lengths;
}

const Bytes key{10, 0, 0, 1};

TEST(NftBatch, MessagesAddUp) {
  NftBatch batch;
  batch.flush_set(NFPROTO_IPV4, "table", "set");
  batch.add_element(NFPROTO_IPV4, "table", "set", key, 450);
  EXPECT_EQ(message_lengths(batch.finish()).size(), 4u);  // begin, flush, add, end
  EXPECT_FALSE(batch.overflowed());
}

TEST(NftBatch, TheTimeoutIsBigEndianMilliseconds) {
  NftBatch batch;
  batch.add_element(NFPROTO_IPV4, "t", "s", key, 0x0102);
  const ByteView bytes = batch.finish();
  const Bytes wanted{0, 0, 0, 0, 0, 0, 1, 2};
  EXPECT_NE(std::search(bytes.begin(), bytes.end(), wanted.begin(), wanted.end()), bytes.end());
}

TEST(NftBatch, OverflowIsNoticedAndClearForgetsIt) {
  NftBatch batch;
  for (int i = 0; i < 1000; ++i) batch.add_element(NFPROTO_IPV4, "table", "set", key, 450);
  EXPECT_TRUE(batch.overflowed());
  batch.clear();
  batch.flush_set(NFPROTO_ARP, "table", "set");
  EXPECT_FALSE(batch.overflowed());
  EXPECT_EQ(message_lengths(batch.finish()).size(), 3u);
}

TEST(NftBatch, AsManyAddressesAsAreAllowedFit) {
  NftBatch batch;
  const std::size_t sets = 2, families = 3;
  for (std::size_t i = 0; i < sets * families * AddressGuard::addresses_max; ++i)
    batch.add_element(NFPROTO_IPV4, "bascule_lease", "held_even", key, 450);
  EXPECT_FALSE(batch.overflowed());
}

}  // namespace
}  // namespace bascule::netlink
