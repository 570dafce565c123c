#include "edge/doctor/judge.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/doctor/detail/checks.h"

namespace bascule::doctor {
namespace {

std::string line_of(const Finding& finding) {
  std::string line = fmt::format("{:<8} {:<12} ", name_of(finding.verdict), finding.check);
  if (!finding.subject.empty()) line += finding.subject + ": ";
  line += finding.text;
  if (!finding.why.empty()) line += "; " + finding.why;
  if (!finding.mend.empty()) line += "\n" + std::string(22, ' ') + "do: " + finding.mend;
  return line + "\n";
}

}  // namespace

std::vector<Finding> judge(const Facts& facts) {
  std::vector<Finding> findings;
  detail::Report report(findings);
  detail::check_machine(facts, report);
  detail::check_network(facts, report);
  detail::check_storage(facts, report);
  detail::check_services(facts, report);
  return findings;
}

const char* name_of(Verdict verdict) {
  return verdict == Verdict::Fine ? "ok" : verdict == Verdict::Warning ? "warning" : "bad";
}

Verdict worst(const std::vector<Finding>& findings) {
  Verdict found = Verdict::Fine;
  for (const auto& finding : findings) found = std::max(found, finding.verdict);
  return found;
}

std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const auto& finding : findings) text += line_of(finding);
  const auto count = [&](Verdict verdict) {
    return std::count_if(findings.begin(), findings.end(), [=](const Finding& one) { return one.verdict == verdict; });
  };
  return text + fmt::format("{} checks: {} bad, {} warnings.\n", findings.size(), count(Verdict::Bad),
                            count(Verdict::Warning));
}

namespace detail {

config::NodeRole role_of(const Facts& facts) {
  const auto* node = facts.config ? facts.config->node(facts.node) : nullptr;
  return node == nullptr ? config::NodeRole::data : node->role;
}

}  // namespace detail
}  // namespace bascule::doctor
