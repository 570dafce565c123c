#include "runtime/sim/crash/writer.h"

#include "runtime/sim/crash/writers/all.h"

namespace bascule::sim {

const std::vector<CrashWriter>& crash_writers() {
  static const std::vector<CrashWriter> all{consensus_writer(), configuration_writer(), keys_writer(),
                                            known_sizes_writer()};
  return all;
}

const std::vector<CrashCanary>& crash_canaries() {
  static const std::vector<CrashCanary> all{
      {"log-not-synced", "consensus", "an entry is acknowledged before the log is synced"},
      {"snapshot-renamed-unsynced", "consensus", "a snapshot gets its name before its bytes are durable"},
      {"snapshot-name-not-synced", "consensus", "a new log is acknowledged before its name is durable"},
      {"file-not-synced", "configuration", "a file gets its name before its bytes are durable"},
      {"name-not-synced", "keys", "a new file is acknowledged before its name is durable"},
  };
  return all;
}

}  // namespace bascule::sim
