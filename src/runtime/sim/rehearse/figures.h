#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "runtime/sim/rehearse/watch.h"

namespace bascule::sim::rehearse {

/// What one run came to.
struct RunResult {
  std::uint64_t seed = 0;
  std::map<std::string, Span> services, copies;
  std::string promise;     ///< the one that was broken; empty: none
  std::string violation;   ///< how
  bool data_lost = false;  ///< an acknowledged write is gone, or the copies differ where nothing says so
};

/// How long something was not there, over those runs in which it was gone at all.
struct Distribution {
  std::uint64_t runs = 0;  ///< in which it was gone
  Duration median{}, p90{}, worst{};
  std::uint64_t worst_seed = 0;
  std::uint64_t not_back = 0;  ///< runs in which it was gone at the end
};

/// All runs together.
struct Figures {
  std::uint64_t runs = 0;
  std::map<std::string, Distribution> services, copies;
  std::uint64_t undisturbed = 0;         ///< runs in which every service was there all the time
  std::vector<std::uint64_t> lost_data;  ///< seeds
  std::vector<RunResult> broken;         ///< runs that broke a promise, by seed
  /// Of the run to tell: data lost, else a promise broken, else a service that did not come back, else the longest time
  /// without a service. Nothing when no service was ever gone.
  std::optional<std::uint64_t> worst_seed;

  /// Every service came back, and nothing was lost or broken.
  [[nodiscard]] bool good() const;
};
/// The order of `results` does not matter.
[[nodiscard]] Figures figures_of(std::vector<RunResult> results);

}  // namespace bascule::sim::rehearse
