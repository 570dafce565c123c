#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "core/decisions/record.h"
#include "core/decisions/sample.h"

namespace {

/// Whatever is read can be replayed; what cannot be read is refused with a reason.
void read_and_replay(std::string_view line) {
  const auto record = bascule::decisions::read(line);
  if (!record)
    BASCULE_ASSERT(!record.error().why.empty());
  else
    (void)bascule::decisions::replay(*record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read_and_replay({reinterpret_cast<const char*>(data), size});
  static const std::string sample = bascule::decisions::sample();
  std::string damaged = sample;
  for (std::size_t i = 0; i + 2 < size && i < 30; i += 3)
    damaged[(data[i] * 256u + data[i + 1]) % damaged.size()] = static_cast<char>(data[i + 2]);
  read_and_replay(damaged);
  return 0;
}
