#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace bascule::sim {

/// A peer that speaks a correct handshake with a real engine and then lies (tests/fuzz/lying-peer).
struct LiarScenario {
  std::uint64_t messages = 1000;
  std::uint64_t seed = 1;
  std::function<void(std::uint64_t)> progress = nullptr;  ///< called now and then with the messages so far
};

struct LiarReport {
  std::uint64_t messages = 0;  ///< untrue packets sent
  std::uint64_t sessions = 0;
  std::uint64_t disconnects = 0;              ///< ended by the engine, with a reason
  std::uint64_t harmless = 0;                 ///< a garbled packet that was still a possible one
  std::map<std::string, std::uint64_t> told;  ///< kind of lie -> how often
  std::string failure;                        ///< empty: every lie ended in a clean, named disconnect
};

/// Stops at the first failure. Same scenario, same report.
LiarReport tell_lies(const LiarScenario& scenario);

}  // namespace bascule::sim
