#pragma once

#include <optional>
#include <string>

#include "runtime/sim/replication/replica.h"
#include "wire/drbd_metadata/layout.h"
#include "wire/drbd_metadata/superblock.h"

/// What stands in a replica's metadata, as a driver writes and reads it and as checkers look at it.
namespace bascule::sim {

/// New metadata, durable.
void format(Disk& metadata, const drbd_metadata::Layout& layout, const drbd_metadata::Superblock& superblock);
[[nodiscard]] drbd_metadata::Superblock superblock_on(const Disk& metadata, const drbd_metadata::Layout& layout);
/// What a driver reads before it makes an engine.
[[nodiscard]] replication::Restored restored_from(const Disk& metadata, const drbd_metadata::Layout& layout);
/// The size of a disk that has room for `data_bytes` of data with internal metadata behind it.
[[nodiscard]] std::uint64_t backing_bytes_with_metadata(std::uint64_t data_bytes);

/// A replica and where its metadata are.
struct Placed {
  const Replica& replica;
  drbd_metadata::Layout layout;
};
/// Where two disks of at most `bytes` differ although neither bitmap nor activity log says so; a sentence. Nothing also
/// while one of them is new: it differs everywhere, and says so by its UUID.
[[nodiscard]] std::optional<std::string> unmarked_difference(const Placed& one, const Placed& other,
                                                             std::uint64_t bytes);

}  // namespace bascule::sim
