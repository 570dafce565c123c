#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "edge/cli/command_line.h"

namespace bascule::cli {

/// What may stand behind `maintenance`, `drain`, `restart`, `stop --all`, `start --all` and `history`.
struct OperateRequest {
  std::string socket;
  std::string service, node, step, reason, kind;
  std::string length;  ///< a time as it was written
  std::uint64_t limit = 1000;
  bool all = false, follow = false, wait = false, no_wait = false, as_json = false;
  Duration timeout = seconds(120);
};

/// Whether run_operation() does this command.
[[nodiscard]] bool is_operation(const std::string& words);
/// `words`: "drain", "maintenance on" ...; also "stop --all" and "start --all". The exit code.
[[nodiscard]] int run_operation(const std::string& words, const OperateRequest& request,
                                const Surroundings& surroundings);

/// "90s", "30min", "2h", "1d" (a plain number: seconds).
[[nodiscard]] Result<Duration> parse_length(const std::string& written);

}  // namespace bascule::cli
