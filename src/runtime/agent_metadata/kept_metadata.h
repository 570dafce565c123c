#pragma once

#include <string>

/// What agents said of themselves, kept on disk until their program is another file.
namespace bascule::agent_metadata {

/// Another one for another file (size, mtime, inode); empty: there is no such agent.
[[nodiscard]] std::string stamp_of(const std::string& program);

/// What was kept at `path` with that stamp; empty: nothing, or it was torn by a crash.
[[nodiscard]] std::string kept(const std::string& path, const std::string& stamp);

/// Makes the directory if its parent is there. What cannot be kept is asked for again: no error.
void keep(const std::string& path, const std::string& stamp, const std::string& printed);

}  // namespace bascule::agent_metadata
