#include <cstddef>
#include <cstdint>

#include "base/assert.h"
#include "edge/api/request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& line :
       {text, "{\"op\":\"move\",\"service\":\"" + text + "\"}", "{\"op\":\"events\",\"since\":" + text + "}"})
    if (const auto request = bascule::api::parse_request(line); !request)
      BASCULE_ASSERT(!bascule::api::to_json(request.error())
                          .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
                          .empty());
  return 0;
}
