#pragma once

#include <optional>
#include <string>

#include "core/replication/detail/parts.h"
#include "core/replication/detail/state/state_rules.h"

namespace bascule::replication::detail {

/// Commands that are done at once, because nobody but this node has to agree: pausing the resync, holding I/O, new
/// options.
class VolumeCommands {
 public:
  explicit VolumeCommands(Parts& parts) : parts_(parts), core_(parts.core) {}

  void pause_resync(const input::PauseResync& command);
  void pause_by_dependency(const input::PauseByDependency& wanted);
  void suspend_io(const input::SuspendIo& command);
  void set_options(const input::SetOptions& command);

 private:
  bool take(const std::optional<input::Settings>& settings);
  [[nodiscard]] Refusal refusal(const drbd_config::Options& options) const;

  Parts& parts_;
  Core& core_;
};

}  // namespace bascule::replication::detail
