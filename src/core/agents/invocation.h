#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "wire/cluster_config/config.h"

namespace bascule::agents {

/// One run of an agent, as data.
struct Invocation {
  std::string path;                                ///< /usr/lib/ocf/resource.d/heartbeat/apache
  std::vector<std::string> arguments;              ///< {"start"}
  std::map<std::string, std::string> environment;  ///< the whole environment of the child
};

struct Request {
  std::string service;
  std::string node;       ///< this node
  std::string operation;  ///< start, stop, monitor
  Duration timeout{};
  Duration interval{};     ///< of a recurring monitor; 0 otherwise, which makes a monitor a probe in the agent's eyes
  std::string device;      ///< the volume's device for a Filesystem step that names none; may be empty
  std::string tools = {};  ///< directory of the tools that agents call (edge/agent_tools); empty: Pacemaker's, if there
  std::string socket = {};                ///< of the manager, for these tools
  std::optional<config::Copy> copy = {};  ///< of a service with copies, which one this is; count 0: not known
  bool promotable = false;
  bool notify = false;            ///< its copies hear of each other's operations
  std::uint32_t check_level = 0;  ///< of a monitor; 0: what the step's parameter OCF_CHECK_LEVEL says
};

/// OCF_RESOURCE_INSTANCE: as Pacemaker's anonymous clones, all copies of one have the same.
[[nodiscard]] std::string instance_name(const std::string& service, const std::string& step);

/// It mounts the service's volume: the built-in `mount`, or an `ocf:...:Filesystem` without a `device` of its own.
[[nodiscard]] bool mounts_the_volume(const config::Step& step);

/// Where the scripts lie; other places are for tests.
struct Roots {
  std::string ocf = "/usr/lib/ocf";
  std::string init = "/etc/init.d";
};

/// For "ocf": the path and the OCF environment (API 1.1, and what Pacemaker adds and agents rely on). For "lsb": the
/// script with start, stop or status, and no more than a boot would give it. Not for what is built in, nor for units.
[[nodiscard]] Invocation invocation(const config::Step& step, const Request& request, const Roots& roots = {});

}  // namespace bascule::agents
