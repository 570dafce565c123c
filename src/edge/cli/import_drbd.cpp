#include "edge/cli/import_drbd.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "wire/cluster_config/config.h"
#include "wire/drbd_config/option_table.h"
#include "wire/drbd_config/resolve.h"

namespace bascule::cli {
namespace {

using drbd_config::Document;
using drbd_config::Host;
using drbd_config::Position;
using drbd_config::Resource;
using drbd_config::Section;
using drbd_config::VolumeText;

tl::unexpected<Error> refuse(const Position& at, std::string why, std::string hint) {
  return fail("the configuration of DRBD cannot be imported", at.text(), std::move(why), std::move(hint));
}

bool has_name(const Host& host, const std::string& name) {
  return std::find(host.names.begin(), host.names.end(), name) != host.names.end();
}

bool takes_part(const Resource& resource, const std::string& node) {
  return std::any_of(resource.hosts.begin(), resource.hosts.end(),
                     [&](const Host& host) { return has_name(host, node) || host.floating; });
}

/// What a resource may look like that becomes a volume.
Result<void> check_host(const Resource& resource, const Host& host) {
  if (!host.stacked_on.empty())
    return refuse(
        host.at, fmt::format("{} is stacked on {}", resource.name, host.stacked_on),
        "a volume has two replicas: leave the stacked resource with DRBD, or replicate the third copy by other "
        "means");
  if (host.floating)
    return refuse(host.at, fmt::format("a host of {} has an address and no name", resource.name),
                  "write `on NAME` with the name of the machine instead of `floating`");
  if (host.proxy)
    return refuse(host.at, fmt::format("{} is replicated through a proxy", resource.name),
                  "there is no proxy: connect the two machines themselves, with protocol A for a slow line");
  if (host.names.size() != 1)
    return refuse(host.at, fmt::format("one side of {} has {} names", resource.name, host.names.size()),
                  "write one `on NAME` for each of the two machines");
  if (host.volumes.size() != 1 || host.volumes.front().number != 0)
    return refuse(host.at,
                  fmt::format("{} has {} volumes over one connection, or one with another number than 0", resource.name,
                              host.volumes.size()),
                  "give each volume a resource and a port of its own, as volume 0");
  if (host.address->family != "ipv4" && host.address->family != "ipv6")
    return refuse(host.at, fmt::format("{} is reached over {}", resource.name, host.address->family),
                  "use TCP: an address ipv4 or ipv6");
  return {};
}

Result<void> check_resource(const Resource& resource) {
  for (const auto& host : resource.hosts)
    if (const auto fine = check_host(resource, host); !fine) return fine;
  if (resource.hosts.size() != 2)
    return refuse(resource.at, fmt::format("{} has {} hosts", resource.name, resource.hosts.size()),
                  "a volume has two replicas: keep two hosts");
  if (resource.hosts[0].address->port != resource.hosts[1].address->port)
    return refuse(resource.at, fmt::format("the two sides of {} use different ports", resource.name),
                  "use one port on both");
  return {};
}

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    else
      out += c;
  }
  return out + "\"";
}

std::string comment(const Remark& remark) {
  std::string line = fmt::format("# {}: {}", remark.where, remark.text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return line + "\n";
}

/// One option as TOML writes it: true, 8000, "10M".
std::string toml_value(Section section, const std::string& name, const std::string& value) {
  if (drbd_config::is_yes_or_no(section, name)) return value == "yes" ? "true" : "false";
  const bool plain = value.find_first_not_of("-0123456789") == std::string::npos;
  return drbd_config::is_number(section, name) && plain ? value : toml_text(value);
}

const VolumeText& volume_of(const Host& host) { return host.volumes.front(); }

std::string metadata_of(const VolumeText& volume) {
  return volume.meta_index ? fmt::format("{}[{}]", volume.meta_disk, *volume.meta_index) : volume.meta_disk;
}

class Importing {
 public:
  Importing(const Document& document, std::string node) : document_(document), node_(std::move(node)) {}
  Result<Imported> run();

 private:
  Result<void> take(const Resource& resource);
  Result<void> take_node(const Resource& resource, const Host& host);
  Result<void> write_volume(const Resource& resource);
  void write_places(const Resource& resource);
  void write_options(const drbd_config::Options& options, const std::string& volume, Section section,
                     const char* table);
  void leave(Remark remark, std::string& text);
  void settle_resync_after(const Resource& resource, drbd_config::Resolved& resolved);
  void leave_all(const drbd_config::Resolved& resolved);
  [[nodiscard]] std::string head() const;
  [[nodiscard]] std::string nodes_text() const;

  const Document& document_;
  std::string node_;
  Imported imported_;
  std::map<std::string, std::string> addresses_;  ///< by the name of the node
  std::string top_remarks_, volumes_text_;
};

void Importing::leave(Remark remark, std::string& text) {
  text += comment(remark);
  imported_.remarks.push_back(std::move(remark));
}

/// A node has one address in cluster.toml.
Result<void> Importing::take_node(const Resource& resource, const Host& host) {
  const std::string& name = host.names.front();
  const auto [known, fresh] = addresses_.emplace(name, host.address->host);
  if (fresh) imported_.nodes.push_back(name);
  if (known->second == host.address->host) return {};
  return refuse(host.at,
                fmt::format("{} reaches {} at {}, another resource at {}", resource.name, name, host.address->host,
                            known->second),
                "use one address of each machine for all resources");
}

void Importing::write_places(const Resource& resource) {
  std::vector<std::string> disks, metadata;
  for (const auto& host : resource.hosts) {
    if (volume_of(host).disk == "none") continue;
    const std::string name = toml_text(host.names.front());
    disks.push_back(fmt::format("{} = {}", name, toml_text(volume_of(host).disk)));
    metadata.push_back(fmt::format("{} = {}", name, toml_text(metadata_of(volume_of(host)))));
  }
  volumes_text_ += fmt::format("disk = {{ {} }}\n", fmt::join(disks, ", "));
  volumes_text_ += fmt::format("metadata = {{ {} }}\n", fmt::join(metadata, ", "));
}

void Importing::write_options(const drbd_config::Options& options, const std::string& volume, Section section,
                              const char* table) {
  const drbd_config::Options usual;
  std::string lines;
  for (const auto& name : drbd_config::names_in(section)) {
    const std::string value = drbd_config::text_of(options, section, name);
    if (name == "protocol" || value == drbd_config::text_of(usual, section, name)) continue;
    lines += fmt::format("{} = {}\n", name, toml_value(section, name, value));
  }
  if (!lines.empty()) volumes_text_ += fmt::format("[volume.{}.{}]\n{}", toml_text(volume), table, lines);
}

/// DRBD's configuration names a resource, the kernel and cluster.toml a minor.
void Importing::settle_resync_after(const Resource& resource, drbd_config::Resolved& resolved) {
  if (resolved.resync_after.empty()) return;
  const std::string other = resolved.resync_after.substr(0, resolved.resync_after.find('/'));
  const Resource* before = document_.resource(other);
  const Host* host = nullptr;
  if (before != nullptr)
    for (const auto& one : before->hosts)
      if (has_name(one, node_) && !one.volumes.empty()) host = &one;
  if (host != nullptr && other != resource.name)
    resolved.options.disk.resync_after_minor = static_cast<std::int32_t>(*volume_of(*host).minor);
  else
    leave({resource.at.text(), fmt::format("disk resync-after {}: {} has no such resource", other, node_)},
          volumes_text_);
}

void Importing::leave_all(const drbd_config::Resolved& resolved) {
  for (const auto& one : resolved.left_over) {
    std::string text = fmt::format("{} {}", one.section, one.setting.name);
    for (const auto& value : one.setting.values) text += " " + drbd_config::quoted(value);
    leave({one.setting.at.text(), fmt::format("{}: {}", text, one.why)}, volumes_text_);
  }
}

Result<void> Importing::write_volume(const Resource& resource) {
  auto resolved = drbd_config::resolve(document_, resource);
  if (!resolved) return tl::unexpected(resolved.error());
  const Host& own = has_name(resource.hosts[0], node_) ? resource.hosts[0] : resource.hosts[1];
  const Host& other = &own == &resource.hosts[0] ? resource.hosts[1] : resource.hosts[0];
  volumes_text_ += fmt::format("\n[volume.{}]  # {}\n", toml_text(resource.name), resource.at.text());
  settle_resync_after(resource, *resolved);
  leave_all(*resolved);
  if (volume_of(own).minor != volume_of(other).minor)
    leave({other.at.text(),
           fmt::format("minor {} on {}: the minor of {} is kept", *volume_of(other).minor, other.names.front(), node_)},
          volumes_text_);
  volumes_text_ += "authority = \"operator\"\n";
  write_places(resource);
  const auto& options = resolved->options;
  volumes_text_ += fmt::format("minor = {}\nport = {}\nprotocol = {}\n", *volume_of(own).minor, own.address->port,
                               toml_text(drbd_config::text_of(options, Section::net, "protocol")));
  write_options(options, resource.name, Section::net, "net");
  write_options(options, resource.name, Section::disk, "disk_options");
  write_options(options, resource.name, Section::options, "options");
  write_options(options, resource.name, Section::handlers, "handlers");
  imported_.volumes.push_back(resource.name);
  return {};
}

Result<void> Importing::take(const Resource& resource) {
  if (!takes_part(resource, node_)) {
    leave({resource.at.text(), fmt::format("resource {}: {} has no part in it", resource.name, node_)}, top_remarks_);
    return {};
  }
  if (const auto fine = check_resource(resource); !fine) return fine;
  for (const auto& host : resource.hosts)
    if (const auto fine = take_node(resource, host); !fine) return fine;
  return write_volume(resource);
}

std::string Importing::head() const {
  return fmt::format(
      "# No automatic takeover: {} nodes with neither witness nor fencing.\n"
      "# Made by `bascule import drbd` from {} for {}.\n"
      "# The other machines go on with DRBD: they are peers, and DRBD's own rules hold (authority = \"operator\").\n"
      "# When both run Bascule: make the peer a data node, add a witness (or [fence.NAME] for both nodes), "
      "and remove authority.\n"
      "[cluster]\nname = \"drbd\"\n",
      imported_.nodes.size(), document_.file, node_);
}

std::string Importing::nodes_text() const {
  std::string text;
  for (const auto& name : imported_.nodes) {
    text += fmt::format("\n[node.{}]\naddress = {}\n", toml_text(name), toml_text(addresses_.at(name)));
    if (name != node_) text += "role = \"peer\"\n";
  }
  return text;
}

Result<Imported> Importing::run() {
  for (const auto& resource : document_.resources)
    if (const auto fine = take(resource); !fine) return tl::unexpected(fine.error());
  if (imported_.volumes.empty())
    return fail("the configuration of DRBD cannot be imported", document_.file,
                fmt::format("{} has no part in any resource", node_), "say which machine it is for: --node NAME");
  imported_.toml = head() + top_remarks_ + nodes_text() + volumes_text_;
  if (auto parsed = config::parse(imported_.toml, "the imported configuration"); !parsed)
    return tl::unexpected(parsed.error());
  return std::move(imported_);
}

}  // namespace

Result<Imported> import_drbd(const Document& document, const std::string& node) {
  return Importing(document, node).run();
}

}  // namespace bascule::cli
