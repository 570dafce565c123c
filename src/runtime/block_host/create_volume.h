#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "wire/cluster_config/config.h"

namespace bascule::block_host {

struct CreateReport {
  std::string path;
  std::string metadata = "internal";  ///< as configured: or "/dev/sdc1", "/dev/sdc1[0]"
  std::uint64_t backing_bytes = 0;    ///< internal metadata included
  std::uint64_t usable_bytes = 0;     ///< what the device will show, if the peer's is not smaller
  bool file_made = false;
  bool metadata_file_made = false;
  std::string overwritten;  ///< what was there ("ext2/3/4 filesystem"), with `force`
};

/// Makes the backing store of one volume on one node: missing files are made in the configured size, then v08 metadata
/// is written where `metadata` says, as `drbdmeta create-md` does. Data itself is not touched. Errors, nothing changed:
/// unknown volume or node; missing and no size configured; a missing device; too small, also for the bitmap; metadata
/// on the disk itself, but not internal; in use; holds a volume already or somebody else's data and not `force`.
[[nodiscard]] Result<CreateReport> create_volume(const config::ClusterConfig& config, const std::string& node,
                                                 const std::string& volume, bool force);

/// The smallest backing store whose data area has `usable_bytes`.
[[nodiscard]] std::uint64_t backing_bytes_for(std::uint64_t usable_bytes);

}  // namespace bascule::block_host
