#pragma once

#include <map>
#include <string>
#include <string_view>

#include "wire/cluster_config/config.h"

/// Changes of a cluster.toml that leave everything else in it as a person wrote it: comments, order, spelling.
namespace bascule::config {

/// What a file says, without how it says it: "service.shop.prefer" -> "alice". Order, comments and spaces are gone;
/// a list is one value. Empty when it is not TOML.
[[nodiscard]] std::map<std::string, std::string> meaning_of(std::string_view toml);

/// The text with `id = N` in the table of each node of `ids`. A node whose id stands there already keeps its line if it
/// is the same one. Refused when a node is written in another way than [node.NAME].
[[nodiscard]] Result<std::string> with_ids(const std::string& toml, const std::map<std::string, std::uint32_t>& ids);

/// The text with [node.NAME] at its end. Where a volume has one `disk` (or `metadata`) for all data nodes and the new
/// one is a data node too, the nodes that have it are named: `disk = { alice = "/dev/sdb", bob = "/dev/sdb" }`.
[[nodiscard]] Result<std::string> with_node(const std::string& toml, const Node& node);

/// The text without the table [node.NAME]. What refers to the node is not looked for; the parser finds it.
[[nodiscard]] Result<std::string> without_node(const std::string& toml, const std::string& name);

/// The text in which the node is called `name` and has these addresses and this id (0: none, the plan
/// gives it one); references to it follow where it
/// is a word of its own ("alice", alice = ...).
[[nodiscard]] Result<std::string> with_node_replaced(const std::string& toml, const std::string& old_name,
                                                     const Node& node);

}  // namespace bascule::config
