#pragma once

#include <string>
#include <vector>

#include "wire/cib/model.h"

/// What the agents are told that a bundle's replicas are made of (Pacemaker Explained, "Bundles"). Digests of
/// operations are taken of it, so that every blank counts.
namespace bascule::policy::detail {

/// Of the container of one replica; `addresses`: of all replicas, empty where they have none.
[[nodiscard]] cib::NameValueSet container_parameters(const cib::Resource& bundle, int offset,
                                                     const std::vector<std::string>& addresses);
/// Of the resource that holds a replica's address.
[[nodiscard]] cib::NameValueSet address_parameters(const cib::Resource& bundle, const std::string& address);

}  // namespace bascule::policy::detail
