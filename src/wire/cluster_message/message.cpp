#include "wire/cluster_message/message.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/crc32c.h"
#include "wire/cluster_message/detail/datagram.h"
#include "wire/cluster_message/detail/fields.h"

namespace bascule::message {
namespace {

constexpr std::size_t crc_offset = 16;

/// The longest start of `text` that fits and does not cut a UTF-8 character.
std::string_view trimmed(std::string_view text) {
  if (text.size() <= detail::text_bytes_max) return text;
  std::size_t length = detail::text_bytes_max;
  while (length > 0 && (static_cast<Byte>(text[length]) & 0xc0) == 0x80) --length;
  return text.substr(0, length);
}

struct BinaryWriter {
  ByteWriter out;

  template <typename F>
  void operator()(const char*, const F& value) {
    put(value);
  }

 private:
  void put(const std::string& value) {
    const auto text = trimmed(value);
    out.big(static_cast<std::uint16_t>(text.size())).bytes(view_of(text));
  }
  template <std::integral I>
  void put(I value) {
    if constexpr (std::same_as<I, bool>)
      out.big(static_cast<std::uint8_t>(value));
    else
      out.big(value);
  }
  void put(const std::map<std::string, std::string>& values) {
    out.big(static_cast<std::uint16_t>(std::min<std::size_t>(values.size(), 0xffff)));
    std::size_t left = 0xffff;
    for (const auto& [name, value] : values)
      if (left-- > 0) put(name), put(value);
  }
  template <typename T>
  void put(const std::vector<T>& values) {
    const auto count = std::min<std::size_t>(values.size(), 0xffff);
    out.big(static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i) detail::fields(*this, values[i]);
  }
};

struct BinaryReader {
  ByteReader in;
  bool valid = true;

  template <typename F>
  void operator()(const char*, F& value) {
    take(value);
  }

 private:
  void take(std::string& value) { value = text_of(in.take(in.big<std::uint16_t>())); }
  template <std::integral I>
  void take(I& value) {
    if constexpr (std::same_as<I, bool>) {
      const auto byte = in.big<std::uint8_t>();
      valid = valid && byte <= 1;
      value = byte == 1;
    } else {
      value = in.big<I>();
    }
  }
  void take(std::map<std::string, std::string>& values) {
    const auto count = in.big<std::uint16_t>();
    for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
      std::string name, value;
      take(name), take(value);
      valid = valid && values.emplace(std::move(name), std::move(value)).second;
    }
  }
  template <typename T>
  void take(std::vector<T>& values) {
    // Grown one by one: a count that promises more than was sent must not take memory.
    const auto count = in.big<std::uint16_t>();
    for (std::uint16_t i = 0; i < count && in.ok(); ++i) detail::fields(*this, values.emplace_back());
  }
};

std::uint32_t cluster_hash(const std::string& cluster) { return crc32c(view_of(cluster)); }

std::uint32_t checksum(ByteView datagram) {
  const auto state = crc32c_raw(0xffffffff, datagram.first(crc_offset));
  return ~crc32c_raw(state, datagram.subspan(detail::header_bytes));
}

Bytes body_of(const Consensus& consensus) { return consensus.body; }
Bytes body_of(const Forward& forward) { return encode(forward.proposal); }
template <detail::HasFields T>
Bytes body_of(const T& message) {
  Bytes body;
  BinaryWriter writer{ByteWriter(body)};
  detail::fields(writer, message);
  return body;
}

using detail::refuse;

template <detail::HasFields T>
Result<Message> message_of(ByteView body) {
  T message;
  BinaryReader reader{ByteReader(body)};
  detail::fields(reader, message);
  if (!reader.valid || !reader.in.ok_and_done()) return refuse("its body is damaged");
  return Message(std::move(message));
}

Result<Message> forward_of(ByteView body) {
  auto proposal = decode_proposal(body);
  if (!proposal) return tl::unexpected(std::move(proposal).error());
  return Message(Forward{std::move(*proposal)});
}

Result<Message> message_of(std::uint8_t kind, ByteView body) {
  switch (static_cast<detail::Kind>(kind)) {
    case detail::Kind::consensus:
      return Message(Consensus{Bytes(body.begin(), body.end())});
    case detail::Kind::node_report:
      return message_of<NodeReport>(body);
    case detail::Kind::lease_request:
      return message_of<LeaseRequest>(body);
    case detail::Kind::lease_grant:
      return message_of<LeaseGrant>(body);
    case detail::Kind::forward:
      return forward_of(body);
    case detail::Kind::forward_reply:
      return message_of<ForwardReply>(body);
    case detail::Kind::history_request:
      return message_of<HistoryRequest>(body);
    case detail::Kind::history_reply:
      return message_of<HistoryReply>(body);
    case detail::Kind::notice:
      return message_of<Notice>(body);
    case detail::Kind::notice_done:
      return message_of<NoticeDone>(body);
    case detail::Kind::bundle:
      break;
  }
  return refuse("its kind is unknown");
}

/// In the order of the variant.
constexpr std::array<detail::Kind, std::variant_size_v<Message>> kinds = {
    detail::Kind::consensus, detail::Kind::node_report,   detail::Kind::lease_request,   detail::Kind::lease_grant,
    detail::Kind::forward,   detail::Kind::forward_reply, detail::Kind::history_request, detail::Kind::history_reply,
    detail::Kind::notice,    detail::Kind::notice_done,
};
static_assert(kinds.back() != detail::Kind{}, "every message has a kind");

}  // namespace

namespace detail {

tl::unexpected<Error> refuse(std::string why) { return fail("a datagram is ignored", "", std::move(why)); }

Bytes seal(std::uint8_t kind, std::uint32_t sender_id, ByteView body, const std::string& cluster) {
  Bytes out;
  out.reserve(header_bytes + body.size());
  ByteWriter(out).big(magic).big(version).big(kind).big(std::uint16_t{0}).big(cluster_hash(cluster)).big(sender_id);
  ByteWriter(out).big(std::uint32_t{0}).bytes(body);
  put_big(std::span<Byte>(out), crc_offset, checksum(out));
  return out;
}

Result<Opened> open(ByteView datagram, const std::string& cluster) {
  if (datagram.size() < header_bytes) return refuse("it is too short");
  if (datagram.size() > datagram_bytes_max) return refuse("it is too long");
  ByteReader reader(datagram);
  if (reader.big<std::uint32_t>() != magic) return refuse("it is not from a Bascule manager");
  if (const auto other = reader.big<std::uint8_t>(); other != version)
    return refuse("it is of protocol version " + std::to_string(other));
  Opened opened;
  opened.kind = reader.big<std::uint8_t>();
  reader.skip(2);
  if (reader.big<std::uint32_t>() != cluster_hash(cluster)) return refuse("it is from another cluster");
  opened.sender_id = reader.big<std::uint32_t>();
  if (reader.big<std::uint32_t>() != checksum(datagram)) return refuse("its checksum is wrong");
  opened.body = reader.rest();
  return opened;
}

}  // namespace detail

Bytes encode(const Envelope& envelope, const std::string& cluster) {
  const Bytes body = std::visit([](const auto& message) { return body_of(message); }, envelope.message);
  const auto kind = static_cast<std::uint8_t>(kinds.at(envelope.message.index()));
  return detail::seal(kind, envelope.sender_id, body, cluster);
}

Result<Envelope> decode(ByteView datagram, const std::string& cluster) {
  const auto opened = detail::open(datagram, cluster);
  if (!opened) return tl::unexpected(opened.error());
  auto message = message_of(opened->kind, opened->body);
  if (!message) return tl::unexpected(std::move(message).error());
  return Envelope{opened->sender_id, std::move(*message)};
}

}  // namespace bascule::message
