#pragma once

#include <string>
#include <string_view>

/// What the return codes of OCF agents mean (OCF resource agent API 1.1).
namespace bascule::agents {

/// Exit codes of agents, and two of our own for runs that gave none.
namespace ocf {
inline constexpr int success = 0;
inline constexpr int error_generic = 1;
inline constexpr int error_arguments = 2;
inline constexpr int error_unimplemented = 3;
inline constexpr int error_permission = 4;
inline constexpr int error_installed = 5;
inline constexpr int error_configured = 6;
inline constexpr int not_running = 7;
inline constexpr int running_promoted = 8;
inline constexpr int failed_promoted = 9;
inline constexpr int degraded = 190;
inline constexpr int degraded_promoted = 191;
inline constexpr int timed_out = -1;      ///< ours: killed, by its timeout or by us
inline constexpr int could_not_run = -2;  ///< ours: fork or exec failed
}  // namespace ocf

/// How far a failure reaches; the classes are Pacemaker's.
enum class Severity {
  success,  ///< no failure
  soft,     ///< may work when it is tried again here
  hard,     ///< will not work on this node whatever is tried (2 to 5, and an agent that cannot be run)
  fatal,    ///< the configuration is wrong, it will work nowhere (6)
};

/// What a probe or monitor found.
enum class Found {
  running,      ///< 0, 8, 190, 191
  not_running,  ///< 7; of a probe also 5, since what is not installed does not run
  failed,       ///< anything else: it may be half running, so it is stopped before anything is started
};

/// "not running" for 7; "exit code 42" for one that OCF does not know.
[[nodiscard]] std::string meaning(int return_code);
/// "rc 7 (not running)"; "timed out"; "could not be run".
[[nodiscard]] std::string describe(int return_code);
/// Of `start` and `stop`: success only for 0 (and degraded for start).
[[nodiscard]] Severity severity(std::string_view operation, int return_code);
/// 190, 191: it runs, and it says that something is wrong with it.
[[nodiscard]] bool is_degraded(int return_code);
[[nodiscard]] Found found_by_monitor(int return_code, bool probe);

/// The same of the Promoted role: 8 and 191 have it; 0, 7 and 190 do not, and are fine without; 9 and all others
/// failed.
[[nodiscard]] Found found_promoted(int return_code);

/// The text behind the last line of `errors` that begins with `prefix`; without such a line the last line that is not
/// empty. At most 400 bytes, control characters replaced.
[[nodiscard]] std::string exit_reason(std::string_view errors, std::string_view prefix);

/// What we ask agents to put before their exit reason (OCF_EXIT_REASON_PREFIX).
inline constexpr std::string_view exit_reason_prefix = "ocf-exit-reason:";

}  // namespace bascule::agents
