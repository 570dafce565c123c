#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "core/replication/engine.h"
#include "runtime/block_host/host.h"
#include "runtime/block_host/metadata_place.h"

namespace bascule::block_host {

/// One volume as this node runs it.
struct VolumePlan {
  config::Volume volume;
  std::string peer;
  std::string own_address, peer_address;
  std::string disk;  ///< backing file or device; empty: this node is diskless
  MetadataPlace metadata;
};

/// Errors: no such volume, a node that is not in it, nobody to replicate to, no such place for the metadata.
[[nodiscard]] Result<VolumePlan> plan_of(const Options& options);

/// What the engine is told of a volume; the seed and what is known of the disk only when it is open are the caller's.
/// A duration that differs from DRBD's default is taken; else the engine keeps its own, finer one, except that an
/// operator's volume waits for a write as long as DRBD does (timeout times ko-count).
[[nodiscard]] replication::Config engine_config(const VolumePlan& plan, const std::string& node);

}  // namespace bascule::block_host
