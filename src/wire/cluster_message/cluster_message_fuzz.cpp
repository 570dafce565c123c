#include <cstdlib>

#include "wire/cluster_message/bundle.h"
#include "wire/cluster_message/detail/datagram.h"
#include "wire/cluster_message/message.h"
#include "wire/cluster_message/test_samples.h"

using namespace bascule;

namespace {

/// What is accepted must be written again as something that is accepted and equal.
void check(ByteView datagram) {
  const auto decoded = message::decode(datagram, "fuzz");
  if (!decoded) return;
  const Bytes again = message::encode(*decoded, "fuzz");
  const auto twice = message::decode(again, "fuzz");
  const bool cut = again.size() < datagram.size();  // long texts are cut, JSON loses its spaces
  if (!twice && again.size() <= message::datagram_bytes_max) std::abort();
  if (twice && !cut && message::encode(*twice, "fuzz") != again) std::abort();
}

/// What a bundle holds can be bundled again.
void check_bundle(ByteView datagram) {
  const auto decoded = message::decode_all(datagram, "fuzz");
  if (!decoded) return;
  std::vector<Bytes> parts;
  for (const auto& envelope : *decoded) parts.push_back(message::encode(envelope, "fuzz"));
  const auto again = message::bundle(parts, decoded->front().sender_id, "fuzz");
  const auto twice = message::decode_all(again, "fuzz");
  if (again.size() <= datagram.size() && (!twice || twice->size() != decoded->size())) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  check(input);
  check_bundle(input);
  (void)message::decode_proposal(input);
  // The checksum keeps random input out: so seal it, for each kind, and seal damaged real messages.
  for (int kind = 1; kind <= message::samples::message_kinds; ++kind)
    check(message::detail::seal(static_cast<std::uint8_t>(kind), 1, input, "fuzz"));
  Prng prng(size == 0 ? 0 : data[0]);
  const int kind = static_cast<int>(prng.below(message::samples::message_kinds));
  Bytes sample = message::encode({1, message::samples::message(prng, kind)}, "fuzz");
  Bytes body(sample.begin() + message::detail::header_bytes, sample.end());
  for (std::size_t i = 0; i + 2 < size && !body.empty(); i += 3)
    body[(data[i] * 256u + data[i + 1]) % body.size()] = data[i + 2];
  check(message::detail::seal(static_cast<std::uint8_t>(kind + 1), 1, body, "fuzz"));
  (void)message::decode_proposal(body);
  const auto bundle_kind = static_cast<std::uint8_t>(message::detail::Kind::bundle);
  check_bundle(message::detail::seal(bundle_kind, 1, input, "fuzz"));
  const Bytes both = message::bundle(std::vector<Bytes>{sample, sample}, 1, "fuzz");
  Bytes parts(both.begin() + message::detail::header_bytes, both.end());
  for (std::size_t i = 0; i + 2 < size; i += 3) parts[(data[i] * 256u + data[i + 1]) % parts.size()] = data[i + 2];
  check_bundle(message::detail::seal(bundle_kind, 1, parts, "fuzz"));
  return 0;
}
