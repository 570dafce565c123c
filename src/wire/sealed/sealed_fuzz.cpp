#include <cstdlib>

#include "wire/sealed/sealed.h"

using namespace bascule;

/// Random bytes open nothing; a key file that is accepted is written again as one that says the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  sealed::Keyring keys(sealed::Key{1, {}});
  sealed::Opener opener("fuzz");
  if (opener.open(keys, input)) std::abort();
  Bytes real = sealed::Sealer("fuzz", 1, {}).seal(keys.sending(), input);
  if (!opener.open(keys, real)) std::abort();
  for (std::size_t i = 0; i + 2 < size; i += 3) real[(data[i] * 256u + data[i + 1]) % real.size()] ^= data[i + 2];
  if (opener.open(keys, real) && real != sealed::Sealer("fuzz", 1, {}).seal(keys.sending(), input)) std::abort();
  const auto keyring = sealed::Keyring::parse(text_of(input), "fuzz");
  if (keyring && sealed::Keyring::parse(keyring->text(), "fuzz")->text() != keyring->text()) std::abort();
  return 0;
}
