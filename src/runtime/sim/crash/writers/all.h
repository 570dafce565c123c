#pragma once

#include "runtime/sim/crash/writer.h"

/// One function for each writer; crash_writers() lists them.
namespace bascule::sim {

[[nodiscard]] CrashWriter consensus_writer();
[[nodiscard]] CrashWriter configuration_writer();
[[nodiscard]] CrashWriter history_writer();
[[nodiscard]] CrashWriter keys_writer();
[[nodiscard]] CrashWriter known_sizes_writer();
[[nodiscard]] CrashWriter replication_writer();
[[nodiscard]] std::vector<CrashWriter> drbdmeta_writers();

}  // namespace bascule::sim
