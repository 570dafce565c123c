#include "wire/cluster_message/bundle.h"

#include <gtest/gtest.h>

#include "wire/cluster_message/detail/datagram.h"
#include "wire/cluster_message/test_samples.h"

namespace bascule::message {
namespace {

const std::string of_bundles = "boutique";

Bytes datagram_of(Prng& prng, int kind, std::uint32_t sender = 3) {
  return encode({sender, samples::message(prng, kind)}, of_bundles);
}

Bytes bundle_of(std::vector<Bytes> parts) { return bundle(parts, 3, of_bundles); }

TEST(Bundle, KeepsEveryMessageInItsOrder) {
  Prng prng(1);
  std::vector<Bytes> parts;
  for (int kind = 0; kind < samples::message_kinds; ++kind) parts.push_back(datagram_of(prng, kind));
  const auto decoded = decode_all(bundle_of(parts), of_bundles);
  ASSERT_TRUE(decoded) << decoded.error().text();
  ASSERT_EQ(decoded->size(), parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) EXPECT_EQ(encode((*decoded)[i], of_bundles), parts[i]);
}

TEST(Bundle, OfOneIsTheDatagramItself) {
  Prng prng(2);
  const Bytes one = datagram_of(prng, 1);
  EXPECT_EQ(bundle_of({one}), one);
  const auto decoded = decode_all(one, of_bundles);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->size(), 1u);
}

TEST(Bundle, TakesWhatItSays) {
  Prng prng(3);
  const std::vector<Bytes> parts = {datagram_of(prng, 1), datagram_of(prng, 2)};
  EXPECT_EQ(bundle(parts, 3, of_bundles).size(),
            detail::header_bytes + bundled_bytes(parts[0]) + bundled_bytes(parts[1]));
}

TEST(Bundle, IsRefusedAsAWhole) {
  Prng prng(4);
  const Bytes one = datagram_of(prng, 1), two = datagram_of(prng, 2);
  EXPECT_FALSE(decode_all(bundle_of({one, bundle_of({one, two})}), of_bundles)) << "a bundle in it";
  EXPECT_FALSE(decode_all(bundle_of({one, datagram_of(prng, 2, 4)}), of_bundles)) << "of another sender";
  Bytes damaged = two;
  damaged.back() ^= 1;
  EXPECT_FALSE(decode_all(bundle_of({one, damaged}), of_bundles)) << "damaged inside";
  EXPECT_FALSE(decode_all(detail::seal(7, 3, {}, of_bundles), of_bundles)) << "empty";
  EXPECT_FALSE(decode(bundle_of({one, two}), of_bundles)) << "not a message by itself";
}

TEST(Bundle, CutAnywhereIsRefused) {
  Prng prng(5);
  const Bytes whole = bundle_of({datagram_of(prng, 1), datagram_of(prng, 2)});
  for (std::size_t size = detail::header_bytes; size < whole.size(); ++size) {
    const ByteView body = ByteView(whole).first(size).subspan(detail::header_bytes);
    const auto decoded = decode_all(detail::seal(7, 3, body, of_bundles), of_bundles);
    EXPECT_TRUE(!decoded || decoded->size() == 1) << size;
  }
}

}  // namespace
}  // namespace bascule::message
