#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/files/file_system.h"

namespace bascule::files {

/// The whole of what `path` names: a file, a pipe, a device. Fails with `what` for one that is not there, is a
/// directory, cannot be read, or is longer than `most_bytes`. "-" is not special.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::string_view what,
                                            std::size_t most_bytes = std::size_t{1} << 30,
                                            FileSystem& files = this_machine());

}  // namespace bascule::files
