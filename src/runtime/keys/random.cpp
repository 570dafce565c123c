#include "runtime/keys/random.h"

#include <sys/random.h>

#include <cerrno>

namespace bascule::keys {

Result<void> fill_at_random(std::span<Byte> bytes) {
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail_errno("no random numbers", "getrandom", errno);
  return {};
}

}  // namespace bascule::keys
