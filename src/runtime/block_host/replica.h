#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/replication/engine.h"
#include "runtime/block_host/backing.h"
#include "runtime/block_host/metadata_place.h"

namespace bascule::block_host {

/// The devices of one replica: its data, and its metadata behind the data or on a device of their own.
class Replica {
 public:
  explicit Replica(MetadataPlace place = {}) : place_(std::move(place)) {}

  /// Errors: as Backing::open, for either; both are the same device.
  [[nodiscard]] Result<void> open(const std::string& disk, Duration patience = {});
  void close();

  [[nodiscard]] bool open() const { return data_.open(); }
  [[nodiscard]] const Backing& data() const { return data_; }
  /// The device that holds the metadata; for internal ones that of the data. Stays the same object.
  [[nodiscard]] const Backing& metadata() const { return place_.internal() ? data_ : metadata_; }
  [[nodiscard]] const MetadataPlace& place() const { return place_; }
  /// Takes the sizes anew.
  [[nodiscard]] Result<void> measure();
  /// Of the device with external metadata; internal: 0.
  [[nodiscard]] std::uint64_t metadata_bytes() const { return place_.internal() ? 0 : metadata_.bytes(); }

 private:
  MetadataPlace place_;
  Backing data_, metadata_;
};

/// A volume as it lies on its disk.
struct FoundVolume {
  replication::Restored restored;
  std::uint64_t backing_bytes =
      0;  ///< internal metadata lie at the end of so many bytes: the device may have grown since
  std::uint64_t metadata_bytes = 0;  ///< external metadata use so many bytes of their device: it may have grown since
};

/// Superblock, bitmap and activity log for the engine. Internal metadata are looked for where they were at an earlier
/// size (oldest first: there they are whole as long as they are there), or at the end. Errors: too small, no metadata,
/// somebody else's data, metadata that does not fit the device. Each is one sentence with what to do.
[[nodiscard]] Result<FoundVolume> restore(const Replica& replica, const std::string& volume,
                                          const std::vector<std::uint64_t>& earlier_sizes = {});

}  // namespace bascule::block_host
