#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "wire/cib/model.h"

namespace bascule::cli {

/// Which Pacemaker cluster a command is about.
struct CibInput {
  std::string file;  ///< a CIB as XML
  std::string at;    ///< ISO 8601; empty: the CIB's execution-date, else now
};

struct LoadedCib {
  cib::Cib cib;
  std::int64_t now_s = 0;
  std::vector<std::string> notices;
};

[[nodiscard]] Result<LoadedCib> load_cib(const CibInput& input);

}  // namespace bascule::cli
