#pragma once

#include <string>
#include <vector>

#include "wire/drbd_config/document.h"
#include "wire/drbd_config/options.h"

/// From what is written to what holds for one resource.
namespace bascule::drbd_config {

/// A setting without counterpart in DRBD 8.4's options, and why.
struct LeftOver {
  std::string section;  ///< "net", "startup" ...
  Setting setting;
  std::string why;
};

/// The options of a resource with one volume.
struct Resolved {
  Options options;
  std::string resync_after;  ///< resource that must finish its resync first; empty: none
  std::vector<LeftOver> left_over;
};

/// Merges common under the resource (the resource's value wins, of equals the last) and the volume's own disk section.
/// The error is a value that DRBD 8.4 would refuse, or a combination (check() of option_table.h).
[[nodiscard]] Result<Resolved> resolve(const Document& document, const Resource& resource);

}  // namespace bascule::drbd_config
