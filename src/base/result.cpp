#include "base/result.h"

#include <cstring>

namespace bascule {

std::string Error::text() const {
  std::string line = what;
  if (!where.empty()) line += ": " + where;
  if (!why.empty()) line += ": " + why;
  if (!hint.empty()) line += " (" + hint + ")";
  return line;
}

tl::unexpected<Error> fail(std::string what, std::string where, std::string why, std::string hint) {
  return tl::unexpected<Error>(Error{std::move(what), std::move(where), std::move(why), std::move(hint)});
}

tl::unexpected<Error> fail_errno(std::string what, std::string where, int error_number) {
  return fail(std::move(what), std::move(where), std::strerror(error_number));
}

}  // namespace bascule
