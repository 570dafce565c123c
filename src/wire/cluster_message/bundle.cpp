#include "wire/cluster_message/bundle.h"

#include "wire/cluster_message/detail/datagram.h"

namespace bascule::message {
namespace {

constexpr std::size_t kind_offset = 5;

bool is_bundle(ByteView datagram) {
  return datagram.size() >= detail::header_bytes && datagram[kind_offset] == static_cast<Byte>(detail::Kind::bundle);
}

}  // namespace

std::size_t bundled_bytes(const Bytes& datagram) { return sizeof(std::uint16_t) + datagram.size(); }

Bytes bundle(std::span<const Bytes> datagrams, std::uint32_t sender_id, const std::string& cluster) {
  if (datagrams.size() == 1) return datagrams.front();
  Bytes body;
  for (const Bytes& one : datagrams) ByteWriter(body).big(static_cast<std::uint16_t>(one.size())).bytes(one);
  return detail::seal(static_cast<std::uint8_t>(detail::Kind::bundle), sender_id, body, cluster);
}

Result<std::vector<Envelope>> decode_all(ByteView datagram, const std::string& cluster) {
  std::vector<Envelope> envelopes;
  if (!is_bundle(datagram)) {
    auto single = decode(datagram, cluster);
    if (!single) return tl::unexpected(std::move(single).error());
    envelopes.push_back(std::move(*single));
    return envelopes;
  }
  const auto opened = detail::open(datagram, cluster);
  if (!opened) return tl::unexpected(opened.error());
  ByteReader reader(opened->body);
  do {
    const auto part = reader.take(reader.big<std::uint16_t>());
    if (!reader.ok()) return detail::refuse("a bundle is damaged");
    auto envelope = decode(part, cluster);
    if (!envelope) return tl::unexpected(std::move(envelope).error());
    if (envelope->sender_id != opened->sender_id) return detail::refuse("a bundle is of several senders");
    envelopes.push_back(std::move(*envelope));
  } while (!reader.ok_and_done());
  return envelopes;
}

}  // namespace bascule::message
