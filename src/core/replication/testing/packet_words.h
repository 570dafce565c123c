#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <sstream>
#include <string>

#include "wire/drbd/packets.h"

/// For the tests of this room: packets as words in a transcript, and the words of what is sent.
namespace bascule::replication::testing {

inline constexpr std::uint64_t generation = 0x1111222233334440ULL;

inline drbd::StateChangeResult result_of(std::istringstream& words) {
  int result = 0;
  words >> result;
  return static_cast<drbd::StateChangeResult>(result);
}
inline std::string change_text(const drbd::StateChange& change) {
  std::ostringstream text;
  text << std::hex << " " << change.mask << " " << change.value;
  return text.str();
}

inline std::optional<drbd::Packet> state_packet(const std::string& name, std::istringstream& words) {
  if (name == "SyncUuid") {
    std::uint64_t more = 0;
    words >> more;
    return drbd::SyncUuid{generation + more};
  }
  if (name == "StateReply") return drbd::StateChangeReply{result_of(words)};
  if (name == "ConnectionStateReply") return drbd::ConnectionStateChangeReply{result_of(words)};
  if (name != "StateRequest" && name != "ConnectionStateRequest") return std::nullopt;
  drbd::StateChange change;
  words >> std::hex >> change.mask >> change.value >> std::dec;
  if (name[0] == 'S') return drbd::StateChangeRequest{change};
  return drbd::ConnectionStateChangeRequest{change};
}

inline std::optional<drbd::Packet> bare_packet(const std::string& name) {
  if (name == "InitialData") return drbd::InitialData{};
  if (name == "InitialMeta") return drbd::InitialMeta{};
  if (name == "Ping") return drbd::Ping{};
  if (name == "PingAck") return drbd::PingAck{};
  return std::nullopt;
}

inline std::optional<drbd::BlockAck::Kind> ack_kind(const std::string& name) {
  using Kind = drbd::BlockAck::Kind;
  if (name == "WriteAck") return Kind::WriteAck;
  if (name == "ReceiveAck") return Kind::ReceiveAck;
  if (name == "ResyncWriteAck") return Kind::ResyncWriteAck;
  if (name == "Superseded") return Kind::Superseded;
  if (name == "RetryWrite") return Kind::RetryWrite;
  if (name == "NegativeAck") return Kind::NegativeAck;
  if (name == "NegativeDataReply") return Kind::NegativeDataReply;
  return std::nullopt;
}

inline std::optional<drbd::Packet> data_packet(const std::string& name, std::istringstream& words) {
  const auto number = [&words] {
    std::uint64_t value = 0;
    words >> value;
    return value;
  };
  if (const auto kind = ack_kind(name)) {
    drbd::BlockAck ack;
    ack.kind = *kind;
    ack.block_id = drbd::BlockId{number()};
    ack.sector = number();
    ack.size_bytes = static_cast<std::uint32_t>(number());
    return ack;
  }
  if (name == "BarrierAck") {
    const auto epoch = static_cast<std::uint32_t>(number());
    return drbd::BarrierAck{epoch, static_cast<std::uint32_t>(number())};
  }
  if (name == "Data") {
    drbd::Data data;
    data.sector = number();
    data.size_bytes = static_cast<std::uint32_t>(number());
    data.block_id = drbd::BlockId{number()};
    data.flags = drbd::data_flag::kSync | drbd::data_flag::kSendWriteAck;
    if (const auto flags = number(); flags != 0) data.flags = static_cast<std::uint32_t>(flags);
    return data;
  }
  if (name == "DataReply") {
    drbd::DataReply reply;
    reply.sector = number();
    reply.size_bytes = static_cast<std::uint32_t>(number());
    reply.block_id = drbd::BlockId{number()};
    return reply;
  }
  if (name == "Trim" || name == "Zeroes" || name == "DataRequest") {
    const auto sector = number();
    const auto size = static_cast<std::uint32_t>(number());
    const drbd::BlockId block_id{number()};
    const auto flags = static_cast<std::uint32_t>(number());
    if (name == "Trim") return drbd::Trim{sector, block_id, 0, flags, size};
    if (name == "Zeroes") return drbd::Zeroes{sector, block_id, 0, flags, size};
    return drbd::DataRequest{sector, block_id, size, 0};
  }
  if (name == "VerifyRequest") {
    const auto sector = number();
    return drbd::VerifyRequest{sector, drbd::kSyncerBlockId, static_cast<std::uint32_t>(number()), 0};
  }
  if (name == "VerifyResult") {
    drbd::BlockAck ack;
    ack.kind = drbd::BlockAck::Kind::VerifyResult;
    ack.sector = number();
    ack.size_bytes = static_cast<std::uint32_t>(number());
    ack.block_id = drbd::kVerifyInSync;
    return ack;
  }
  if (name == "CompressedBitmap") return drbd::CompressedBitmap{};
  if (name == "OutOfSync") {
    const auto sector = number();
    return drbd::OutOfSync{sector, static_cast<std::uint32_t>(number()), 0};
  }
  if (name == "SyncUuid") return drbd::SyncUuid{generation + number()};
  if (name == "Barrier") return drbd::Barrier{static_cast<std::uint32_t>(number()), 0};
  return std::nullopt;
}

/// A packet of the peer's from its name and numbers.
inline drbd::Packet packet_of(std::istringstream& words) {
  std::string name;
  words >> name;
  const auto number = [&words] {
    std::uint64_t value = 0;
    words >> value;
    return value;
  };
  if (auto found = bare_packet(name)) return *found;
  if (name == "Protocol") {
    drbd::Protocol protocol;
    if (words >> name && name == "A") protocol.protocol = drbd::ReplicationProtocol::A;
    return protocol;
  }
  if (name == "Features") {
    drbd::Features features;
    features.protocol_min = static_cast<std::uint32_t>(number());
    features.protocol_max = static_cast<std::uint32_t>(number());
    features.feature_flags = static_cast<std::uint32_t>(number());
    return features;
  }
  if (name == "Sizes") {
    drbd::Sizes sizes;
    sizes.disk_sectors = number();
    sizes.user_sectors = number();
    sizes.current_sectors = number();
    return sizes;
  }
  if (name == "Uuids") {
    drbd::Uuids uuids;
    uuids.current = generation + number();
    uuids.bitmap = number();
    if (uuids.bitmap != 0) uuids.bitmap += generation;
    return uuids;
  }
  if (name == "Created") {
    drbd::Uuids uuids;
    uuids.current = drbd::kUuidJustCreated;
    return uuids;
  }
  if (name == "State") {
    drbd::State state;
    state.state.role = static_cast<drbd::Role>(number());
    state.state.disk = static_cast<drbd::DiskState>(number());
    state.state.connection = static_cast<drbd::ConnectionState>(number());
    return state;
  }
  if (auto found = state_packet(name, words)) return *found;
  if (auto found = data_packet(name, words)) return *found;
  ADD_FAILURE() << "no such packet: " << name;
  return drbd::DelayProbe{};
}

/// What is sent: the packet's name, and what matters of it.
inline std::string text_of_packet(const drbd::Packet& packet) {
  std::string text = drbd::name_of(drbd::command_of(packet));
  if (const auto* data = std::get_if<drbd::Data>(&packet))
    text += " " + std::to_string(data->sector) + " " + std::to_string(data->size_bytes);
  const auto place = [&text](const auto* placed) {
    if (placed != nullptr) text += " " + std::to_string(placed->sector) + " " + std::to_string(placed->size_bytes);
  };
  place(std::get_if<drbd::Trim>(&packet));
  place(std::get_if<drbd::Zeroes>(&packet));
  place(std::get_if<drbd::OutOfSync>(&packet));
  place(std::get_if<drbd::DataRequest>(&packet));
  place(std::get_if<drbd::DataReply>(&packet));
  if (const auto* barrier = std::get_if<drbd::Barrier>(&packet)) text += " " + std::to_string(barrier->number);
  if (const auto* ack = std::get_if<drbd::BarrierAck>(&packet))
    text += " " + std::to_string(ack->number) + " " + std::to_string(ack->set_size);
  if (const auto* request = std::get_if<drbd::StateChangeRequest>(&packet)) text += change_text(request->change);
  if (const auto* request = std::get_if<drbd::ConnectionStateChangeRequest>(&packet))
    text += change_text(request->change);
  if (const auto* reply = std::get_if<drbd::StateChangeReply>(&packet))
    text += " " + std::to_string(static_cast<int>(reply->result));
  if (const auto* reply = std::get_if<drbd::ConnectionStateChangeReply>(&packet))
    text += " " + std::to_string(static_cast<int>(reply->result));
  return text;
}

}  // namespace bascule::replication::testing
