#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/drbd_config/document.h"
#include "wire/drbd_config/resolve.h"

namespace {

using namespace bascule;

/// One resource with one place filled by the fuzzer, so that what lies behind the braces is reached.
std::string around(std::string_view hole) {
  return "resource r0 { " + std::string(hole) +
         " on alice { device /dev/drbd0; disk /dev/sdb1; address 10.0.0.1:7789; meta-disk internal; } on bob { device "
         "/dev/drbd0; disk /dev/sdb1; address 10.0.0.2:7789; meta-disk internal; } }";
}

Result<std::vector<drbd_config::Source>> include(const std::string& pattern, const std::string& from) {
  if (pattern == "again") return std::vector<drbd_config::Source>{{from, "resource x { }"}, {pattern, "common { }"}};
  return fail("there is no other file");
}

/// What is accepted is dumped, and the dump is read as the same.
void check(const std::string& text) {
  const auto document = drbd_config::parse({"fuzz", text}, include);
  if (!document) {
    BASCULE_ASSERT(!document.error().why.empty() && !document.error().where.empty());
    return;
  }
  for (const auto& resource : document->resources) (void)drbd_config::resolve(*document, resource);
  const std::string dumped = drbd_config::dump(*document, "alice");
  const auto again = drbd_config::parse({"fuzz", dumped}, include);
  BASCULE_ASSERT(!again || drbd_config::dump(*again, "alice").size() + 64 > dumped.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check(text);
  check(around(text));
  return 0;
}
