#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "wire/cib/digest.h"
#include "wire/cib/parse.h"
#include "wire/cib/times.h"

namespace {

using namespace bascule;

/// A document with one place filled by the fuzzer.
std::string around(std::string_view hole) {
  return R"(<cib validate-with="none"><configuration><resources><primitive id="a" class="ocf" type="b">)" +
         std::string(hole) + "</primitive></resources></configuration></cib>";
}

void check(const std::string& text) {
  const auto document = cib::parse(text, "fuzz");
  if (!document) BASCULE_ASSERT(!document.error().why.empty() && !document.error().where.empty());
  if (document)
    for (const auto& notice : document->notices) BASCULE_ASSERT(!notice.what.empty() && !notice.path.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check(text);
  check(around(text));
  if (const auto time = cib::parse_time(text)) (void)cib::calendar_of(*time);
  (void)cib::parse_interval_ms(text);
  BASCULE_ASSERT(cib::digest_of_parameters({{"a", text}}).size() == 32);
  return 0;
}
