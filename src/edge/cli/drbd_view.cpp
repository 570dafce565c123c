#include "edge/cli/drbd_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace bascule::cli {
namespace {

constexpr std::size_t kWidth = 80;
constexpr const char* kPeer = "peer";  // what 8.4 calls every peer

/// Items one after another, and on the next line when they do not fit any more.
class Paragraph {
 public:
  explicit Paragraph(std::string& out) : out_(out) {}
  void line(std::size_t indent) {
    if (column_ > 0) out_ += '\n';
    indent_ = indent;
    column_ = 0;
  }
  void add(const std::string& item) {
    if (column_ > indent_ && column_ + 1 + item.size() > kWidth) {
      out_ += '\n';
      column_ = 0;
    }
    const std::string space(column_ == 0 ? indent_ : 1, ' ');
    out_ += space + item;
    column_ += space.size() + item.size();
  }
  /// Where lines that wrap from here on begin.
  void continue_at(std::size_t indent) { indent_ = indent; }
  void add(const DrbdObject::Fields& fields) {
    for (const auto& [key, value] : fields) add(key + ":" + value);
  }

 private:
  std::string& out_;
  std::size_t indent_ = 0;
  std::size_t column_ = 0;
};

std::string kib(std::int64_t bytes) { return std::to_string(bytes / 1024); }

// "no", or the members that are true, in this order.
std::string list_of(const json& flags, const std::vector<std::pair<const char*, const char*>>& names) {
  std::string out;
  for (const auto& [key, name] : names)
    if (flag(flags, key)) out += (out.empty() ? "" : ",") + std::string(name);
  return out.empty() ? "no" : out;
}

std::string suspended(const json& state) {
  return list_of(member(state, "suspended"), {{"user", "user"}, {"no_data", "no-data"}, {"fencing", "fencing"}});
}

std::string resync_suspended(const json& state) {
  return list_of(member(state, "resync_paused"), {{"user", "user"}, {"peer", "peer"}, {"dependency", "dependency"}});
}

/// 8.4 has one state for connection and replication; the tools of DRBD 9 part it.
struct Link {
  std::string connection, replication;
};
Link link_of(const json& state) {
  static const std::array<const char*, 8> kEnding{"StandAlone", "Disconnecting",  "Unconnected",   "Timeout",
                                                  "BrokenPipe", "NetworkFailure", "ProtocolError", "TearDown"};
  const std::string one = text(state, "connection");
  if (std::find(kEnding.begin(), kEnding.end(), one) != kEnding.end()) return {one, "Off"};
  if (one == "WFConnection") return {"Connecting", "Off"};
  if (one == "WFReportParams") return {"Connected", "Off"};
  return {"Connected", one == "Connected" ? "Established" : one};
}

bool syncing(const std::string& replication) {
  static const std::array<const char*, 6> kRunning{"SyncSource", "SyncTarget",  "VerifyS",
                                                   "VerifyT",    "PausedSyncS", "PausedSyncT"};
  return std::find(kRunning.begin(), kRunning.end(), replication) != kRunning.end();
}

// Of the whole device, as DRBD counts it; empty when nothing runs. In hundredths of a percent.
std::string done_percent(const json& state, const std::string& replication) {
  if (!syncing(replication)) return "";
  std::int64_t total = number(state, "size_bytes"), finished = total - number(state, "out_of_sync_bytes");
  if (replication.starts_with("Verify"))
    total = number(member(state, "verify"), "total_bytes"), finished = number(member(state, "verify"), "done_bytes");
  if (total < 512) return "";
  const std::int64_t hundredths = std::clamp<std::int64_t>(drbd_hundredths(finished, total), 0, 10000);
  return fmt::format("{}.{:02}", hundredths / 100, hundredths % 100);
}

DrbdObject::Fields device_counters(const json& state) {
  const json& counted = member(state, "statistics");
  return {{"size", kib(number(state, "size_bytes"))},
          {"read", kib(number(counted, "read_bytes"))},
          {"written", kib(number(counted, "written_bytes"))},
          {"al-writes", std::to_string(number(counted, "activity_log_writes"))},
          {"bm-writes", std::to_string(number(counted, "bitmap_writes"))},
          {"upper-pending", std::to_string(number(counted, "upper_pending"))},
          {"lower-pending", std::to_string(number(counted, "lower_pending"))}};
}

DrbdObject::Fields device_details(const json& state) {
  const json& counted = member(state, "statistics");
  const std::string blocked = text(counted, "blocked");
  return {{"al-suspended", flag(counted, "al_suspended") ? "yes" : "no"},
          {"blocked", blocked.empty() ? "no" : blocked}};
}

DrbdObject::Fields peer_counters(const json& state) {
  const json& counted = member(state, "statistics");
  return {{"received", kib(number(counted, "received_bytes"))},
          {"sent", kib(number(counted, "sent_bytes"))},
          {"out-of-sync", kib(number(state, "out_of_sync_bytes"))},
          {"pending", std::to_string(number(counted, "pending"))},
          {"unacked", std::to_string(number(counted, "unacknowledged"))}};
}

void add_device(Paragraph& out, const json& state, DrbdDetail detail) {
  out.line(2);
  if (detail.verbose) out.add("volume:0"), out.add("minor:" + std::to_string(number(state, "minor")));
  out.add("disk:" + text(state, "disk"));
  if (!detail.statistics) return;
  out.line(6);
  out.add(device_counters(state));
  out.add(device_details(state));
}

void add_connection(Paragraph& out, const json& state, DrbdDetail detail) {
  const Link link = link_of(state);
  const bool connected = link.connection == "Connected";
  out.line(2);
  out.add(kPeer);
  if (detail.verbose || !connected) out.add("connection:" + link.connection);
  if (detail.verbose || connected) out.add("role:" + text(state, "peer_role"));
  if (detail.verbose || flag(state, "congested")) out.add(flag(state, "congested") ? "congested:yes" : "congested:no");
}

void add_peer_device(Paragraph& out, const json& state, DrbdDetail detail) {
  const Link link = link_of(state);
  if (!detail.verbose && link.connection != "Connected") return;
  out.line(4);
  if (detail.verbose) out.add("volume:0");
  out.add("replication:" + link.replication);
  out.add("peer-disk:" + text(state, "peer_disk"));
  const std::string paused = resync_suspended(state), percent = done_percent(state, link.replication);
  if (!percent.empty()) out.add("done:" + percent);
  out.continue_at(8);
  if (detail.verbose || paused != "no") out.add("resync-suspended:" + paused);
  if (!detail.statistics) return;
  out.line(8);
  out.add(peer_counters(state));
}

}  // namespace

std::int64_t drbd_hundredths(std::int64_t part, std::int64_t whole) {
  return (part / 512 * 10000 + whole / 1024) / (whole / 512);
}

std::string drbd_status_text(const json& state, DrbdDetail detail) {
  std::string out;
  Paragraph paragraph(out);
  paragraph.add(text(state, "name"));
  paragraph.add("role:" + text(state, "role"));
  const std::string held = suspended(state);
  if (detail.verbose || held != "no") paragraph.add("suspended:" + held);
  if (detail.statistics) {
    paragraph.line(4);
    paragraph.add("write-ordering:flush");
  }
  add_device(paragraph, state, detail);
  if (text(state, "connection") != "StandAlone") {  // 8.4 forgets the connection then
    add_connection(paragraph, state, detail);
    add_peer_device(paragraph, state, detail);
  }
  return out + "\n\n";
}

std::vector<DrbdObject> drbd_objects(const json& state) {
  const std::string name = "name:" + text(state, "name");
  const Link link = link_of(state);
  const std::string alone = link.connection == "StandAlone" ? "" : std::string(" conn-name:") + kPeer;
  const std::string peer = name + " peer-node-id:0" + alone;
  const std::string minor = std::to_string(number(state, "minor"));
  return {{"resource",
           name,
           {{"role", text(state, "role")}, {"suspended", suspended(state)}},
           {},
           {{"write-ordering", "flush"}}},
          {"connection",
           peer,
           {{"connection", link.connection}, {"role", text(state, "peer_role")}},
           {},
           {{"congested", flag(state, "congested") ? "yes" : "no"}}},
          {"device",
           name + " volume:0 minor:" + minor,
           {{"disk", text(state, "disk")}},
           device_counters(state),
           device_details(state)},
          {"peer-device",
           peer + " volume:0",
           {{"replication", link.replication},
            {"peer-disk", text(state, "peer_disk")},
            {"resync-suspended", resync_suspended(state)}},
           peer_counters(state),
           {}}};
}

std::string drbd_event(const std::string& action, const DrbdObject& object, bool statistics) {
  std::string line = action + " " + object.kind + " " + object.identity;
  const auto add = [&line](const DrbdObject::Fields& fields) {
    for (const auto& [key, value] : fields) line += " " + key + ":" + value;
  };
  add(object.fields);
  if (statistics) add(object.counters), add(object.details);
  return line;
}

std::vector<std::string> drbd_changes(const json& before, const json& after, bool statistics) {
  std::vector<std::string> lines;
  const auto old = drbd_objects(before), now = drbd_objects(after);
  const auto keep_changes = [](DrbdObject::Fields& fields, const DrbdObject::Fields& known) {
    std::erase_if(fields,
                  [&](const auto& field) { return std::find(known.begin(), known.end(), field) != known.end(); });
  };
  for (std::size_t i = 0; i < now.size(); ++i) {
    DrbdObject changed = now[i];
    keep_changes(changed.fields, old[i].fields);
    keep_changes(changed.details, old[i].details);
    const bool counted = statistics && (old[i].counters != now[i].counters || !changed.details.empty());
    if (!changed.fields.empty() || counted) lines.push_back(drbd_event("change", changed, statistics));
  }
  return lines;
}

std::string drbd_role(const json& state) { return text(state, "role") + "/" + text(state, "peer_role"); }
std::string drbd_connection_state(const json& state) { return text(state, "connection"); }
std::string drbd_disk_state(const json& state) { return text(state, "disk") + "/" + text(state, "peer_disk"); }

std::string drbd_generation(const json& state) {
  // Consistent, was up to date, primary, connected, full sync, peer outdated, crashed primary: the superblock's flags.
  static constexpr std::array<std::int64_t, 7> kFlags{1, 16, 2, 4, 8, 32, 64};
  const json& uuids = member(state, "uuids");
  std::string out = text(uuids, "current") + ":" + text(uuids, "bitmap");
  for (const json& history : member(uuids, "history"))
    out += ":" + (history.is_string() ? printable(history.get<std::string>()) : "");
  const std::int64_t flags = number(state, "metadata_flags");
  for (const std::int64_t one : kFlags) out += (flags & one) != 0 ? ":1" : ":0";
  return out;
}

}  // namespace bascule::cli
