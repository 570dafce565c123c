#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/files/file_system.h"

namespace bascule::files {

/// Gives `path` the contents `text`, whole or not at all: written beside it, durable, then put in its place, which is
/// durable too when this returns. The mode and owner are those of the file that is there; a new one gets 0644, whatever
/// the umask. Fails with `what`.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view text, std::string_view what,
                                        FileSystem& files = this_machine());

}  // namespace bascule::files
