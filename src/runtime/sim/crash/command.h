#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace bascule::sim {

/// What `bascule-sim crash --states` was asked for.
struct CrashCommand {
  std::uint64_t states = 200'000;
  std::uint64_t seed = 1;
  unsigned jobs = 1;
  std::string writer, state, canary;
  std::optional<std::string> json_file;  ///< "-": standard output
};
/// The options of `command`; whoever gives one of them asks for this, and not for something else that `app` does.
void add_crash_options(CLI::App& app, CrashCommand& command);
[[nodiscard]] bool asks_for_crash_states(const CLI::App& app);
/// Enumerates, or shows one state. Returns the exit code: 0 no violation, 1 violations, 2 wrong usage.
[[nodiscard]] int run_crash_command(const CrashCommand& command);

}  // namespace bascule::sim
