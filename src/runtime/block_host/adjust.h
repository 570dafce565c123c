#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/replication/status.h"
#include "runtime/block_host/engine_config.h"

namespace bascule::block_host {

/// One thing that the configuration says otherwise than the running volume has it.
struct OptionChange {
  enum class When : std::uint8_t {
    Now,           ///< it can change while the volume is in use
    Disconnected,  ///< the peer has agreed to what it was
    AfterResync,   ///< or after the verify that runs
    Detached,      ///< what stands on the disk depends on it
    Resize,        ///< a command of its own
    Restart,       ///< the volume has to go down and up
  };
  std::string option;    ///< as cluster.toml has it: "net.timeout", "port"
  std::string from, to;  ///< "none" when unset; a secret is not told
  When when = When::Now;
};

/// What `bascule volume adjust` does: the changes, in the order of the options' table, and the volume as it is when
/// those that can be made now are made.
struct Adjustment {
  std::vector<OptionChange> changes;
  VolumePlan plan;
};
[[nodiscard]] Adjustment adjustment(const VolumePlan& running, const VolumePlan& wanted,
                                    const replication::Status& status);

/// The engine's input for what may change at run time, as `plan` has it.
[[nodiscard]] replication::input::SetOptions new_options(const VolumePlan& plan, const std::string& node,
                                                         replication::CommandId command);

/// [{"option":..,"from":..,"to":..,"when":"now","done":true,"how":"what to do"}]; `done` says that it is in effect.
[[nodiscard]] nlohmann::json changes_as_json(const Adjustment& adjustment, bool dry_run);

}  // namespace bascule::block_host
