#include "edge/cli/failure.h"

#include <ostream>

#include "edge/api/request.h"

namespace bascule::cli {

int tell_failure(const Error& error, int code, bool as_json, const Surroundings& around) {
  if (as_json)
    around.out << one_line({{"ok", false}, {"error", api::to_json(error)}}) << "\n";
  else
    around.err << "bascule: " << printable(error.text()) << "\n";
  return code;
}

int code_without_answer(const Error& error) { return error.what == "no answer" ? timed_out : no_contact; }

}  // namespace bascule::cli
