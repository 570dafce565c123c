#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "core/replication/input.h"
#include "wire/drbd/state.h"
#include "wire/drbd_config/options.h"

namespace bascule::block_host {

/// The engine's input for a request of the control socket that is one of drbdsetup's commands and needs nothing but its
/// own arguments (docs/architecture.md has the list). Unset: some other operation. Errors: an argument of a wrong type.
[[nodiscard]] std::optional<Result<replication::Input>> operator_command(const nlohmann::json& request,
                                                                         replication::CommandId command);

/// The options as {"op":"set_options","net":{"timeout":"60"},"disk":{..},"options":{..},"handlers":{..}} would make
/// them: names and values as in drbd.conf, what is not named stays. Errors name section and option.
[[nodiscard]] Result<drbd_config::Options> changed_options(drbd_config::Options options, const nlohmann::json& request);

/// The sentence drbdsetup prints for a result (model facts, section 6).
[[nodiscard]] const char* sentence_of(drbd::StateChangeResult result);
/// "NoUpToDateDisk"
[[nodiscard]] const char* name_of(drbd::StateChangeResult result);
[[nodiscard]] constexpr bool is_success(drbd::StateChangeResult result) {
  return result >= drbd::StateChangeResult::Success;
}

}  // namespace bascule::block_host
