#pragma once

#include <string>
#include <utility>
#include <vector>

#include "edge/cli/json_view.h"

/// A volume as DRBD's tools show an 8.4 resource: the same words and keys, so that what reads them goes on working. All
/// functions are pure and take the `state` object of a blockd's control socket. Sizes are KiB.
namespace bascule::cli {

struct DrbdDetail {
  bool verbose = false;
  bool statistics = false;
};

/// `drbdsetup status`, with the empty line behind it.
[[nodiscard]] std::string drbd_status_text(const json& state, DrbdDetail detail);
/// One element of what `drbdsetup status --json` prints.
[[nodiscard]] json drbd_status_json(const json& state);

/// One object of `drbdsetup events2`.
struct DrbdObject {
  using Fields = std::vector<std::pair<std::string, std::string>>;
  std::string kind;      ///< "resource", "connection", "device", "peer-device"
  std::string identity;  ///< "name:r0 volume:0 minor:0"
  Fields fields;
  Fields counters;  ///< with --statistics, in every line
  Fields details;   ///< with --statistics, in a change only when they changed
};
[[nodiscard]] std::vector<DrbdObject> drbd_objects(const json& state);
/// "exists resource name:r0 role:Primary ...".
[[nodiscard]] std::string drbd_event(const std::string& action, const DrbdObject& object, bool statistics);
/// The lines that lead from one state to the next, as events2 tells them.
[[nodiscard]] std::vector<std::string> drbd_changes(const json& before, const json& after, bool statistics);

/// Of a percent, rounded as DRBD's tools round it. `whole` is at least 512 bytes.
[[nodiscard]] std::int64_t drbd_hundredths(std::int64_t part, std::int64_t whole);

/// "Primary/Secondary", "SyncSource", "UpToDate/Inconsistent".
[[nodiscard]] std::string drbd_role(const json& state);
[[nodiscard]] std::string drbd_connection_state(const json& state);
[[nodiscard]] std::string drbd_disk_state(const json& state);
/// "CURRENT:BITMAP:HISTORY:HISTORY:1:1:1:1:0:0:0".
[[nodiscard]] std::string drbd_generation(const json& state);

}  // namespace bascule::cli
