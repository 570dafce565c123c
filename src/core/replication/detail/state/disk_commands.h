#pragma once

#include <optional>

#include "core/replication/detail/session/connection.h"
#include "core/replication/detail/state/decisions.h"

namespace bascule::replication::detail {

/// The operator's commands about the disk and its data. Each is answered once, also when the connection or the disk
/// ends while it is carried out; one is under way at a time.
///
///   Detach:     Asking (the peer agrees) -> Draining (I/O ends, metadata durable) -> Failed -> Diskless
///   Attach:     Attaching (Attach; while Connected until the peer's generations have decided) -> answered
///   Invalidate: Asking -> StartingSyncT (remote: S), answered
///   Verify:     Asking -> VerifyS, answered
class DiskCommands {
 public:
  explicit DiskCommands(Parts& parts) : parts_(parts), core_(parts.core) {}

  void attach(const input::Attach& command);
  void detach(const input::Detach& command);
  void invalidate(const input::Invalidate& command);
  void outdate(const input::Outdate& command);
  void verify(const input::Verify& command);
  void advance();

 private:
  enum class Phase : std::uint8_t { Idle, Asking, Draining, Leaving, Attaching };
  enum class Kind : std::uint8_t { Attach, Detach, InvalidateLocal, InvalidateRemote, Verify };

  [[nodiscard]] bool refuse(CommandId command, const Refusal& refusal);
  [[nodiscard]] bool busy(CommandId command);
  void ask(CommandId command, Kind kind, const drbd::StateChange& change);
  void answered(drbd::StateChangeResult result);
  void begin_run();
  void invalidate_alone(const input::Invalidate& command);
  void advance_detach();
  void leave_disk();
  void finish(drbd::StateChangeResult result, std::string why = {});

  Parts& parts_;
  Core& core_;
  Phase phase_ = Phase::Idle;
  Kind kind_ = Kind::Detach;
  CommandId command_ = 0;
  drbd::StateChange change_;
  bool asked_ = false;
  bool sealed_ = false;  ///< Draining: the last superblock is on its way
  bool force_ = false;
};

}  // namespace bascule::replication::detail
