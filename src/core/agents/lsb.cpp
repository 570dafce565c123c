#include "core/agents/lsb.h"

#include "core/agents/ocf.h"

namespace bascule::agents {
namespace {

constexpr int dead_with_pid_file = 1;
constexpr int stopped = 3;
// Beyond the specification, as Pacemaker reads them.
constexpr int status_not_installed = 150;
constexpr int status_no_privileges = 152;

int of_status(int exit_code) {
  if (exit_code == 0) return ocf::success;
  if (exit_code >= dead_with_pid_file && exit_code <= stopped) return ocf::not_running;
  if (exit_code == status_not_installed) return ocf::error_installed;
  if (exit_code == status_no_privileges) return ocf::error_permission;
  return ocf::error_generic;
}

}  // namespace

int ocf_code_of_lsb(std::string_view operation, int exit_code) {
  if (exit_code < 0) return exit_code;
  if (operation == "monitor") return of_status(exit_code);
  return exit_code <= ocf::not_running ? exit_code : ocf::error_generic;
}

}  // namespace bascule::agents
