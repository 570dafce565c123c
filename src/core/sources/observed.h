#pragma once

#include <map>
#include <string>

#include "core/store/state.h"
#include "wire/cib/model.h"
#include "wire/cluster_config/config.h"
#include "wire/cluster_message/message.h"

namespace bascule::sources {

/// A cluster of ours as one node saw it.
struct Observed {
  const config::ClusterConfig& config;
  const store::ClusterState& state;
  std::map<std::string, const message::NodeReport*> online;  ///< the newest report of each node that is there, or null
  std::int64_t now_s = 0;                                    ///< seconds since 1970
};

/// The status of what compile() made of the same configuration: who is there, what runs where, failures; and what
/// people have said since: targets, standby, maintenance. README.md has the table.
void as_observed(cib::Cib& compiled, const Observed& observed);

}  // namespace bascule::sources
