#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/sim/rehearse/figures.h"

namespace bascule::sim::rehearse {

/// Somebody's own cluster, and what is to happen to it.
struct Request {
  std::string text;                ///< cluster.toml
  std::string file;                ///< its name, for messages
  std::vector<std::string> kinds;  ///< of faults: kinds.h
  std::uint64_t seed = 1;          ///< the first
  std::uint64_t runs = 100;
  std::uint32_t faults = 1;  ///< in each run, all within five seconds
  cluster::Given given = {};
  unsigned jobs = 1;  ///< threads
  /// Called from any thread, one call at a time.
  std::function<void(std::uint64_t done)> progress = {};
};

struct Report {
  Figures figures;
  std::vector<std::string> left_out;  ///< what of the configuration is not rehearsed, a sentence each
  config::ClusterConfig config;       ///< what is
  std::vector<StoryLine> worst;       ///< the story of the worst run, if there is one
};
/// Runs it. Errors: the configuration is wrong or cannot be rehearsed.
[[nodiscard]] Result<Report> rehearse(const Request& request);

}  // namespace bascule::sim::rehearse
