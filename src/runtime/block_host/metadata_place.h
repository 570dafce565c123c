#pragma once

#include <string>

#include "base/result.h"
#include "wire/drbd_metadata/layout.h"

namespace bascule::block_host {

/// Where a replica keeps its metadata, as cluster.toml says it: "internal", "/dev/sdc1" (flexible: the whole device) or
/// "/dev/sdc1[3]" (indexed: one of its pieces of 128 MiB, which other volumes share).
struct MetadataPlace {
  drbd_metadata::Placement placement;
  std::string path;  ///< of the device or file; internal: empty

  /// Errors: no such index.
  [[nodiscard]] static Result<MetadataPlace> parse(const std::string& text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool internal() const { return placement == drbd_metadata::Placement::internal(); }
  [[nodiscard]] bool indexed() const { return placement.kind == drbd_metadata::Placement::Kind::Indexed; }
};

}  // namespace bascule::block_host
