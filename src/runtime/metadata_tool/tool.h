#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "runtime/files/file_system.h"

namespace bascule::metadata_tool {

/// Exit codes, those of drbdmeta.
enum ExitCode : int {
  done = 0,
  refused = 1,       ///< no valid metadata there, or a refusal
  inconsistent = 5,  ///< outdate: the data are not even consistent
  wrong_usage = 10,  ///< an argument is missing or wrong, or there is no room
  unusable = 20,     ///< the device cannot be opened, no such format or placement
};

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

/// `drbdmeta ARGUMENTS...`: [--force] MINOR v08|v09 DEVICE internal|flex-external|INDEX COMMAND [ARGUMENTS].
/// Returns the exit code. Never overwrites what is no metadata of DRBD, or valid metadata, without --force. Devices and
/// dumps are files of `files`.
[[nodiscard]] int run(const std::vector<std::string>& arguments, const Streams& streams,
                      files::FileSystem& files = files::this_machine());

/// Usage with every command and examples.
[[nodiscard]] std::string help();

}  // namespace bascule::metadata_tool
