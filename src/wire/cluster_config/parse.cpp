#include <fmt/format.h>

#include <algorithm>

#include "wire/cluster_config/config.h"
#include "wire/cluster_config/detail/readers.h"
#include "wire/cluster_config/detail/section.h"
#include "wire/cluster_config/detail/values.h"

namespace bascule::config {
namespace {

using namespace detail;

constexpr std::size_t file_bytes_max = 1024 * 1024;
constexpr std::uint64_t volume_bytes_max = std::uint64_t{1} << 50;
constexpr std::uint64_t block_bytes = 4096;
constexpr std::uint16_t first_volume_port = 7789;

struct Reading {
  explicit Reading(const std::string& file) : findings(file) {}
  ClusterConfig config;
  Places places;
  Findings findings;
};

struct TimingKey {
  const char* key;
  Duration Timing::*field;
  std::int64_t low, high;
};

constexpr TimingKey timing_keys[] = {
    {"heartbeat_ms", &Timing::heartbeat, 5, 10'000},
    {"election_min_ms", &Timing::election_min, 20, 60'000},
    {"election_max_ms", &Timing::election_max, 30, 120'000},
    {"lease_ms", &Timing::lease, 50, 120'000},
    {"lease_margin_ms", &Timing::lease_margin, 1, 60'000},
    {"hold_grace_ms", &Timing::hold_grace, 0, 3'600'000},
    {"stop_deadline_ms", &Timing::stop_deadline, 0, 3'600'000},
    {"watchdog_deadline_ms", &Timing::watchdog_deadline, 1'000, 7'200'000},
};

void check_timing(const Timing& timing, const Place& place, Findings& findings) {
  const auto demand = [&](bool holds, const char* why, const char* hint) {
    if (!holds) findings.add(place, why, hint);
  };
  demand(timing.election_min >= 2 * timing.heartbeat, "election_min_ms is less than two heartbeats",
         "one lost heartbeat would start an election; raise election_min_ms or lower heartbeat_ms");
  demand(timing.election_max > timing.election_min, "election_max_ms is not more than election_min_ms",
         "the difference is what keeps two candidates apart; about twice election_min_ms is usual");
  demand(timing.lease >= 3 * timing.heartbeat, "lease_ms is less than three heartbeats",
         "one lost answer would end every lease; raise lease_ms or lower heartbeat_ms");
  demand(timing.watchdog_deadline >= timing.hold_grace + timing.stop_deadline,
         "watchdog_deadline_ms is less than hold_grace_ms + stop_deadline_ms",
         "the machine would be reset before its services had their time to stop");
}

void read_cluster(const Section& root, Reading& reading) {
  const toml::node* node = root.get("cluster");
  if (node == nullptr || !node->is_table()) {
    reading.findings.add(root.place("cluster"), "the table [cluster] is missing",
                         "begin with [cluster] and name = \"...\"");
    return;
  }
  std::vector<std::string> known{"name", "port"};
  for (const auto& timing_key : timing_keys) known.emplace_back(timing_key.key);
  const Section section(*node->as_table(), root.place("cluster"), reading.findings, known);
  reading.places.cluster = section.place();
  reading.config.name = section.required_text("name", "give the cluster a name: name = \"boutique\"");
  if (!is_name(reading.config.name, name_length_max))
    reading.findings.add(section.place("name"), fmt::format("'{}' is not a name", reading.config.name),
                         "letters, digits, dash, dot and underscore, at most 40");
  if (const auto port = section.integer("port", 1, 65535)) reading.config.port = static_cast<std::uint16_t>(*port);
  for (const auto& timing_key : timing_keys)
    if (const auto value = section.integer(timing_key.key, timing_key.low, timing_key.high))
      reading.config.timing.*timing_key.field = milliseconds(*value);
  check_timing(reading.config.timing, section.place(), reading.findings);
}

void check_name(const Section::Named& named, std::size_t length_max, Findings& findings) {
  if (is_name(named.name, length_max)) return;
  findings.add(named.place, fmt::format("'{}' is not a name", named.name),
               fmt::format("letters, digits, dash, dot and underscore, at most {}", length_max));
}

Node read_node(const Section::Named& named, std::uint32_t id, Findings& findings) {
  check_name(named, 63, findings);
  const Section section(*named.table, named.place, findings, {"address", "role"});
  Node node;
  node.name = named.name;
  node.id = id;
  const std::string written = section.required_text("address", "write address = \"10.0.0.1\"");
  const auto address = parse_address(written);
  if (!address)
    findings.add(section.place("address"), fmt::format("'{}' is not an IPv4 or IPv6 address", written),
                 "an address as a number, without a port: names are not looked up");
  node.address = address.value_or(written);
  const std::string role = section.text("role").value_or("data");
  if (role != "data" && role != "witness")
    findings.add(section.place("role"), fmt::format("'{}' is not a role", role), suggestion(role, {"data", "witness"}));
  if (role == "witness") node.role = NodeRole::witness;
  return node;
}

void read_nodes(const Section& root, Reading& reading) {
  std::uint32_t id = 0;
  for (const auto& named : root.named_tables("node")) {
    reading.config.nodes.push_back(read_node(named, ++id, reading.findings));
    reading.places.nodes.push_back(named.place);
  }
}

void set_disk(const Section& section, const std::string& node, const std::string& path, const Place& place,
              Volume& volume) {
  if (path.empty() || path.front() != '/')
    section.findings().add(place, fmt::format("'{}' is not an absolute path", path),
                           "write the whole path of a block device or file, like \"/dev/vg0/data\"");
  volume.disk[node] = path;
}

void read_disk_per_node(const Section& section, const toml::table& table, Volume& volume) {
  for (const auto& [node, path] : table) {
    const Place place = section.place("disk").inside(node.str(), &path);
    if (!path.is_string())
      section.findings().add(place, fmt::format("{} stands here, a path is wanted", kind_of(path)));
    else
      set_disk(section, std::string(node.str()), path.as_string()->get(), place, volume);
  }
}

void read_disk(const Section& section, const std::vector<Node>& nodes, Volume& volume) {
  const std::string hint = "write disk = \"/dev/vg0/data\", or disk = { alice = \"/dev/sdb\", bob = \"/dev/sdc\" }";
  const toml::node* node = section.get("disk");
  if (node == nullptr) {
    section.findings().add(section.place(), "the volume has no disk", hint);
  } else if (node->is_table()) {
    read_disk_per_node(section, *node->as_table(), volume);
  } else if (!node->is_string()) {
    section.findings().add(section.place("disk"), fmt::format("{} stands here, a path is wanted", kind_of(*node)),
                           hint);
  } else {
    for (const auto& data : nodes)
      if (data.role == NodeRole::data)
        set_disk(section, data.name, node->as_string()->get(), section.place("disk"), volume);
  }
}

void read_volume_size(const Section& section, Volume& volume) {
  volume.size_bytes = section.size("size").value_or(0);
  if (!section.has("size") || volume.size_bytes == 0) return;
  if (volume.size_bytes % block_bytes != 0)
    section.findings().add(section.place("size"), fmt::format("{} is not a multiple of 4096 bytes", volume.size_bytes));
  if (volume.size_bytes < 1024 * 1024 || volume.size_bytes > volume_bytes_max)
    section.findings().add(section.place("size"), fmt::format("{} bytes is not between 1M and 1P", volume.size_bytes));
}

void read_protocol(const Section& section, Volume& volume) {
  const std::string protocol = section.text("protocol").value_or("C");
  if (protocol == "A" || protocol == "B")
    section.findings().add(section.place("protocol"), fmt::format("protocol {} is not offered yet", protocol),
                           "use \"C\": a write is acknowledged when both disks have it");
  else if (protocol != "C")
    section.findings().add(section.place("protocol"), fmt::format("'{}' is not a protocol", protocol), "use \"C\"");
  volume.protocol = 'C';
}

Volume read_volume(const Section::Named& named, std::size_t index, Reading& reading) {
  check_name(named, name_length_max, reading.findings);
  const Section section(*named.table, named.place, reading.findings,
                        {"size", "disk", "protocol", "port", "al_extents", "resync_rate_max"});
  Volume volume;
  volume.name = named.name;
  volume.port = static_cast<std::uint16_t>(
      section.integer("port", 1, 65535).value_or(static_cast<std::int64_t>(first_volume_port + index)));
  volume.al_extents = static_cast<std::uint32_t>(section.integer("al_extents", 67, 6433).value_or(1237));
  volume.resync_rate_max = section.size("resync_rate_max").value_or(0);
  read_volume_size(section, volume);
  read_protocol(section, volume);
  read_disk(section, reading.config.nodes, volume);
  return volume;
}

void read_volumes(const Section& root, Reading& reading) {
  for (const auto& named : root.named_tables("volume")) {
    reading.config.volumes.push_back(read_volume(named, reading.config.volumes.size(), reading));
    reading.places.volumes.push_back(named.place);
  }
}

void read_services(const Section& root, Reading& reading) {
  for (const auto& named : root.named_tables("service")) {
    check_name(named, name_length_max, reading.findings);
    reading.config.services.push_back(read_service(named, reading.findings));
    reading.places.services.push_back(named.place);
  }
}

void read_all(const toml::table& table, Reading& reading) {
  const Section root(table, {}, reading.findings, {"cluster", "node", "volume", "service"});
  read_cluster(root, reading);
  read_nodes(root, reading);
  read_volumes(root, reading);
  read_services(root, reading);
  check_together(reading.config, reading.places, reading.findings);
}

}  // namespace

Result<ClusterConfig> parse(std::string_view text, const std::string& file) {
  Reading reading(file);
  if (text.size() > file_bytes_max) return fail(file + " cannot be used", {}, "it is larger than 1 MiB");
  try {
    read_all(toml::parse(text, file), reading);
  } catch (const toml::parse_error& error) {
    const Place place{error.source().begin.line, {}};
    return fail(file + " cannot be used", place.text(), fmt::format("not TOML: {}", error.description()));
  }
  if (reading.findings.first()) return tl::unexpected<Error>(*reading.findings.first());
  return std::move(reading.config);
}

}  // namespace bascule::config
