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
    {"restart_lease_ms", &Timing::restart_lease, 1'000, 120'000},
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
  demand(timing.restart_lease >= timing.lease, "restart_lease_ms is less than lease_ms",
         "it is for the time in which a manager is restarted; 30000 is usual");
  demand(timing.watchdog_deadline >= timing.hold_grace + timing.stop_deadline,
         "watchdog_deadline_ms is less than hold_grace_ms + stop_deadline_ms",
         "the machine would be reset before its services had their time to stop");
}

void read_key_file(const Section& section, ClusterConfig& config) {
  const auto written = section.text("key_file");
  if (!written) return;
  if (*written == "none") return config.key_file.reset();
  config.key_file = *written;
  if (written->empty() || written->front() != '/')
    section.findings().add(section.place("key_file"), fmt::format("'{}' is not a path from the root", *written),
                           "write key_file = \"/etc/bascule/cluster.key\", or \"none\" on a network of your own");
}

void read_cluster(const Section& root, Reading& reading) {
  const toml::node* node = root.get("cluster");
  if (node == nullptr || !node->is_table()) {
    reading.findings.add(root.place("cluster"), "the table [cluster] is missing",
                         "begin with [cluster] and name = \"...\"");
    return;
  }
  std::vector<std::string> known{"name", "port", "key_file", "fence_lost_nodes", "fence_head_start_ms"};
  for (const auto& timing_key : timing_keys) known.emplace_back(timing_key.key);
  const Section section(*node->as_table(), root.place("cluster"), reading.findings, known);
  reading.places.cluster = section.place();
  reading.config.name = section.required_text("name", "give the cluster a name: name = \"boutique\"");
  if (!is_name(reading.config.name, name_length_max))
    reading.findings.add(section.place("name"), fmt::format("'{}' is not a name", reading.config.name),
                         "letters, digits, dash, dot and underscore, at most 40");
  if (const auto port = section.integer("port", 1, 65535)) reading.config.port = static_cast<std::uint16_t>(*port);
  read_key_file(section, reading.config);
  reading.config.fence_lost_nodes = section.flag("fence_lost_nodes").value_or(false);
  if (const auto start = section.integer("fence_head_start_ms", 100, 600'000))
    reading.config.fence_head_start = milliseconds(*start);
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

constexpr std::size_t links_max = 4;

void add_address(const Section& section, const std::string& written, Node& node) {
  const auto address = parse_address(written);
  if (!address)
    section.findings().add(section.place("address"), fmt::format("'{}' is not an IPv4 or IPv6 address", written),
                           "an address as a number, without a port: names are not looked up");
  node.addresses.push_back(address.value_or(written));
}

/// One address, or a list with one for each network that the node is on.
void read_addresses(const Section& section, Node& node) {
  const toml::node* found = section.get("address");
  const toml::array* list = found == nullptr ? nullptr : found->as_array();
  if (list == nullptr) {
    add_address(section, section.required_text("address", "write address = \"10.0.0.1\""), node);
  } else {
    if (list->empty() || list->size() > links_max)
      section.findings().add(section.place("address"), fmt::format("{} addresses stand here", list->size()),
                             fmt::format("one for each network of the node, at most {}", links_max));
    for (const auto& each : *list) add_address(section, each.value<std::string>().value_or(kind_of(each)), node);
  }
  node.address = node.addresses.empty() ? "" : node.addresses.front();
}

Node read_node(const Section::Named& named, std::uint32_t id, Findings& findings) {
  check_name(named, 63, findings);
  const Section section(*named.table, named.place, findings, {"address", "role", "id", "votes"});
  Node node;
  node.name = named.name;
  node.id = static_cast<std::uint32_t>(section.integer("id", 1, 2'000'000'000).value_or(id));
  node.has_vote = section.flag("votes").value_or(true);
  read_addresses(section, node);
  const std::string role = section.text("role").value_or("data");
  const std::vector<std::string> roles{"data", "witness", "peer"};
  if (std::find(roles.begin(), roles.end(), role) == roles.end())
    findings.add(section.place("role"), fmt::format("'{}' is not a role", role), suggestion(role, roles));
  if (role == "witness") node.role = NodeRole::witness;
  if (role == "peer") node.role = NodeRole::peer;
  if (section.has("votes") && role != "data")
    findings.add(section.place("votes"), fmt::format("a {} has no choice about its vote", role),
                 "votes is for data nodes; leave it out");
  return node;
}

void read_nodes(const Section& root, Reading& reading) {
  std::uint32_t id = 0;
  for (const auto& named : root.named_tables("node")) {
    reading.config.nodes.push_back(read_node(named, ++id, reading.findings));
    reading.places.nodes.push_back(named.place);
  }
}

void read_volumes(const Section& root, Reading& reading) {
  for (const auto& named : root.named_tables("volume")) {
    check_name(named, name_length_max, reading.findings);
    reading.config.volumes.push_back(read_volume(named, reading.config.volumes.size(), reading.config.nodes,
                                                 reading.config.key_file.has_value(), reading.findings));
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

void read_fences(const Section& root, Reading& reading) {
  for (const auto& named : root.named_tables("fence")) {
    check_name(named, name_length_max, reading.findings);
    reading.config.fences.push_back(read_fence(named, reading.findings));
    check_fence(reading.config.fences.back(), reading.config.nodes, named.place, reading.findings);
  }
}

void read_all(const toml::table& table, Reading& reading) {
  const Section root(table, {}, reading.findings, {"cluster", "node", "volume", "service", "fence"});
  read_cluster(root, reading);
  read_nodes(root, reading);
  read_volumes(root, reading);
  read_services(root, reading);
  read_fences(root, reading);
  check_together(reading.config, reading.places, reading.findings);
  check_relations(reading.config, reading.places, reading.findings);
  if (!reading.findings.first()) expand_copies(reading.config, reading.places, reading.findings);
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
