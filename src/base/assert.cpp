#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace bascule::detail {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "bascule: assertion failed: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace bascule::detail
