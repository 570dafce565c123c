#pragma once

#include <vector>

#include "core/replication/detail/data/peer_writes.h"
#include "core/replication/testing/transcript.h"

namespace bascule::replication::testing {

inline constexpr std::uint64_t device_sectors = 64;

/// The data path of one node, connected and Primary, without the machines around it: a test sets the facts that those
/// would have found out.
struct DataPathNode {
  static Config usual_config() {
    Config config;
    config.authority = Authority::Operator;
    config.options.disk.al_updates = false;
    config.flush_waits_for_peer = false;
    config.backing_bytes = backing_bytes;
    return config;
  }
  explicit DataPathNode(const Config& config = usual_config())
      : core(config, small_superblock(), instant_from_ns(0)),
        metadata(core),
        activity_log(core, metadata),
        writes(core, metadata, activity_log),
        peer_writes(core, metadata, activity_log, writes) {
    core.effects = &effects;
    core.role = drbd::Role::Primary;
    core.peer.role = drbd::Role::Secondary;
    core.serving = true;
    core.disk = core.peer.disk = drbd::DiskState::UpToDate;
    core.connection = drbd::ConnectionState::Connected;
    core.session.open = true;
    core.session.data = 1;
    core.session.meta = 2;
    core.session.agreed_version = 101;
  }
  DataPathNode(const DataPathNode&) = delete;
  DataPathNode& operator=(const DataPathNode&) = delete;

  void write(RequestId request, std::uint64_t offset, std::uint32_t length) {
    writes.write({request, offset, length, static_cast<BufferId>(request), false});
  }
  bool ack(drbd::BlockAck::Kind kind, std::uint64_t serial, std::uint64_t offset, std::uint32_t length) {
    drbd::BlockAck ack;
    ack.kind = kind;
    ack.block_id = drbd::BlockId{serial};
    ack.sector = offset / 512;
    ack.size_bytes = length;
    return writes.acknowledged(ack);
  }
  void disk_done(std::uint64_t serial, int error_number = 0) {
    writes.local_write_done(detail::operation_of(detail::Owner::LocalWrite, serial), error_number);
  }
  bool peer_data(std::uint64_t sector, std::uint32_t bytes, std::uint32_t sequence,
                 std::uint32_t flags = drbd::data_flag::kSendWriteAck) {
    drbd::Data data;
    data.sector = sector;
    data.size_bytes = bytes;
    data.block_id = drbd::BlockId{sequence};
    data.sequence = sequence;
    data.flags = flags;
    return peer_writes.data(data, 100 + sequence);
  }
  /// Everything goes on until nothing happens.
  void advance() {
    for (std::size_t before = ~std::size_t{0}; before != effects.size();) {
      before = effects.size();
      peer_writes.advance();
      writes.advance();
      metadata.advance();
    }
  }
  void lose_session() {
    core.session.open = false;
    core.connection = drbd::ConnectionState::Unconnected;
    core.peer.disk = drbd::DiskState::DUnknown;
    writes.session_lost();
    peer_writes.session_lost();
  }

  template <typename Kind>
  [[nodiscard]] std::vector<Kind> all() const {
    std::vector<Kind> found;
    for (const Effect& effect : effects)
      if (const auto* each = std::get_if<Kind>(&effect)) found.push_back(*each);
    return found;
  }
  template <typename Kind>
  [[nodiscard]] std::size_t count() const {
    return all<Kind>().size();
  }
  template <typename Kind>
  [[nodiscard]] std::vector<Kind> sent() const {
    std::vector<Kind> found;
    for (const auto& send : all<effect::Send>())
      if (const auto* packet = std::get_if<Kind>(&send.packet)) found.push_back(*packet);
    return found;
  }
  [[nodiscard]] std::vector<drbd::BlockAck::Kind> acks() const {
    std::vector<drbd::BlockAck::Kind> kinds;
    for (const auto& ack : sent<drbd::BlockAck>()) kinds.push_back(ack.kind);
    return kinds;
  }

  Effects effects;
  detail::Core core;
  detail::Metadata metadata;
  detail::ActivityLog activity_log;
  detail::Writes writes;
  detail::PeerWrites peer_writes;

 private:
  static drbd_metadata::Superblock small_superblock() {
    auto created = drbd_metadata::create_v08(backing_bytes).value();
    created.superblock.effective_sectors = device_sectors;
    return created.superblock;
  }
};

}  // namespace bascule::replication::testing
