#pragma once

#include <map>
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
  Duration interval{};  ///< of a recurring monitor; 0 otherwise, which makes a monitor a probe in the agent's eyes
  std::string device;   ///< the volume's device for a Filesystem step that names none; may be empty
};

/// It mounts the service's volume: the built-in `mount`, or an `ocf:...:Filesystem` without a `device` of its own.
[[nodiscard]] bool mounts_the_volume(const config::Step& step);

/// The path and the OCF environment (API 1.1, and what Pacemaker adds and agents rely on). `ocf_root` is for tests.
[[nodiscard]] Invocation invocation(const config::Step& step, const Request& request,
                                    const std::string& ocf_root = "/usr/lib/ocf");

}  // namespace bascule::agents
