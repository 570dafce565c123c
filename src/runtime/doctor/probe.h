#pragma once

#include <string>
#include <string_view>

#include "runtime/doctor/facts.h"

/// Looks at this machine, and changes nothing on it. Blocking: up to two seconds for the network.
namespace bascule::doctor {

struct Options {
  std::string config_file, node;
  std::string run_dir = "/run/bascule", state_dir = "/var/lib/bascule";
};

/// What can be found out without asking a daemon of ours. What those said goes into `facts` before or after.
[[nodiscard]] Facts probe(const Options& options);

// The parts, for tests.

/// Rules as `nft -j list ruleset` prints them.
[[nodiscard]] Firewall read_ruleset(std::string_view json);
/// The daemons' units of an agent: "mysql" is mariadb, mysql.
[[nodiscard]] std::vector<std::string> units_of_agent(const std::string& type);

}  // namespace bascule::doctor
