#include "runtime/block_host/state_report.h"

#include <fmt/format.h>

namespace bascule::block_host {
namespace {

std::string hexadecimal(std::uint64_t uuid) { return fmt::format("{:016X}", uuid); }

}  // namespace

nlohmann::json state_report(const replication::Status& status, const HostFacts& facts) {
  const bool primary = status.role == drbd::Role::Primary;
  nlohmann::json report = {
      {"name", facts.volume},
      {"epoch", status.epoch},
      {"attached", status.disk > drbd::DiskState::Failed},
      {"role", drbd::name_of(status.role)},
      {"connection", drbd::name_of(status.connection)},
      {"disk", drbd::name_of(status.disk)},
      {"peer_disk", drbd::name_of(status.peer_disk)},
      {"just_created", status.just_created},
      {"size_bytes", status.size_bytes},
      {"out_of_sync_bytes", status.out_of_sync_bytes},
      {"resync_done_bytes", status.resync_done_bytes},
      {"resync_total_bytes", status.resync_total_bytes},
      {"writes_acknowledged", status.writes_acknowledged},
      {"writes_held", status.writes_held + facts.writes_withheld},
      {"device", facts.device},
      {"why", status.why.empty() ? facts.attach_failure : status.why},
      {"peer", facts.peer},
      {"peer_role", drbd::name_of(status.peer_role)},
      {"lease_valid", status.lease_valid},
      {"wants_shrink", status.wants_shrink},
      {"wants_grow", status.wants_grow},
      {"in_sync_version", facts.in_sync_version},
      {"nbd", facts.nbd},
      {"nbd_clients", facts.nbd_clients},
      {"failed_io", facts.failed_io},
  };
  report["promoted_epoch"] = primary ? nlohmann::json(status.epoch) : nlohmann::json(nullptr);
  report["uuids"] = {{"current", hexadecimal(status.current_uuid)},
                     {"bitmap", hexadecimal(status.bitmap_uuid)},
                     {"history", {hexadecimal(status.history_uuid_0), hexadecimal(status.history_uuid_1)}}};
  return report;
}

nlohmann::json without_counters(nlohmann::json report) {
  for (const char* counter : {"out_of_sync_bytes", "resync_done_bytes", "writes_acknowledged", "failed_io"})
    report.erase(counter);
  report["writes_held"] = report["writes_held"] != 0;
  return report;
}

}  // namespace bascule::block_host
