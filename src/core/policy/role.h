#pragma once

#include <cstdint>
#include <string_view>

namespace bascule::policy {

/// What a resource does on a node, in rising order.
enum class Role : std::uint8_t { Unknown, Stopped, Started, Unpromoted, Promoted };

[[nodiscard]] const char* name_of(Role role);
/// Old names (Slave, Master) too; Unknown for anything else.
[[nodiscard]] Role role_of(std::string_view word);

}  // namespace bascule::policy
