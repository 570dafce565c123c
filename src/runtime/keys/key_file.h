#pragma once

#include <string>

#include "base/result.h"
#include "runtime/files/file_system.h"
#include "wire/sealed/keyring.h"

namespace bascule::keys {

/// The cluster's keys. Refused: a file that others than its owner may read or write, and one that is not a key file.
[[nodiscard]] Result<sealed::Keyring> read(const std::string& path, files::FileSystem& files = files::this_machine());

enum class Existing { Refuse, Replace };

/// Writes a key file with mode 0600, whole or not at all, durable when this returns.
[[nodiscard]] Result<void> write(const std::string& path, const sealed::Keyring& keyring, Existing existing,
                                 files::FileSystem& files = files::this_machine());

/// A new key: 32 bytes from the system's random source.
[[nodiscard]] Result<sealed::Key> fresh_key(std::uint32_t id);

}  // namespace bascule::keys
