#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "wire/cluster_config/config.h"

namespace {

/// A whole configuration with one place filled by the fuzzer, so that the checks behind the TOML grammar are reached.
std::string around(std::string_view hole) {
  return "[cluster]\nname = \"c\"\n[node.a]\naddress = \"10.0.0.1\"\n[node.b]\naddress = \"10.0.0.2\"\n"
         "[node.w]\naddress = \"10.0.0.3\"\nrole = \"witness\"\n[volume.v]\ndisk = \"/d\"\n[service.s]\nvolume = "
         "\"v\"\n" +
         std::string(hole);
}

void check(std::string_view text) {
  const auto config = bascule::config::parse(text, "fuzz.toml");
  if (!config) {
    BASCULE_ASSERT(!config.error().why.empty());
    return;
  }
  const auto votes =
      std::count_if(config->nodes.begin(), config->nodes.end(), [](const auto& node) { return node.votes(); });
  BASCULE_ASSERT(votes % 2 == 1);
  for (const auto& service : config->services) BASCULE_ASSERT(!service.steps.empty());
  for (const auto& volume : config->volumes)
    BASCULE_ASSERT(volume.disk.size() == 2 || (volume.operator_decides && volume.disk.size() == 1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(text);
  check(around(text));
  return 0;
}
