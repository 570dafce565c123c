#pragma once

#include <optional>
#include <string>

#include "core/replication/detail/handshake.h"
#include "core/replication/detail/peer_writes.h"
#include "core/replication/detail/writes.h"

namespace bascule::replication::detail {

/// Promotion and demotion.
///
///   Secondary --Promote--> Draining (writes of the peer end) --> Publishing (superblock durable) --> Primary, serving
///   Primary --Demote--> Finishing (own writes end; forced: they fail) --> Saving (bits, superblock) --> Secondary
class RoleChange {
 public:
  RoleChange(Core& core, Metadata& metadata, ActivityLog& activity_log, Handshake& handshake, Writes& writes,
             PeerWrites& peer_writes);

  void promote(const input::Promote& promote);
  void demote(const input::Demote& demote);
  void advance();

 private:
  enum class Phase : std::uint8_t { Settled, Draining, Publishing, Finishing, Saving };

  [[nodiscard]] std::string refusal(const input::Promote& promote) const;
  [[nodiscard]] std::string initial_refusal() const;
  void refuse(std::string why);
  void become_primary();
  void create_first_generation();
  void serve();
  void save();
  void become_secondary();

  Core& core_;
  Metadata& metadata_;
  ActivityLog& activity_log_;
  Handshake& handshake_;
  Writes& writes_;
  PeerWrites& peer_writes_;
  Phase phase_ = Phase::Settled;
  input::Promote wanted_{};
  bool forced_ = false;
  std::uint64_t version_ = 0;
};

}  // namespace bascule::replication::detail
