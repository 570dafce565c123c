#pragma once

#include <string>

#include "core/store/state.h"

/// What is agreed about maintenance, and its names.
namespace bascule::store {

/// The scopes of a maintenance: "cluster", "service:shop", "node:alice".
inline constexpr const char* cluster_scope = "cluster";
[[nodiscard]] std::string service_scope(const std::string& service);
[[nodiscard]] std::string node_scope(const std::string& node);
/// "the cluster", "shop", "the node alice"
[[nodiscard]] std::string scope_text(const std::string& scope);
/// The option of `bascule maintenance` that names it: "", "--service shop", "--node alice".
[[nodiscard]] std::string scope_option(const std::string& scope);

/// The scope by which this service on this node is in maintenance, or null. An empty name is none. What "web" is in,
/// its copies "web@alice" are in.
[[nodiscard]] const std::string* in_maintenance(const ClusterState& state, const std::string& service,
                                                const std::string& node);

}  // namespace bascule::store
