#pragma once

#include <string>
#include <vector>

#include "runtime/doctor/facts.h"

/// What the facts about a machine mean for a node of a cluster. Pure.
namespace bascule::doctor {

enum class Verdict { Fine, Warning, Bad };

struct Finding {
  std::string check;    ///< "watchdog": the same word for every run
  std::string subject;  ///< "/dev/watchdog0", "data"; may be empty
  Verdict verdict = Verdict::Fine;
  std::string text;  ///< what is so
  std::string why;   ///< what follows from it; empty when fine
  std::string mend;  ///< the command that mends it; empty when fine, or when no command can
};

/// All checks, in a fixed order.
[[nodiscard]] std::vector<Finding> judge(const Facts& facts);

/// "ok", "warning", "bad".
[[nodiscard]] const char* name_of(Verdict verdict);
/// The worst of them; Fine when there are none.
[[nodiscard]] Verdict worst(const std::vector<Finding>& findings);
/// One line each, and a last one that counts.
[[nodiscard]] std::string text_of(const std::vector<Finding>& findings);

}  // namespace bascule::doctor
