#include "runtime/sim/crash/writer.h"

#include "runtime/sim/crash/writers/all.h"

namespace bascule::sim {

const std::vector<CrashWriter>& crash_writers() {
  static const std::vector<CrashWriter> all = [] {
    std::vector<CrashWriter> writers{consensus_writer(),   configuration_writer(), keys_writer(),
                                     known_sizes_writer(), history_writer(),       replication_writer()};
    for (auto& writer : drbdmeta_writers()) writers.push_back(std::move(writer));
    return writers;
  }();
  return all;
}

const std::vector<CrashCanary>& crash_canaries() {
  static const std::vector<CrashCanary> all{
      {"log-not-synced", "consensus", "an entry is acknowledged before the log is synced"},
      {"snapshot-renamed-unsynced", "consensus", "a snapshot gets its name before its bytes are durable"},
      {"directory-not-synced", "consensus", "a new state directory is not durable in the one above it"},
      {"snapshot-name-not-synced", "consensus", "a new log is acknowledged before its name is durable"},
      {"file-not-synced", "configuration", "a file gets its name before its bytes are durable"},
      {"name-not-synced", "keys", "a new file is acknowledged before its name is durable"},
      {"history-not-synced", "history", "what is read at a start is not durable"},
      {"activity-log-lost", "replication", "a write goes to a cold extent that is not logged first"},
      {"unacknowledged-forgotten", "replication", "writes on their way to the peer set no bits when it is lost"},
      {"start-without-flush", "replication", "a new process takes what a dead one wrote for durable"},
      {"drbdmeta-without-flush", "drbdmeta-v08", "apply-al cleans the superblock before the bits are durable"},
      {"resize-without-flush", "resize-v08", "moved metadata are written in any order"},
      {"bitmap-write-lost", "replication", "bits are taken for written, and are not"},
  };
  return all;
}

}  // namespace bascule::sim
