// `drbdsetup status --json`: made of the same fields as events2, since DRBD's tools make both of one thing.

#include <charconv>

#include "edge/cli/drbd_view.h"

namespace bascule::cli {
namespace {

const std::string& value(const DrbdObject::Fields& fields, const char* key) {
  static const std::string kNone;
  for (const auto& [name, text] : fields)
    if (name == key) return text;
  return kNone;
}

void add_numbers(json& out, const DrbdObject::Fields& fields) {
  for (const auto& [key, text] : fields) {
    std::int64_t number = 0;
    const auto end = text.data() + text.size();
    if (std::from_chars(text.data(), end, number).ptr == end) out[key] = number;
  }
}

bool has(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

json peer_device_of(const DrbdObject& object, const json& state) {
  json out{{"volume", 0},
           {"replication-state", value(object.fields, "replication")},
           {"peer-disk-state", value(object.fields, "peer-disk")},
           {"peer-client", false},
           {"resync-suspended", value(object.fields, "resync-suspended")}};
  add_numbers(out, object.counters);
  const std::string replication = value(object.fields, "replication");
  out["has-online-verify-details"] = replication.starts_with("Verify");
  out["has-sync-details"] = replication.find("Sync") != std::string::npos;
  const std::int64_t size = number(state, "size_bytes"), wrong = number(state, "out_of_sync_bytes");
  out["percent-in-sync"] = size >= 512 ? static_cast<double>(drbd_hundredths(size - wrong, size)) / 100 : 100.0;
  return out;
}

json connection_of(const DrbdObject& connection, const DrbdObject& peer_device, const json& state) {
  json out{{"peer-node-id", 0},
           {"name", "peer"},
           {"connection-state", value(connection.fields, "connection")},
           {"congested", value(connection.details, "congested") == "yes"},
           {"peer-role", value(connection.fields, "role")},
           {"tls", false},
           {"ap-in-flight", number(member(state, "statistics"), "in_flight_bytes") / 512},
           {"rs-in-flight", 0}};
  out["peer_devices"] = json::array({peer_device_of(peer_device, state)});
  return out;
}

}  // namespace

json drbd_status_json(const json& state) {
  const auto objects = drbd_objects(state);
  const std::string held = value(objects[0].fields, "suspended");
  json device{
      {"volume", 0},     {"minor", number(state, "minor")},        {"disk-state", value(objects[2].fields, "disk")},
      {"client", false}, {"open", !text(state, "device").empty()}, {"quorum", true}};
  add_numbers(device, objects[2].counters);
  json out{{"name", text(state, "name")},
           {"node-id", 0},
           {"role", value(objects[0].fields, "role")},
           {"suspended", held != "no"},
           {"suspended-user", has(held, "user")},
           {"suspended-no-data", has(held, "no-data")},
           {"suspended-fencing", has(held, "fencing")},
           {"suspended-quorum", false},
           {"force-io-failures", false},
           {"write-ordering", "flush"}};
  out["devices"] = json::array({device});
  out["connections"] = text(state, "connection") == "StandAlone"
                           ? json::array()
                           : json::array({connection_of(objects[1], objects[3], state)});
  return out;
}

}  // namespace bascule::cli
