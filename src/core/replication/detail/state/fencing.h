#pragma once

#include <optional>

#include "core/replication/detail/disk/metadata.h"

namespace bascule::replication::detail {

/// The fencing policy under Authority::Operator (model facts, section 8): the fence-peer handler is called when a
/// Primary loses its peer and before a node that cannot know becomes Primary; its exit code says what the peer's disk
/// is worth. It also holds I/O: susp_fen until the peer is fenced or back (resource-and-stonith), susp_nod while no
/// data can be reached (on-no-data-accessible suspend-io). Under Authority::Cluster the shrinking of the in-sync set
/// stands in the place of the handler.
///
///   Idle --fence--> Running --HandlerDone--> Fenced | Failed --take--> Idle
class Fencing {
 public:
  Fencing(Core& core, Metadata& metadata) : core_(core), metadata_(metadata) {}

  /// Calls the handler unless it runs already.
  void fence(const std::string& reason);
  [[nodiscard]] bool running() const { return number_ != 0; }
  /// Once, for whoever called fence(): is the peer fenced?
  [[nodiscard]] std::optional<bool> take();
  /// False: not the answer to this handler.
  bool handler_done(const input::HandlerDone& done);
  /// The session has ended; `peer_disk` as it was until then.
  void session_lost(DiskState peer_disk);
  void advance();

 private:
  [[nodiscard]] bool policy_holds() const;
  [[nodiscard]] bool apply(int exit_code);
  void peer_is(DiskState disk, const char* reason);
  void watch_data();
  void watch_connection();

  Core& core_;
  Metadata& metadata_;
  std::uint64_t number_ = 0;  ///< of the handler that runs; 0: none
  std::uint64_t next_number_ = 1;
  std::optional<bool> outcome_;
  bool had_data_ = false;
  ConnectionState seen_ = ConnectionState::StandAlone;
};

}  // namespace bascule::replication::detail
