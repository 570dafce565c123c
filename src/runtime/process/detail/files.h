#pragma once

#include <string>

namespace bascule::process {

/// The whole of a small file of /proc or /sys; empty if it cannot be read.
[[nodiscard]] std::string read_file(const std::string& path);
/// One write(2); false if it failed.
bool write_file(const std::string& path, const std::string& text);
/// `name` as a directory name: what is not a letter, digit, `_` or `-` becomes `_`.
[[nodiscard]] std::string directory_name(const std::string& name);

}  // namespace bascule::process
