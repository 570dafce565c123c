#include <fmt/format.h>

#include <algorithm>

#include "wire/cluster_config/detail/readers.h"
#include "wire/cluster_config/detail/values.h"
#include "wire/drbd_config/option_table.h"

namespace bascule::config::detail {
namespace {

using drbd_config::Protocol;

constexpr std::uint64_t volume_bytes_max = std::uint64_t{1} << 50;
constexpr std::uint64_t block_bytes = 4096;
constexpr std::uint64_t sector_bytes = 512;
constexpr std::uint16_t first_volume_port = 7789;
constexpr std::int64_t minor_max = 1'048'575;

/// A table of DRBD options in cluster.toml and the section of drbd.conf it stands for.
struct OptionTable {
  const char* key;
  drbd_config::Section section;
};

constexpr OptionTable option_tables[] = {
    {"net", drbd_config::Section::net},
    {"disk_options", drbd_config::Section::disk},
    {"options", drbd_config::Section::options},
    {"handlers", drbd_config::Section::handlers},
};

/// Whether a replica may be on this node without the volume naming it.
bool has_replica(const Node& node, const Volume& volume) {
  return node.role == NodeRole::data || (node.role == NodeRole::peer && volume.operator_decides);
}

using Setter = void (*)(const Section&, const std::string& node, const std::string& value, const Place&, Volume&);

void set_disk(const Section& section, const std::string& node, const std::string& path, const Place& place,
              Volume& volume) {
  if (path.empty() || path.front() != '/')
    section.findings().add(place, fmt::format("'{}' is not an absolute path", path),
                           "write the whole path of a block device or file, like \"/dev/vg0/data\"");
  volume.disk[node] = path;
}

/// "/dev/sdc1", "/dev/sdc1[0]", "internal".
bool is_metadata_place(std::string_view text) {
  if (text == "internal") return true;
  if (text.empty() || text.front() != '/' || text.find('\0') != std::string_view::npos) return false;
  const auto bracket = text.find('[');
  if (bracket == std::string_view::npos) return text.find(']') == std::string_view::npos;
  const std::string_view index = text.substr(bracket + 1);
  return index.size() >= 2 && index.size() <= 4 && index.back() == ']' &&
         index.find_first_not_of("0123456789") == index.size() - 1;
}

void set_metadata(const Section& section, const std::string& node, const std::string& text, const Place& place,
                  Volume& volume) {
  if (!is_metadata_place(text))
    section.findings().add(place, fmt::format("'{}' is not a place for metadata", text),
                           "write \"internal\", a device or file like \"/dev/sdc1\", or one with an index, "
                           "like \"/dev/sdc1[0]\"");
  volume.metadata[node] = text;
}

void read_table_per_node(const Section& section, const char* key, const toml::table& table, Setter setter,
                         Volume& volume) {
  for (const auto& [node, value] : table) {
    const Place place = section.place(key).inside(node.str(), &value);
    if (!value.is_string())
      section.findings().add(place, fmt::format("{} stands here, a path is wanted", kind_of(value)));
    else
      setter(section, std::string(node.str()), value.as_string()->get(), place, volume);
  }
}

/// One string for all nodes that may have a replica, or a table node = string.
void read_per_node(const Section& section, const char* key, const std::vector<Node>& nodes, Setter setter,
                   const std::string& hint, Volume& volume) {
  const toml::node* node = section.get(key);
  if (node->is_table()) {
    read_table_per_node(section, key, *node->as_table(), setter, volume);
  } else if (!node->is_string()) {
    section.findings().add(section.place(key), fmt::format("{} stands here, a path is wanted", kind_of(*node)), hint);
  } else {
    for (const auto& one : nodes)
      if (has_replica(one, volume)) setter(section, one.name, node->as_string()->get(), section.place(key), volume);
  }
}

void read_disk(const Section& section, const std::vector<Node>& nodes, Volume& volume) {
  const std::string hint = "write disk = \"/dev/vg0/data\", or disk = { alice = \"/dev/sdb\", bob = \"/dev/sdc\" }";
  if (section.has("disk"))
    read_per_node(section, "disk", nodes, set_disk, hint, volume);
  else
    section.findings().add(section.place(), "the volume has no disk", hint);
}

void read_metadata(const Section& section, const std::vector<Node>& nodes, Volume& volume) {
  const std::string hint = "write metadata = \"internal\", or metadata = { alice = \"/dev/sdc1\", bob = \"internal\" }";
  if (section.has("metadata")) read_per_node(section, "metadata", nodes, set_metadata, hint, volume);
  for (const auto& [node, place] : volume.metadata)
    if (volume.disk.count(node) == 0)
      section.findings().add(section.place("metadata"),
                             fmt::format("metadata names '{}', where the volume has no disk", node));
  for (const auto& [node, path] : volume.disk) volume.metadata.try_emplace(node, "internal");
}

void read_size(const Section& section, Volume& volume) {
  volume.size_bytes = section.size("size").value_or(0);
  if (!section.has("size") || volume.size_bytes == 0) return;
  if (volume.size_bytes % block_bytes != 0)
    section.findings().add(section.place("size"), fmt::format("{} is not a multiple of 4096 bytes", volume.size_bytes));
  if (volume.size_bytes < 1024 * 1024 || volume.size_bytes > volume_bytes_max)
    section.findings().add(section.place("size"), fmt::format("{} bytes is not between 1M and 1P", volume.size_bytes));
}

void read_authority(const Section& section, Volume& volume) {
  const std::string authority = section.text("authority").value_or("cluster");
  if (authority != "cluster" && authority != "operator")
    section.findings().add(section.place("authority"), fmt::format("'{}' is not an authority", authority),
                           suggestion(authority, {"cluster", "operator"}));
  volume.operator_decides = authority == "operator";
}

/// The text of a TOML value as DRBD writes it, or nothing for lists, tables and the like.
std::optional<std::string> option_text(const toml::node& node, bool yes_or_no) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean(); flag != nullptr && yes_or_no) return flag->get() ? "yes" : "no";
  return std::nullopt;
}

const char* wanted_kind(drbd_config::Section section, std::string_view name) {
  if (drbd_config::is_yes_or_no(section, name)) return "true, false, \"yes\" or \"no\"";
  return drbd_config::is_number(section, name) ? "a number, or a string like \"10M\"" : "a string";
}

void read_option(const OptionTable& where, std::string_view name, const toml::node& node, const Place& place,
                 Findings& findings, Volume& volume) {
  const auto known = drbd_config::names_in(where.section);
  if (std::find(known.begin(), known.end(), name) == known.end()) {
    findings.add(place, "DRBD has no such option here", suggestion(name, known));
    return;
  }
  const auto text = option_text(node, drbd_config::is_yes_or_no(where.section, name));
  if (!text) {
    findings.add(place, fmt::format("{} stands here, {} is wanted", kind_of(node), wanted_kind(where.section, name)));
    return;
  }
  if (const auto result = drbd_config::set(volume.options, where.section, name, *text); !result)
    findings.add(place, result.error().why, result.error().hint);
}

void read_option_tables(const Section& section, Volume& volume) {
  for (const auto& table : option_tables) {
    const toml::node* node = section.get(table.key);
    if (node == nullptr) continue;
    if (!node->is_table()) {
      section.findings().add(section.place(table.key), fmt::format("{} stands here, a table is wanted", kind_of(*node)),
                             fmt::format("write [{}.{}]", section.place().path, table.key));
      continue;
    }
    for (const auto& [name, value] : *node->as_table())
      read_option(table, name.str(), value, section.place(table.key).inside(name.str(), &value), section.findings(),
                  volume);
  }
}

bool is_written(const Section& section, const char* table, const char* name) {
  const toml::node* node = section.get(table);
  return node != nullptr && node->is_table() && node->as_table()->contains(name);
}

/// A key of ours and DRBD's own option say the same thing: only one of them may be written.
bool written_once(const Section& section, const char* key, const char* table, const char* name) {
  if (!section.has(key) || !is_written(section, table, name)) return true;
  section.findings().add(section.place(key), fmt::format("{}.{} says the same", table, name), "write one of the two");
  return false;
}

void read_protocol(const Section& section, Volume& volume) {
  if (!section.has("protocol") || !written_once(section, "protocol", "net", "protocol")) return;
  const std::string protocol = section.text("protocol").value_or("C");
  if (!drbd_config::set(volume.options, drbd_config::Section::net, "protocol", protocol))
    section.findings().add(section.place("protocol"), fmt::format("'{}' is not a protocol", protocol),
                           "\"C\": a write is acknowledged when both disks have it; \"B\": when the peer has received "
                           "it; \"A\": when it is on its way");
}

/// al_extents and size are DRBD's options under names of ours: both are kept, with one value.
void read_shared_options(const Section& section, Volume& volume) {
  auto& disk = volume.options.disk;
  written_once(section, "al_extents", "disk_options", "al-extents");
  written_once(section, "size", "disk_options", "size");
  disk.al_extents = static_cast<std::uint32_t>(section.integer("al_extents", 67, 65534).value_or(disk.al_extents));
  volume.al_extents = disk.al_extents;
  if (section.has("size"))
    disk.size_sectors = volume.size_bytes / sector_bytes;
  else
    volume.size_bytes = disk.size_sectors / (block_bytes / sector_bytes) * block_bytes;
}

/// The place of "net.timeout", "disk.fencing" in the file; the volume when it is not written there.
Place place_of_option(const Section& section, std::string_view where) {
  const std::string_view drbd_section = where.substr(0, where.find('.'));
  const std::string name(where.substr(drbd_section.size() + 1));
  for (const auto& table : option_tables)
    if (drbd_section == drbd_config::name_of(table.section) && is_written(section, table.key, name.c_str()))
      return section.place(table.key).inside(name, section.get(table.key)->as_table()->get(name));
  return section.has(name) ? section.place(name) : section.place();
}

void check_options(const Section& section, const Volume& volume) {
  if (const auto result = drbd_config::check(volume.options); !result)
    section.findings().add(place_of_option(section, result.error().where), result.error().why, result.error().hint);
  if (volume.operator_decides) return;
  if (volume.options.net.protocol == Protocol::A && !volume.accept_loss)
    section.findings().add(place_of_option(section, "net.protocol"),
                           "protocol A can lose the last writes when the other node takes over",
                           "write accept_loss = true if that is meant, or use protocol \"C\"");
  if (volume.options.net.allow_two_primaries)
    section.findings().add(place_of_option(section, "net.allow-two-primaries"),
                           "the cluster gives a volume to one node at a time",
                           "write authority = \"operator\" for two primaries");
}

/// The managers' keys serve for the replicas too; a DRBD node knows nothing of them.
void read_encryption(const Section& section, bool have_keys, Volume& volume) {
  const std::string encryption =
      section.text("encryption").value_or(have_keys && !volume.operator_decides ? "tls" : "none");
  volume.encrypted = encryption == "tls";
  if (encryption != "tls" && encryption != "none")
    section.findings().add(section.place("encryption"), fmt::format("'{}' is not an encryption", encryption),
                           suggestion(encryption, {"tls", "none"}));
  if (volume.encrypted && !have_keys)
    section.findings().add(section.place("encryption"), "there are no keys to encrypt with: key_file is \"none\"",
                           "write encryption = \"none\", or make keys with `bascule key create`");
}

const std::vector<std::string> volume_keys{
    "encryption", "size",  "disk",        "protocol",   "port", "al_extents",   "resync_rate_max", "authority",
    "metadata",   "minor", "accept_loss", "peer_flush", "net",  "disk_options", "options",         "handlers"};

}  // namespace

Volume read_volume(const Section::Named& named, std::size_t index, const std::vector<Node>& nodes, bool have_keys,
                   Findings& findings) {
  const Section section(*named.table, named.place, findings, volume_keys);
  const auto integer_or = [&](const char* key, std::int64_t low, std::int64_t high, std::size_t otherwise) {
    return section.integer(key, low, high).value_or(static_cast<std::int64_t>(otherwise));
  };
  Volume volume;
  volume.name = named.name;
  volume.port = static_cast<std::uint16_t>(integer_or("port", 1, 65535, first_volume_port + index));
  volume.minor = static_cast<std::uint32_t>(integer_or("minor", 0, minor_max, index));
  volume.resync_rate_max = section.size("resync_rate_max").value_or(0);
  volume.accept_loss = section.flag("accept_loss").value_or(false);
  volume.flush_waits_for_peer = section.flag("peer_flush").value_or(true);
  read_authority(section, volume);
  read_encryption(section, have_keys, volume);
  read_size(section, volume);
  read_option_tables(section, volume);
  read_protocol(section, volume);
  read_shared_options(section, volume);
  check_options(section, volume);
  read_disk(section, nodes, volume);
  read_metadata(section, nodes, volume);
  return volume;
}

}  // namespace bascule::config::detail
