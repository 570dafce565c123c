#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "wire/drbd_config/document.h"

namespace bascule::cli {

/// What was left out of an imported configuration, and why.
struct Remark {
  std::string where;  ///< "r0.res:3:5"
  std::string text;   ///< "startup wfc-timeout 120: a volume starts without waiting for its peer"
};

struct Imported {
  std::string toml;  ///< a cluster.toml that config::parse() accepts, with the remarks as comments
  std::vector<std::string> volumes;
  std::vector<std::string> nodes;
  std::vector<Remark> remarks;
};

/// A cluster.toml for the machine `node`, which takes DRBD's place; the other machines go on as they are (role peer),
/// and the operator decides. Resources that `node` has no part in are left out with a remark. Refused, each with what
/// to do: several volumes over one connection, stacked resources, proxies, more than two hosts, hosts without a name.
[[nodiscard]] Result<Imported> import_drbd(const drbd_config::Document& document, const std::string& node);

}  // namespace bascule::cli
