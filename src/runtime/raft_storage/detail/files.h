#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/files/file_system.h"

namespace bascule::raft_storage::detail {

using files::Descriptor;
using files::FileSystem;

/// Each is a call of the file system with the error told.
[[nodiscard]] Result<Descriptor> open_file(FileSystem& files, const std::string& path, int flags);
[[nodiscard]] Result<void> write_all(const Descriptor& file, const std::string& path, std::uint64_t offset,
                                     ByteView bytes);
[[nodiscard]] Result<void> sync_data(const Descriptor& file, const std::string& path);
[[nodiscard]] Result<void> sync_directory(FileSystem& files, const std::string& directory);
[[nodiscard]] Result<void> cut(const Descriptor& file, const std::string& path, std::uint64_t bytes);
/// Nothing when there is no such file.
[[nodiscard]] Result<std::optional<Bytes>> read_whole(FileSystem& files, const std::string& path);
/// Temporary file, sync, rename, sync of the directory: afterwards `directory`/`name` is `bytes`, or still what it was.
[[nodiscard]] Result<Descriptor> replace_file(FileSystem& files, const std::string& directory, const std::string& name,
                                              ByteView bytes);
/// Fails when another process has it.
[[nodiscard]] Result<Descriptor> lock_file(FileSystem& files, const std::string& path);

}  // namespace bascule::raft_storage::detail
