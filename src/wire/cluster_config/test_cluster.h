#pragma once

#include <gtest/gtest.h>

#include <string>

/// For the tests of every room: the head of a cluster.toml.
namespace bascule::config::test {

/// Two data nodes and a witness, lines 1 to 9. Volumes and services are written behind it.
inline constexpr const char* three_nodes = R"([cluster]
name = "test"
[node.alice]
address = "10.0.0.1"
[node.bob]
address = "10.0.0.2"
[node.carol]
address = "10.0.0.3"
role = "witness"
)";

/// A volume of the two, and a service on it that prefers alice.
inline constexpr const char* shop_on_data = R"([volume.data]
disk = { alice = "/dev/a", bob = "/dev/b" }
size = "64MiB"
[service.shop]
volume = "data"
prefer = "alice"
address = "10.0.0.9/24"
)";

/// `text` with `to` in the place of the first `from`, which has to be there.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

}  // namespace bascule::config::test
