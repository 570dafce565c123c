#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/block_host/create_volume.h"
#include "runtime/block_host/replica.h"

/// The steps that create_volume is made of.
namespace bascule::block_host::detail {

inline constexpr const char* kForceOverwrites = "--force overwrites it";

[[nodiscard]] tl::unexpected<Error> refuse_creation(const std::string& where, const std::string& why,
                                                    const std::string& hint = "");

/// Files that were made on the way, and are not left behind by a creation that is refused.
class MadeFiles {
 public:
  MadeFiles() = default;
  MadeFiles(const MadeFiles&) = delete;
  MadeFiles& operator=(const MadeFiles&) = delete;
  ~MadeFiles();
  /// Whole, as the disk may not be full later. Nothing is made where a device is missing.
  [[nodiscard]] Result<void> make(const std::string& path, std::uint64_t bytes);
  [[nodiscard]] bool has(const std::string& path) const;
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

[[nodiscard]] bool is_missing(const std::string& path);
/// v08 metadata in the place of whatever is there: none while they are written, all of them at the end.
[[nodiscard]] Result<void> write_metadata(const Backing& backing, const drbd_metadata::Layout& layout);

/// Of a replica whose metadata are not behind its data.
[[nodiscard]] Result<CreateReport> create_external(const config::Volume& volume, const std::string& disk,
                                                   const MetadataPlace& place, bool force);

}  // namespace bascule::block_host::detail
