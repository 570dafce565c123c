#pragma once

#include <string>

#include "base/result.h"
#include "wire/drbd_config/document.h"

namespace bascule::cli {

/// The file that drbdadm would take: the first that exists of drbd-90.conf, drbd-84.conf, drbd-83.conf, drbd-82.conf,
/// drbd-08.conf and drbd.conf in `directory`. drbd.conf when none does.
[[nodiscard]] std::string default_drbd_file(const std::string& directory);

/// Reads a configuration of DRBD with all files that it includes; patterns are relative to the including file.
[[nodiscard]] Result<drbd_config::Document> load_drbd(const std::string& file);

}  // namespace bascule::cli
