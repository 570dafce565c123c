#pragma once

#include <string>

#include "runtime/files/file_system.h"

/// What a manager keeps in files beside its log.
namespace bascule::manager_host {

/// Writes the agreed configuration to `file`, whole or not at all, with the mode and owner that the file has. Should
/// the file say neither that nor `known`, somebody edited it: that text is kept as FILE.not-applied. Trouble is told to
/// the log and nobody else; the agreed configuration is in force all the same.
void keep_configuration(const std::string& file, const std::string& known, const std::string& agreed,
                        files::FileSystem& files = files::this_machine());

/// STATE_DIR/joined: this node came to a cluster that was there before it (`bascule join` writes it).
[[nodiscard]] bool has_joined(const std::string& state_dir);
[[nodiscard]] std::string joined_file(const std::string& state_dir);

}  // namespace bascule::manager_host
