#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace bascule::sim::cluster {

/// What a swarm is asked for on the command line.
struct SwarmOptions {
  std::uint64_t seeds = 300, start = 1;
  unsigned jobs = 1;
  std::string json_file;  ///< empty: none is written
};

/// `bascule-sim swarm`, `replay`, `canaries` and `pace`.
class Commands {
 public:
  /// Adds them to `app`, which outlives this object.
  explicit Commands(CLI::App& app);
  /// After the arguments were parsed: the exit code (0: nothing was broken, 1: something was, 2: a file cannot be
  /// written); nothing if it was none of these commands.
  [[nodiscard]] std::optional<int> run() const;

 private:
  SwarmOptions swarm_;
  SwarmOptions canaries_{.seeds = 2000, .start = 1, .jobs = 1, .json_file = {}};
  std::uint64_t replayed_ = 1;
  std::uint64_t hours_ = 1;
  CLI::App *swarm_command_, *replay_command_, *canaries_command_, *pace_command_;
};

}  // namespace bascule::sim::cluster
