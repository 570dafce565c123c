#pragma once

#include <string>

namespace bascule::config {

/// For the tests of this room: a cluster.toml with one mistake, and what the one Error must say in its four parts.
struct Mistake {
  const char* name;
  std::string file;
  const char* where;
  const char* why;
  const char* hint;
};

inline const std::string volume = "[volume.data]\ndisk = \"/dev/sdb\"\n";  // two lines

}  // namespace bascule::config
