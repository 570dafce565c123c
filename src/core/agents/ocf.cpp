#include "core/agents/ocf.h"

#include <algorithm>
#include <array>
#include <utility>

namespace bascule::agents {
namespace {

constexpr std::size_t reason_bytes_max = 400;

constexpr std::array<std::pair<int, std::string_view>, 14> meanings = {{
    {ocf::success, "ok"},
    {ocf::error_generic, "generic error"},
    {ocf::error_arguments, "invalid parameter"},
    {ocf::error_unimplemented, "unimplemented operation"},
    {ocf::error_permission, "insufficient privileges"},
    {ocf::error_installed, "not installed"},
    {ocf::error_configured, "not configured"},
    {ocf::not_running, "not running"},
    {ocf::running_promoted, "running promoted"},
    {ocf::failed_promoted, "failed promoted"},
    {ocf::degraded, "running, degraded"},
    {ocf::degraded_promoted, "running promoted, degraded"},
    {ocf::timed_out, "timed out"},
    {ocf::could_not_run, "could not be run"},
}};

std::string cleaned(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  std::string line(text.substr(0, reason_bytes_max));
  for (char& character : line) {
    if (static_cast<unsigned char>(character) < 0x20 || character == 0x7f) character = ' ';
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace

std::string meaning(int return_code) {
  const auto* found = std::find_if(meanings.begin(), meanings.end(),
                                   [return_code](const auto& entry) { return entry.first == return_code; });
  if (found != meanings.end()) return std::string(found->second);
  return "exit code " + std::to_string(return_code);
}

std::string describe(int return_code) {
  if (return_code < 0) return meaning(return_code);
  return "rc " + std::to_string(return_code) + " (" + meaning(return_code) + ")";
}

Severity severity(std::string_view operation, int return_code) {
  if (return_code == ocf::success) return Severity::success;
  if (operation != "stop" && (return_code == ocf::degraded || return_code == ocf::degraded_promoted)) {
    return Severity::success;
  }
  if (return_code == ocf::error_configured) return Severity::fatal;
  if (return_code == ocf::could_not_run) return Severity::hard;
  if (return_code >= ocf::error_arguments && return_code <= ocf::error_installed) return Severity::hard;
  return Severity::soft;
}

bool is_degraded(int return_code) { return return_code == ocf::degraded || return_code == ocf::degraded_promoted; }

Found found_by_monitor(int return_code, bool probe) {
  switch (return_code) {
    case ocf::success:
    case ocf::running_promoted:
    case ocf::degraded:
    case ocf::degraded_promoted:
      return Found::running;
    case ocf::not_running:
      return Found::not_running;
    case ocf::error_installed:
      return probe ? Found::not_running : Found::failed;
    default:
      return Found::failed;
  }
}

Found found_promoted(int return_code) {
  switch (return_code) {
    case ocf::running_promoted:
    case ocf::degraded_promoted:
      return Found::running;
    case ocf::success:
    case ocf::not_running:
    case ocf::degraded:
      return Found::not_running;
    default:
      return Found::failed;
  }
}

std::string exit_reason(std::string_view errors, std::string_view prefix) {
  std::string last, reason;
  while (!errors.empty()) {
    const std::size_t end = errors.find('\n');
    const std::string_view line = errors.substr(0, end);
    errors = end == std::string_view::npos ? std::string_view{} : errors.substr(end + 1);
    const bool marked = !prefix.empty() && line.substr(0, prefix.size()) == prefix;
    std::string text = cleaned(marked ? line.substr(prefix.size()) : line);
    if (text.empty()) continue;
    (marked ? reason : last) = std::move(text);
  }
  return reason.empty() ? last : reason;
}

}  // namespace bascule::agents
