#pragma once

#include <string>

#include "core/consensus/raft.h"

namespace bascule::consensus {

/// One line each, for people: transcripts, logs, the simulator's report. Not parsed by anything.
[[nodiscard]] std::string story_of(const raft::Message& message);
[[nodiscard]] std::string story_of(const Configuration& configuration);
[[nodiscard]] std::string story_of(const Input& input);
[[nodiscard]] std::string story_of(const Effect& effect);

}  // namespace bascule::consensus
