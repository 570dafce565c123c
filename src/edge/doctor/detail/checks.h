#pragma once

#include <string>
#include <utility>
#include <vector>

#include "edge/doctor/judge.h"

namespace bascule::doctor::detail {

/// Collects the findings of one check.
class Report {
 public:
  explicit Report(std::vector<Finding>& findings) : findings_(findings) {}
  void fine(const char* check, std::string subject, std::string text) {
    findings_.push_back({check, std::move(subject), Verdict::Fine, std::move(text), "", ""});
  }
  void warn(const char* check, std::string subject, std::string text, std::string why, std::string mend) {
    findings_.push_back(
        {check, std::move(subject), Verdict::Warning, std::move(text), std::move(why), std::move(mend)});
  }
  void bad(const char* check, std::string subject, std::string text, std::string why, std::string mend) {
    findings_.push_back({check, std::move(subject), Verdict::Bad, std::move(text), std::move(why), std::move(mend)});
  }

 private:
  std::vector<Finding>& findings_;
};

/// The role of this machine; a witness needs less. Data when there is no usable configuration.
[[nodiscard]] config::NodeRole role_of(const Facts& facts);

void check_machine(const Facts& facts, Report& report);
void check_network(const Facts& facts, Report& report);
void check_storage(const Facts& facts, Report& report);
void check_services(const Facts& facts, Report& report);

}  // namespace bascule::doctor::detail
