#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bascule::cib {

/// Name and value; of several with one name the last counts.
using DigestPairs = std::vector<std::pair<std::string_view, std::string_view>>;

/// The digest that Pacemaker records of an operation's parameters (`op-digest` and its sisters): 32 hex digits of the
/// MD5 of " <parameters NAME="VALUE"/>\n", names in byte order.
[[nodiscard]] std::string digest_of_parameters(DigestPairs pairs);

/// A value as Pacemaker writes it into an attribute, for itself and for the digest.
[[nodiscard]] std::string escaped(std::string_view value);

}  // namespace bascule::cib
