#pragma once

#include <span>
#include <string>
#include <vector>

#include "wire/cluster_message/message.h"

/// Several messages of one node to another in one datagram: what a manager says in one breath costs one packet.
namespace bascule::message {

/// Longest bundle: with what seals it and the headers of IPv6 and UDP it fits into an Ethernet frame.
inline constexpr std::size_t bundle_bytes_max = 1200;

/// What `datagram` of encode() takes inside a bundle.
[[nodiscard]] std::size_t bundled_bytes(const Bytes& datagram);
/// One datagram that holds these, in their order; a single one is left as it is. They are all of `sender_id`.
[[nodiscard]] Bytes bundle(std::span<const Bytes> datagrams, std::uint32_t sender_id, const std::string& cluster);

/// The messages of a datagram, bundled or not, in their order, at least one. Refused as a whole if any of them is: by
/// the rules of decode(), of another sender than the bundle, or a bundle itself.
[[nodiscard]] Result<std::vector<Envelope>> decode_all(ByteView datagram, const std::string& cluster);

}  // namespace bascule::message
