#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/sim/crash/writer.h"

namespace bascule::sim {

struct CrashEnumeration {
  std::uint64_t states = 200'000;  ///< at least so many, over all writers; fewer if there are no more
  std::uint64_t seed = 1;          ///< chooses among the states of a point that has too many
  std::string writer{};            ///< only this one; empty: all
  std::string canary{};            ///< a fault to plant in it
  unsigned jobs = 1;
};

struct CrashWriterReport {
  const CrashWriter* writer;
  std::uint64_t sequences = 0;
  Explorer::Figures figures{};
};

/// Every sequence of operations of every writer, cut off after every call. The same numbers give the same report,
/// whatever the number of jobs.
[[nodiscard]] std::vector<CrashWriterReport> enumerate_crashes(const CrashEnumeration& wanted);

/// One state again, step by step. `violation` is empty when the promise was kept; `known` is false when there is no
/// such state.
struct CrashReplay {
  bool known = false;
  std::vector<std::string> story;
  std::string violation;
};
[[nodiscard]] CrashReplay replay_crash(const CrashWriter& writer, const CrashStateId& id, const std::string& canary);

}  // namespace bascule::sim
