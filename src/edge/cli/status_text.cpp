#include "edge/cli/status_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "edge/cli/fence_commands.h"

namespace bascule::cli {
namespace {

enum class Mood { good, busy, bad, unknown };

Mood mood_of(const std::string& word) {
  static const std::array good{"Started", "UpToDate", "Connected", "Online", "Primary", "Secondary"};
  static const std::array bad{"Failed",       "Killing",  "Offline",    "Diskless", "Blocked",
                              "Inconsistent", "Outdated", "StandAlone", "Held"};
  if (word.empty() || word == "Unknown" || word == "DUnknown") return Mood::unknown;
  if (std::find(good.begin(), good.end(), word) != good.end()) return Mood::good;
  if (std::find(bad.begin(), bad.end(), word) != bad.end()) return Mood::bad;
  return Mood::busy;
}

std::string sign(Mood mood, Style style) {
  static const std::array plain{"+", "~", "!", "?"}, fine{"●", "◐", "▲", "○"};
  const auto index = static_cast<std::size_t>(mood);
  return style.ascii ? plain[index] : fine[index];
}

std::string painted(const std::string& words, Mood mood, Style style) {
  static const std::array colours{"32", "33", "31", "2"};
  return style.colour ? fmt::format("\x1b[{}m{}\x1b[0m", colours[static_cast<std::size_t>(mood)], words) : words;
}

/// Sign and word, never colour alone; padded before it is painted, so that columns stay.
std::string state(const std::string& word, std::size_t width, Style style) {
  const Mood mood = mood_of(word);
  return painted(fmt::format("{} {:<{}}", sign(mood, style), word.empty() ? "Unknown" : word, width), mood, style);
}

std::string or_dash(const std::string& words) { return words.empty() ? "-" : words; }

std::string without_trailing_spaces(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string list_of(const json& names) {
  std::string joined;
  if (names.is_array())
    for (const auto& name : names)
      if (name.is_string()) joined += (joined.empty() ? "" : ", ") + printable(name.get<std::string>());
  return joined;
}

std::string problems_text(const json& status, Style style) {
  std::string out;
  const json& problems = member(status, "problems");
  if (!problems.is_array() || problems.empty()) return out;
  for (const auto& problem : problems) {
    const bool plain = problem.is_string();
    std::string line = plain ? printable(problem.get<std::string>()) : text(problem, "what");
    if (const auto why = text(problem, "why"); !why.empty()) line += ": " + why;
    out += fmt::format("  {} {}\n", painted(sign(Mood::bad, style), Mood::bad, style), line);
    if (const auto hint = text(problem, "hint"); !hint.empty()) out += fmt::format("    what to do: {}\n", hint);
  }
  return "\nProblems\n" + out;
}

/// "2026-11-23 12:20"
std::string moment_text(std::int64_t wall_ms) {
  const std::time_t wall_s = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  localtime_r(&wall_s, &local);
  return fmt::format("{:%Y-%m-%d %H:%M}", local);
}

/// What a person has switched off comes before all else.
std::string operations_text(const json& status, Style style) {
  std::string out;
  const auto line = [&](const std::string& words) {
    out += fmt::format("{} {}\n", painted(sign(Mood::bad, style), Mood::bad, style), words);
  };
  const json& maintenance = member(status, "maintenance");
  if (maintenance.is_array())
    for (const auto& one : maintenance) {
      const auto by = text(one, "by"), reason = text(one, "reason");
      const auto left = number(one, "left_ms", -1), at = number(one, "at_ms");
      line(fmt::format("Maintenance of {}{}{}, {}{}", text(one, "of"), by.empty() ? "" : " by " + by,
                       at == 0 ? "" : " since " + moment_text(at),
                       left < 0 ? "until it is ended by hand" : "ends in " + age_text(left),
                       reason.empty() ? "" : ": " + reason));
    }
  const auto halted_by = text(status, "halted_by");
  if (flag(status, "halted"))
    line(fmt::format("Everything is stopped{} (bascule start --all)", halted_by.empty() ? "" : " by " + halted_by));
  return out;
}

std::string quorum_text(const json& status) {
  const json& quorum = member(status, "quorum");
  const std::string leader = text(quorum, "leader");
  return fmt::format("Quorum: {} ({} of {} votes), {}\n", flag(quorum, "have") ? "yes" : "no",
                     number(quorum, "votes_seen"), number(quorum, "votes"),
                     leader.empty() ? "no leader" : "leader " + leader);
}

std::string clock_text(std::int64_t wall_ms) {
  const std::time_t wall_s = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  localtime_r(&wall_s, &local);
  return fmt::format("{:%H:%M:%S}", local);
}

/// Links that are down while the node is heard over others.
std::string links_text(const json& node, Style style) {
  std::string out;
  const json& links = member(node, "links");
  if (!flag(node, "online") || !links.is_array()) return out;
  for (const auto& link : links)
    if (!flag(link, "up")) out += fmt::format("      link {:<12} {}\n", text(link, "address"), state("Down", 0, style));
  return out;
}

std::string nodes_text(const json& status, Style style) {
  std::string out;
  const json& nodes = member(status, "nodes");
  if (!nodes.is_array()) return out;
  for (const auto& node : nodes) {
    const auto age = number(node, "age_ms", -1);
    out += without_trailing_spaces(fmt::format("  {:<12} {} {:<8} heard {:<12} {}{}", text(node, "name"),
                                               state(flag(node, "online") ? "Online" : "Offline", 8, style),
                                               text(node, "role"), age < 0 ? "never" : age_text(age) + " ago",
                                               text(node, "address"),
                                               std::string(flag(node, "away")      ? "  away"
                                                           : flag(node, "standby") ? "  standby"
                                                                                   : "") +
                                                   (flag(node, "maintenance") ? "  maintenance" : ""))) +
           "\n" + links_text(node, style);
  }
  return out.empty() ? out : "\nNodes\n" + out;
}

std::string steps_text(const json& service, Style style) {
  std::string out;
  const json& steps = member(service, "steps");
  if ((text(service, "state") == "Started" && !flag(service, "maintenance")) || !steps.is_array()) return out;
  for (const auto& step : steps)
    out += without_trailing_spaces(
               fmt::format("      {:<14} {}", text(step, "name"), state(text(step, "state"), 0, style))) +
           "\n";
  return out;
}

/// "failed 2 times on alice, last at 12:03:11, forgotten in 9 min: apache monitor: rc 7 (not running)"
std::string failures_text(const json& service) {
  std::string out;
  const json& failures = member(service, "failures");
  if (!failures.is_array()) return out;
  for (const auto& failure : failures) {
    const auto count = number(failure, "count"), fades = number(failure, "fades_in_ms", -1),
               at = number(failure, "at_ms");
    const auto reaction = text(failure, "reaction");
    out += fmt::format("      failed {} on {}{}, {}{}: {}\n", count == 1 ? "once" : fmt::format("{} times", count),
                       text(failure, "node"), at > 0 ? ", last at " + clock_text(at) : "",
                       fades < 0 ? "kept until `bascule clear`" : "forgotten in " + age_text(fades),
                       reaction == "restart" || reaction.empty() ? "" : ", on_fail " + reaction, text(failure, "text"));
  }
  return out;
}

std::string services_text(const json& status, Style style) {
  std::string out;
  const json& services = member(status, "services");
  if (!services.is_array()) return out;
  for (const auto& service : services) {
    const auto lease = number(service, "lease_ms_left", -1);
    const auto owner = text(service, "owner");
    const std::string place = (text(service, "role").empty() ? "on " : "promoted on ") + owner;
    out +=
        without_trailing_spaces(fmt::format(
            "  {:<12} {} {:<12} {:<22} {}", text(service, "name"), state(text(service, "state"), 10, style),
            owner.empty() ? "nowhere" : place, lease > 0 ? fmt::format("lease {} left", age_text(lease)) : "no lease",
            number(service, "age_ms", -1) < 0 ? "" : "told " + age_text(number(service, "age_ms")) + " ago")) +
        "\n";
    if (const auto why = text(service, "why"); !why.empty()) out += fmt::format("      why: {}\n", why);
    if (const auto hint = text(service, "hint"); !hint.empty()) out += fmt::format("      what to do: {}\n", hint);
    out += failures_text(service) + steps_text(service, style);
  }
  return out.empty() ? out : "\nServices\n" + out;
}

/// The replica on the same node in an earlier answer.
const json& replica_before(const json& before, const std::string& volume, const std::string& node) {
  static const json none;
  const json& replicas = member(named(member(before, "volumes"), volume), "replicas");
  if (replicas.is_array())
    for (const auto& replica : replicas)
      if (text(replica, "node") == node) return replica;
  return none;
}

std::string rate_text(const json& status, const json& before, const json& replica, const json& earlier) {
  const auto moved = number(replica, "resync_done_bytes") - number(earlier, "resync_done_bytes");
  const auto took_ms = (number(status, "at_ns") - number(before, "at_ns")) / 1'000'000;
  if (earlier.is_null() || moved <= 0 || took_ms <= 0) return "";
  const auto per_second = moved * 1000 / took_ms;
  if (per_second == 0) return "";
  const auto left = number(replica, "resync_total_bytes") - number(replica, "resync_done_bytes");
  return fmt::format(", {}/s, {} left", size_text(per_second),
                     age_text(std::max<std::int64_t>(0, left) * 1000 / per_second));
}

std::string resync_text(const json& status, const json& before, const std::string& volume, const json& replica,
                        Style style) {
  const auto total = number(replica, "resync_total_bytes"), done = number(replica, "resync_done_bytes");
  if (total <= 0 || done >= total || done < 0) return "";
  constexpr std::int64_t width = 20;
  const auto filled = static_cast<int>(done / (total / width + 1));
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < filled ? (style.ascii ? "#" : "▓") : (style.ascii ? "." : "░");
  return fmt::format("      resync {} {}% ({} of {}{})\n", bar, done / (total / 100 + 1), size_text(done),
                     size_text(total),
                     rate_text(status, before, replica, replica_before(before, volume, text(replica, "node"))));
}

std::string replica_text(const json& status, const json& before, const std::string& volume, const json& replica,
                         Style style) {
  const auto age = number(replica, "age_ms", -1), behind = number(replica, "out_of_sync_bytes"),
             held = number(replica, "writes_held");
  std::string out = without_trailing_spaces(fmt::format(
                        "    {:<10} {:<10} {} {:<14} {:<12} {}", text(replica, "node"), or_dash(text(replica, "role")),
                        state(text(replica, "disk"), 12, style), or_dash(text(replica, "connection")),
                        text(replica, "device"), age < 0 ? "never heard" : "told " + age_text(age) + " ago")) +
                    "\n";
  if (behind > 0) out += fmt::format("      {} behind\n", size_text(behind));
  if (held > 0) out += fmt::format("      {} writes held\n", held);
  if (const auto why = text(replica, "why"); !why.empty()) out += fmt::format("      why: {}\n", why);
  return out + resync_text(status, before, volume, replica, style);
}

std::string volume_text(const json& status, const json& before, const json& volume, Style style) {
  const std::string name = text(volume, "name"), owner = text(volume, "owner");
  const auto size = number(volume, "size_bytes");
  std::string out =
      fmt::format("  {:<12} {}, {}, in sync: {}\n", name, size > 0 ? size_text(size) : "size unknown",
                  owner.empty() ? "nobody's" : "of " + owner, or_dash(list_of(member(volume, "in_sync"))));
  const json& replicas = member(volume, "replicas");
  if (replicas.is_array())
    for (const auto& replica : replicas) out += replica_text(status, before, name, replica, style);
  return out;
}

}  // namespace

std::string size_text(std::int64_t bytes) {
  static const std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  std::int64_t tenths = bytes * 10;
  if (bytes > INT64_MAX / 10 || bytes < 0) return fmt::format("{} B", bytes);
  while (tenths >= 10240 && unit + 1 < units.size()) tenths /= 1024, ++unit;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{}.{} {}", tenths / 10, tenths % 10, units[unit]);
}

std::string age_text(std::int64_t ms) {
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (ms < 60'000) return fmt::format("{}.{} s", ms / 1000, ms % 1000 / 100);
  if (ms < 7'200'000) return fmt::format("{} min", ms / 60'000);
  return fmt::format("{} h", ms / 3'600'000);
}

std::string volumes_text(const json& status, const json& before, const std::string& only, Style style) {
  std::string out;
  const json& volumes = member(status, "volumes");
  if (volumes.is_array())
    for (const auto& volume : volumes)
      if (only.empty() || text(volume, "name") == only) out += volume_text(status, before, volume, style);
  return out;
}

std::string status_text(const json& status, const json& before, Style style) {
  const Mood mood = flag(status, "healthy") ? Mood::good : Mood::bad;
  std::string out = fmt::format("{} {}: {}\n", painted(sign(mood, style), mood, style), text(status, "cluster"),
                                text(status, "summary"));
  out += operations_text(status, style) + problems_text(status, style) + "\n" + quorum_text(status) +
         nodes_text(status, style) + services_text(status, style);
  out += fence_devices_text(status);
  const std::string volumes = volumes_text(status, before, "", style);
  return volumes.empty() ? out : out + "\nVolumes\n" + volumes;
}

std::string attributes_text(const json& answer) {
  std::string out;
  const json& given = member(answer, "attributes");
  const json nodes = given.is_object() ? given : json::object();
  for (const auto& [node, lifetimes] : nodes.items())
    for (const char* lifetime : {"permanent", "transient"}) {
      const json& values = member(lifetimes, lifetime);
      if (!values.is_object()) continue;
      for (const auto& [name, value] : values.items())
        out += fmt::format("{:<12} {:<32} {:<24} {}\n", printable(node), printable(name),
                           value.is_string() ? printable(value.get<std::string>()) : "", lifetime);
    }
  return out.empty() ? "No attributes.\n" : out;
}

std::string event_text(const json& event, Style) {
  const auto wall_ms = number(event, "wall_ms");
  const std::time_t wall_s = static_cast<std::time_t>(wall_ms / 1000);
  std::tm local{};
  localtime_r(&wall_s, &local);
  return fmt::format("{:%H:%M:%S}.{:03} {:<10} {:<18} {:<12} {}", local, wall_ms % 1000, text(event, "node"),
                     text(event, "kind"), text(event, "subject"), text(event, "text"));
}

}  // namespace bascule::cli
