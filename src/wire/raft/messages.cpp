#include "wire/raft/messages.h"

#include "wire/raft/detail/fields.h"

namespace bascule::raft {
namespace {

constexpr std::uint8_t message_version = 1;

void write(ByteWriter& out, const VoteRequest& m) {
  out.big(m.term).big(std::uint8_t{m.pre_vote}).big(m.last_index).big(m.last_term).big(m.transfer_round);
}
void write(ByteWriter& out, const VoteResponse& m) {
  out.big(m.term).big(std::uint8_t{m.pre_vote}).big(std::uint8_t{m.granted});
}
void write(ByteWriter& out, const AppendRequest& m) {
  out.big(m.term).big(m.round).big(m.previous_index).big(m.previous_term).big(m.commit);
  out.big(static_cast<std::uint16_t>(m.entries.size()));
  for (const auto& entry : m.entries) {
    out.big(entry.term)
        .big(static_cast<std::uint8_t>(entry.kind))
        .big(static_cast<std::uint32_t>(entry.payload.size()));
    out.bytes(entry.payload);
  }
}
void write(ByteWriter& out, const AppendResponse& m) {
  out.big(m.term).big(m.round).big(std::uint8_t{m.success}).big(m.index).big(m.hint_index).big(m.hint_term);
}
void write(ByteWriter& out, const SnapshotChunk& m) {
  out.big(m.term).big(m.round).big(m.index).big(m.snapshot_term);
  const Bytes configuration = encode(m.configuration);
  out.big(static_cast<std::uint16_t>(configuration.size())).bytes(configuration);
  out.big(m.total_bytes).big(m.offset).big(static_cast<std::uint32_t>(m.bytes.size())).bytes(m.bytes);
}
void write(ByteWriter& out, const SnapshotResponse& m) {
  out.big(m.term).big(m.round).big(m.index).big(m.received_bytes);
}
void write(ByteWriter& out, const TimeoutNow& m) { out.big(m.term).big(m.round); }
void write(ByteWriter& out, const ReadRequest& m) { out.big(m.term).big(m.id); }
void write(ByteWriter& out, const ReadResponse& m) {
  out.big(m.term).big(m.id).big(std::uint8_t{m.confirmed}).big(m.index);
}

using detail::read_flag;

// Each reader returns false when a field is outside its range; a missing byte is found at the end by ok_and_done().
bool read(ByteReader& in, VoteRequest& m) {
  m.term = in.big<Term>();
  const bool good = read_flag(in, m.pre_vote);
  m.last_index = in.big<Index>();
  m.last_term = in.big<Term>();
  m.transfer_round = in.big<std::uint64_t>();
  return good;
}
bool read(ByteReader& in, VoteResponse& m) {
  m.term = in.big<Term>();
  return read_flag(in, m.pre_vote) && read_flag(in, m.granted);
}
bool read(ByteReader& in, AppendRequest& m) {
  m.term = in.big<Term>();
  m.round = in.big<std::uint64_t>();
  m.previous_index = in.big<Index>();
  m.previous_term = in.big<Term>();
  m.commit = in.big<Index>();
  const auto count = in.big<std::uint16_t>();
  if (m.previous_index > UINT64_MAX - count) return false;
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    Entry entry;
    entry.index = m.previous_index + 1 + i;
    entry.term = in.big<Term>();
    if (!detail::read_kind_and_payload(in, entry)) return false;
    m.entries.push_back(std::move(entry));
  }
  return true;
}
bool read(ByteReader& in, AppendResponse& m) {
  m.term = in.big<Term>();
  m.round = in.big<std::uint64_t>();
  const bool good = read_flag(in, m.success);
  m.index = in.big<Index>();
  m.hint_index = in.big<Index>();
  m.hint_term = in.big<Term>();
  return good;
}
bool read(ByteReader& in, SnapshotChunk& m) {
  m.term = in.big<Term>();
  m.round = in.big<std::uint64_t>();
  m.index = in.big<Index>();
  m.snapshot_term = in.big<Term>();
  const auto configuration = decode_configuration(in.take(in.big<std::uint16_t>()));
  if (!configuration) return false;
  m.configuration = *configuration;
  m.total_bytes = in.big<std::uint64_t>();
  m.offset = in.big<std::uint64_t>();
  const auto length = in.big<std::uint32_t>();
  if (length > chunk_bytes_max || m.offset > m.total_bytes || length > m.total_bytes - m.offset) return false;
  const ByteView bytes = in.take(length);
  m.bytes.assign(bytes.begin(), bytes.end());
  return true;
}
bool read(ByteReader& in, SnapshotResponse& m) {
  m.term = in.big<Term>();
  m.round = in.big<std::uint64_t>();
  m.index = in.big<Index>();
  m.received_bytes = in.big<std::uint64_t>();
  return true;
}
bool read(ByteReader& in, TimeoutNow& m) {
  m.term = in.big<Term>();
  m.round = in.big<std::uint64_t>();
  return true;
}
bool read(ByteReader& in, ReadRequest& m) {
  m.term = in.big<Term>();
  m.id = in.big<std::uint64_t>();
  return true;
}
bool read(ByteReader& in, ReadResponse& m) {
  m.term = in.big<Term>();
  m.id = in.big<std::uint64_t>();
  const bool good = read_flag(in, m.confirmed);
  m.index = in.big<Index>();
  return good;
}

tl::unexpected<Error> refuse(std::string why) { return fail("consensus message refused", {}, std::move(why)); }

template <typename Kind>
Result<Message> decode_as(ByteReader in) {
  Kind message;
  if (!read(in, message)) return refuse("a field is outside its range");
  constexpr Term term_max = Term{1} << 62;
  if (message.term > term_max) return refuse("its term cannot be");
  if (!in.ok_and_done()) return refuse(in.ok() ? "bytes are left over" : "it is cut short");
  return Message{std::move(message)};
}

template <std::size_t... kinds>
Result<Message> decode_kind(std::size_t kind, ByteReader in, std::index_sequence<kinds...>) {
  using Decoder = Result<Message> (*)(ByteReader);
  static constexpr Decoder decoders[] = {&decode_as<std::variant_alternative_t<kinds, Message>>...};
  return decoders[kind](in);
}

}  // namespace

Term term_of(const Message& message) {
  return std::visit([](const auto& m) { return m.term; }, message);
}

Bytes encode(const Message& message) {
  Bytes bytes;
  ByteWriter out(bytes);
  out.big(message_version).big(static_cast<std::uint8_t>(message.index()));
  std::visit([&](const auto& m) { write(out, m); }, message);
  return bytes;
}

Result<Message> decode(ByteView bytes) {
  ByteReader in(bytes);
  const auto found_version = in.big<std::uint8_t>();
  const auto kind = in.big<std::uint8_t>();
  if (!in.ok()) return refuse("it is cut short");
  if (found_version != message_version)
    return refuse("version " + std::to_string(found_version) + " is not known here");
  constexpr std::size_t kind_count = std::variant_size_v<Message>;
  if (kind >= kind_count) return refuse("kind " + std::to_string(kind) + " is not known here");
  return decode_kind(kind, in, std::make_index_sequence<kind_count>{});
}

}  // namespace bascule::raft
