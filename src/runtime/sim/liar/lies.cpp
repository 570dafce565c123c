#include "runtime/sim/liar/lies.h"

#include <algorithm>

namespace bascule::sim {
namespace {

using drbd::BlockAck;
using drbd::BlockId;
using drbd::Socket;

/// Encodes, and appends the payload that the packet promises.
Lie lie(const Victim& victim, Socket kind, const drbd::Packet& packet) {
  Lie made{kind, drbd::encode(packet, 0, victim.wire(kind))};
  made.bytes.resize(made.bytes.size() + drbd::payload_bytes_of(packet), 0x17);
  return made;
}

Bytes digest_for(const Victim& victim, Byte fill) {
  return Bytes(victim.wire(Socket::Data).integrity_digest_bytes, fill);
}

std::uint64_t beyond(Prng& prng) {
  switch (prng.below(4)) {
    case 0:
      return Victim::data_sectors;
    case 1:
      return Victim::data_sectors - 1;  // begins inside, ends outside
    case 2:
      return ~std::uint64_t{0} - prng.below(16);
    default:
      return Victim::data_sectors + prng.below(1U << 30);
  }
}

bool primary(const Victim& victim) { return victim.status().role == drbd::Role::Primary; }
bool connected(const Victim& victim) { return victim.status().connection == drbd::ConnectionState::Connected; }

drbd::Data data(const Victim& victim, std::uint64_t sector, std::uint32_t bytes) {
  drbd::Data made;
  made.sector = sector;
  made.size_bytes = bytes;
  made.block_id = BlockId{99};
  made.flags = drbd::data_flag::kSendWriteAck;
  made.digest = digest_for(victim, 0);
  return made;
}

BlockAck ack(BlockAck::Kind kind, std::uint64_t sector, std::uint32_t bytes, BlockId id) {
  BlockAck made;
  made.kind = kind;
  made.sector = sector;
  made.size_bytes = bytes;
  made.block_id = id;
  return made;
}

// ---- ranges -----------------------------------------------------------------------------------------------------

std::optional<Lie> write_outside(const Victim& victim, const Heard&, Prng& prng) {
  return lie(victim, Socket::Data, data(victim, beyond(prng), 4096));
}
std::optional<Lie> discard_outside(const Victim& victim, const Heard&, Prng& prng) {
  drbd::Trim trim;
  trim.sector = beyond(prng);
  trim.size_bytes = 1U << 20;
  return lie(victim, Socket::Data, trim);
}
std::optional<Lie> zeroes_outside(const Victim& victim, const Heard&, Prng& prng) {
  drbd::Zeroes zeroes;
  zeroes.sector = beyond(prng);
  zeroes.size_bytes = 1U << 20;
  return lie(victim, Socket::Data, zeroes);
}
std::optional<Lie> read_outside(const Victim& victim, const Heard&, Prng& prng) {
  drbd::DataRequest request;
  request.sector = beyond(prng);
  request.size_bytes = 4096;
  return lie(victim, Socket::Data, request);
}
std::optional<Lie> resync_outside(const Victim& victim, const Heard&, Prng& prng) {
  drbd::ResyncRequest request;
  request.sector = beyond(prng);
  request.size_bytes = 4096;
  return lie(victim, Socket::Data, request);
}
std::optional<Lie> mark_outside(const Victim& victim, const Heard&, Prng& prng) {
  return lie(victim, Socket::Data, drbd::OutOfSync{beyond(prng), 4096, 0});
}
std::optional<Lie> no_length(const Victim& victim, const Heard&, Prng& prng) {
  drbd::ResyncRequest request;
  request.sector = prng.below(Victim::data_sectors);
  request.size_bytes = prng.chance(1, 2) ? 0 : 1 + static_cast<std::uint32_t>(prng.below(511));
  return lie(victim, Socket::Data, request);
}

// ---- answers that nobody asked for ------------------------------------------------------------------------------

std::optional<Lie> unknown_write_acknowledged(const Victim& victim, const Heard&, Prng& prng) {
  using Kind = BlockAck::Kind;
  constexpr Kind kinds[] = {Kind::WriteAck, Kind::ReceiveAck, Kind::NegativeAck, Kind::Superseded, Kind::RetryWrite};
  const BlockId id{0x7000000000000000ULL + prng.below(1000)};
  return lie(victim, Socket::Meta, ack(kinds[prng.below(5)], prng.below(Victim::data_sectors - 8), 4096, id));
}
std::optional<Lie> other_range_acknowledged(const Victim& victim, const Heard& heard, Prng& prng) {
  if (heard.writes.empty()) return std::nullopt;
  const drbd::Data& write = heard.writes[prng.below(heard.writes.size())];
  const bool elsewhere = prng.chance(1, 2);
  return lie(victim, Socket::Meta,
             ack(BlockAck::Kind::WriteAck, write.sector + (elsewhere ? 8 : 0), write.size_bytes + (elsewhere ? 0 : 512),
                 write.block_id));
}
std::optional<Lie> write_not_ours_superseded(const Victim& victim, const Heard& heard, Prng& prng) {
  if (heard.writes.empty()) return std::nullopt;
  const drbd::Data& write = heard.writes[prng.below(heard.writes.size())];
  const auto kind = prng.chance(1, 2) ? BlockAck::Kind::Superseded : BlockAck::Kind::RetryWrite;
  return lie(victim, Socket::Meta, ack(kind, write.sector, write.size_bytes, write.block_id));
}
std::optional<Lie> wrong_barrier(const Victim& victim, const Heard& heard, Prng& prng) {
  drbd::BarrierAck barrier{static_cast<std::uint32_t>(prng.next()), static_cast<std::uint32_t>(prng.below(5))};
  if (!heard.barriers.empty() && prng.chance(1, 2))
    barrier = {heard.barriers.front().number, 100'000};  // the right one, with writes that were never made
  return lie(victim, Socket::Meta, barrier);
}
std::optional<Lie> data_nobody_asked_for(const Victim& victim, const Heard&, Prng& prng) {
  drbd::DataReply reply;
  reply.sector = prng.below(Victim::data_sectors - 8);
  reply.size_bytes = 4096;
  reply.block_id = BlockId{prng.next()};
  reply.digest = digest_for(victim, 0);
  return lie(victim, Socket::Data, reply);
}
std::optional<Lie> resync_data_nobody_asked_for(const Victim& victim, const Heard&, Prng& prng) {
  drbd::ResyncReply reply;
  reply.sector = prng.below(Victim::data_sectors - 8);
  reply.size_bytes = 512;  // never asked for
  reply.digest = digest_for(victim, 0);
  return lie(victim, Socket::Data, reply);
}
std::optional<Lie> no_data_for_nobody(const Victim& victim, const Heard&, Prng& prng) {
  const auto kind = prng.chance(1, 2) ? BlockAck::Kind::NegativeDataReply : BlockAck::Kind::NegativeResyncReply;
  return lie(victim, Socket::Meta, ack(kind, prng.below(Victim::data_sectors - 8), 512, BlockId{prng.next()}));
}
std::optional<Lie> verified_nothing(const Victim& victim, const Heard&, Prng& prng) {
  drbd::VerifyReply reply;
  reply.sector = prng.below(Victim::data_sectors - 8);
  reply.size_bytes = 4096;
  reply.digest = Bytes(4, 1);
  return lie(victim, Socket::Data, reply);
}
std::optional<Lie> equal_nothing(const Victim& victim, const Heard&, Prng&) {
  return lie(victim, Socket::Meta, ack(BlockAck::Kind::ResyncIsInSync, Victim::data_sectors, 4096, BlockId{1}));
}

// ---- out of turn ------------------------------------------------------------------------------------------------

std::optional<Lie> bitmap_out_of_turn(const Victim& victim, const Heard&, Prng& prng) {
  if (!connected(victim)) return std::nullopt;
  if (prng.chance(1, 2)) return lie(victim, Socket::Data, drbd::BitmapChunk{Bytes(128, 0xff)});
  return lie(victim, Socket::Data, drbd::CompressedBitmap{0x02, Bytes(5, static_cast<Byte>(prng.next()))});
}
std::optional<Lie> sync_uuid_out_of_turn(const Victim& victim, const Heard&, Prng& prng) {
  if (!connected(victim)) return std::nullopt;
  return lie(victim, Socket::Data, drbd::SyncUuid{prng.next()});
}
std::optional<Lie> features_again(const Victim& victim, const Heard&, Prng&) {
  Lie made = lie(victim, Socket::Data, drbd::Ping{});
  made.bytes = drbd::encode(drbd::Features{}, 0, drbd::WireOptions{});
  return made;
}
std::optional<Lie> authentication_again(const Victim& victim, const Heard&, Prng& prng) {
  if (prng.chance(1, 2)) return lie(victim, Socket::Data, drbd::AuthResponse{Bytes(20, 7)});
  return lie(victim, Socket::Data, drbd::AuthChallenge{Bytes(64, 7)});
}
std::optional<Lie> write_to_a_primary(const Victim& victim, const Heard&, Prng& prng) {
  if (!primary(victim)) return std::nullopt;
  return lie(victim, Socket::Data, data(victim, prng.below(Victim::data_sectors - 8), 4096));
}
std::optional<Lie> second_primary(const Victim& victim, const Heard&, Prng&) {
  if (!primary(victim)) return std::nullopt;
  drbd::State state;
  state.state.role = drbd::Role::Primary;
  state.state.peer = drbd::Role::Primary;
  state.state.connection = victim.status().connection;
  state.state.disk = state.state.peer_disk = drbd::DiskState::UpToDate;
  return lie(victim, Socket::Data, state);
}
std::optional<Lie> smaller_disk(const Victim& victim, const Heard&, Prng& prng) {
  drbd::Sizes sizes;
  sizes.disk_sectors = 8 + prng.below(Victim::data_sectors / 2);
  sizes.current_sectors = sizes.disk_sectors;
  if ((victim.wire(Socket::Data).feature_flags & drbd::feature::kWriteSame) != 0)
    sizes.queue_limits = drbd::QueueLimits{};
  return lie(victim, Socket::Data, sizes);
}

// ---- frames -----------------------------------------------------------------------------------------------------

std::optional<Lie> wrong_magic(const Victim& victim, const Heard&, Prng& prng) {
  Lie made = lie(victim, prng.chance(1, 2) ? Socket::Data : Socket::Meta, drbd::Ping{});
  made.bytes[prng.below(4)] ^= static_cast<Byte>(1 + prng.below(255));
  return made;
}
std::optional<Lie> unknown_command(const Victim& victim, const Heard&, Prng& prng) {
  Lie made = lie(victim, prng.chance(1, 2) ? Socket::Data : Socket::Meta, drbd::Ping{});
  made.bytes[6] = static_cast<Byte>(0x60 + prng.below(0x40));
  return made;
}
std::optional<Lie> padding_used(const Victim& victim, const Heard&, Prng& prng) {
  Lie made = lie(victim, Socket::Meta, drbd::Ping{});
  made.bytes[12 + prng.below(4)] = static_cast<Byte>(1 + prng.below(255));
  return made;
}
std::optional<Lie> wrong_length(const Victim& victim, const Heard&, Prng& prng) {
  Lie made = lie(victim, Socket::Data, drbd::SyncUuid{1});
  made.bytes[8 + prng.below(2)] = static_cast<Byte>(1 + prng.below(255));  // 65 KiB at least
  return made;
}
std::optional<Lie> wrong_socket(const Victim& victim, const Heard&, Prng& prng) {
  if (prng.chance(1, 2)) return lie(victim, Socket::Data, drbd::Ping{});
  return lie(victim, Socket::Meta, drbd::SyncUuid{1});
}
std::optional<Lie> impossible_state(const Victim& victim, const Heard&, Prng& prng) {
  Lie made = lie(victim, Socket::Data, drbd::State{});
  made.bytes[made.bytes.size() - 3] = 0xff;  // disk 15, connection 31
  made.bytes[made.bytes.size() - 2] = static_cast<Byte>(0x80 | prng.below(128));
  made.bytes[made.bytes.size() - 1] = 0xff;
  return made;
}
std::optional<Lie> wrong_digest(const Victim& victim, const Heard&, Prng& prng) {
  if (victim.wire(Socket::Data).integrity_digest_bytes == 0) return std::nullopt;
  drbd::Data made = data(victim, prng.below(Victim::data_sectors - 8), 4096);
  made.digest = digest_for(victim, static_cast<Byte>(prng.next()));
  return lie(victim, Socket::Data, made);
}

}  // namespace

const std::vector<LieKind>& lies() {
  static const std::vector<LieKind> all{
      {"write outside the device", write_outside},
      {"discard outside the device", discard_outside},
      {"zeroes outside the device", zeroes_outside},
      {"read outside the device", read_outside},
      {"resync request outside the device", resync_outside},
      {"out-of-sync mark outside the device", mark_outside},
      {"request without a possible length", no_length},
      {"ack of an unknown write", unknown_write_acknowledged},
      {"ack of another range", other_range_acknowledged},
      {"write superseded by a secondary", write_not_ours_superseded},
      {"wrong barrier ack", wrong_barrier},
      {"data that nobody asked for", data_nobody_asked_for},
      {"resync data that nobody asked for", resync_data_nobody_asked_for},
      {"negative reply to nothing", no_data_for_nobody},
      {"verify reply to nothing", verified_nothing},
      {"in-sync reply outside the device", equal_nothing},
      {"bitmap out of turn", bitmap_out_of_turn},
      {"sync UUID out of turn", sync_uuid_out_of_turn},
      {"features again", features_again},
      {"authentication out of turn", authentication_again},
      {"write to a primary", write_to_a_primary},
      {"second primary", second_primary},
      {"disk that shrank", smaller_disk},
      {"wrong magic", wrong_magic},
      {"unknown command", unknown_command},
      {"padding that is not zero", padding_used},
      {"length that does not fit", wrong_length},
      {"packet on the wrong socket", wrong_socket},
      {"state that does not exist", impossible_state},
      {"wrong digest", wrong_digest},
  };
  return all;
}

Lie garbled(const Victim& victim, Prng& prng) {
  drbd::Packet packet = drbd::Barrier{static_cast<std::uint32_t>(prng.next()), 0};
  Socket kind = Socket::Data;
  switch (prng.below(8)) {
    case 0:
      packet = data(victim, prng.below(Victim::data_sectors - 8), 4096);
      break;
    case 1:
      packet = drbd::ResyncRequest{prng.below(Victim::data_sectors - 8), drbd::kSyncerBlockId, 4096, 0};
      break;
    case 2:
      packet = drbd::State{};
      break;
    case 3:
      packet = drbd::Uuids{};
      break;
    case 4:
      packet = drbd::StateChangeRequest{{0x1e00, 0x1000}};
      break;
    case 5:
      packet = ack(BlockAck::Kind::WriteAck, 0, 4096, BlockId{prng.below(100)});
      kind = Socket::Meta;
      break;
    case 6:
      packet = drbd::OutOfSync{prng.below(Victim::data_sectors - 8), 4096, 0};
      break;
    default:
      break;
  }
  Lie made = lie(victim, kind, packet);
  const std::size_t front = std::min<std::size_t>(made.bytes.size(), 64);
  for (std::uint64_t count = 1 + prng.below(3); count > 0; --count)
    made.bytes[prng.below(front)] ^= static_cast<Byte>(1 + prng.below(255));
  return made;
}

}  // namespace bascule::sim
