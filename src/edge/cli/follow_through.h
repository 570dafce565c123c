#pragma once

#include <cstdint>
#include <string>

#include "edge/cli/command_line.h"

namespace bascule::cli {

/// What a change is to lead to, as `status` shows it.
struct Goal {
  enum class Kind { none, started, stopped, moved, emptied } kind = Kind::none;
  std::string subject;   ///< service; for emptied the node
  std::string from, to;  ///< for moved: the owner before, and the wanted one (either may be empty)
};

enum class Progress { reached, on_the_way, failed };
[[nodiscard]] Progress progress(const Goal& goal, const json& status);

/// Polls until the goal is reached, telling each new event above `since` (unless `quiet`). Goes on over a restart of
/// managerd.
[[nodiscard]] int follow_through(const std::string& socket, const Goal& goal, std::uint64_t since, Duration timeout,
                                 bool quiet, const Surroundings& surroundings);

}  // namespace bascule::cli
