#include "runtime/block_host/state_report.h"

#include <fmt/format.h>

#include "wire/drbd_metadata/layout.h"

namespace bascule::block_host {
namespace {

std::string hexadecimal(std::uint64_t uuid) { return fmt::format("{:016X}", uuid); }

nlohmann::json statistics_of(const replication::Statistics& counted) {
  return {{"read_bytes", counted.read_bytes},
          {"written_bytes", counted.written_bytes},
          {"sent_bytes", counted.sent_bytes},
          {"received_bytes", counted.received_bytes},
          {"activity_log_writes", counted.activity_log_writes},
          {"bitmap_writes", counted.bitmap_writes},
          {"upper_pending", counted.upper_pending},
          {"lower_pending", counted.lower_pending},
          {"pending", counted.pending},
          {"unacknowledged", counted.unacknowledged},
          {"in_flight_bytes", counted.in_flight_bytes}};
}

nlohmann::json generation_of(std::uint64_t current, std::uint64_t bitmap, std::uint64_t younger, std::uint64_t older) {
  return {{"current", hexadecimal(current)},
          {"bitmap", hexadecimal(bitmap)},
          {"history", {hexadecimal(younger), hexadecimal(older)}}};
}

nlohmann::json peer_generation_of(const std::optional<drbd::Uuids>& peer) {
  if (!peer) return nullptr;
  nlohmann::json out = generation_of(peer->current, peer->bitmap, peer->history[0], peer->history[1]);
  out["out_of_sync_bytes"] = peer->dirty_bits * drbd_metadata::kBlockBytes;
  return out;
}

// What drbdsetup's views need beside the manager's fields.
void add_details(nlohmann::json& report, const replication::Status& status, const HostFacts& facts) {
  report["authority"] = facts.operator_decides ? "operator" : "cluster";
  report["encryption"] = facts.encrypted ? "tls" : "none";
  report["minor"] = facts.minor;
  report["disk_path"] = facts.disk;
  report["meta_disk"] = facts.meta_disk;
  report["capacity_bytes"] = status.capacity_bytes;
  report["peer_capacity_bytes"] = status.peer_capacity_bytes;
  report["agreed_version"] = status.agreed_version;
  report["metadata_flags"] = status.metadata_flags;
  report["congested"] = status.congested;
  report["suspended"] = {
      {"user", status.suspended_user}, {"no_data", status.suspended_no_data}, {"fencing", status.suspended_fencing}};
  report["resync_paused"] = {{"user", status.resync_paused_user},
                             {"peer", status.resync_paused_peer},
                             {"dependency", status.resync_paused_dependency}};
  report["verify"] = {{"total_bytes", status.verify_total_bytes},
                      {"done_bytes", status.verify_done_bytes},
                      {"found_bytes", status.verify_found_bytes}};
  report["resync_failed_bytes"] = status.resync_failed_bytes;
  report["resync_equal_bytes"] = status.resync_equal_bytes;
  report["resync_wanted_rate"] = status.resync_wanted_rate;
  report["statistics"] = statistics_of(status.statistics);
}

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
  add_details(report, status, facts);
  report["promoted_epoch"] = primary ? nlohmann::json(status.epoch) : nlohmann::json(nullptr);
  report["uuids"] =
      generation_of(status.current_uuid, status.bitmap_uuid, status.history_uuid_0, status.history_uuid_1);
  report["peer_uuids"] = peer_generation_of(facts.peer_uuids);
  return report;
}

nlohmann::json without_counters(nlohmann::json report) {
  for (const char* counter : {"out_of_sync_bytes", "resync_done_bytes", "writes_acknowledged", "failed_io", "verify",
                              "resync_failed_bytes", "resync_equal_bytes", "resync_wanted_rate", "statistics"})
    report.erase(counter);
  report["writes_held"] = report["writes_held"] != 0;
  return report;
}

}  // namespace bascule::block_host
