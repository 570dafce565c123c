#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "wire/drbd_config/detail/reader.h"

namespace bascule::drbd_config::detail {
namespace {

constexpr std::uint32_t minor_max = 1048575;
constexpr std::uint32_t volume_max = 65534;
constexpr std::uint32_t meta_index_max = 999;
constexpr std::uint32_t node_id_max = 31;

bool is_ipv4(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos &&
         std::count(text.begin(), text.end(), '.') == 3;
}

/// "/dev/drbd7" has minor 7 without saying so.
std::optional<std::uint32_t> minor_in(const std::string& device) {
  const std::string_view digits = std::string_view(device).substr(9);
  std::uint32_t minor = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), minor);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || minor > minor_max)
    return std::nullopt;
  return minor;
}

/// device NAME [minor N]; or device minor N;
void read_device(Reader& reader, VolumeText& volume) {
  const Position at = reader.position();
  if (!reader.peek().is("minor")) {
    volume.device = reader.text("the name of a device, or minor");
    if (volume.device.rfind('/', 0) != 0) volume.device = "/dev/" + volume.device;
    if (volume.device.rfind("/dev/drbd", 0) != 0)
      return reader.fail_at(at, "the name of a device begins with /dev/drbd", "like /dev/drbd0, or device minor 0");
    volume.minor = minor_in(volume.device);
  }
  if (reader.peek().is("minor")) {
    reader.take();
    volume.minor = reader.number(0, minor_max, "the minor of a device");
  }
  if (!volume.minor)
    return reader.fail_at(at, "the name of the device has no number, and no minor is given", "add minor N");
  reader.expect(';');
}

/// meta-disk internal; meta-disk DEVICE; meta-disk DEVICE [N]; flexible-meta-disk DEVICE;
void read_meta_disk(Reader& reader, VolumeText& volume, bool flexible) {
  volume.meta_disk = reader.text("internal or a device");
  if (!flexible && reader.take_if('[')) {
    volume.meta_index = reader.number(0, meta_index_max, "an index");
    reader.expect(']');
  }
  reader.expect(';');
}

/// One statement about a volume; false: the next word begins none.
bool read_volume_statement(Reader& reader, const std::string& owner, VolumeText& volume) {
  const Token word = reader.peek();
  const Position at = reader.position();
  const bool flexible = word.is("flexible-meta-disk") || word.is("flex-meta-disk");
  if (!word.is("device") && !word.is("disk") && !word.is("meta-disk") && !flexible) return false;
  reader.take();
  if (word.is("disk") && reader.peek().is('{')) {
    reader.use_once(fmt::format("the section disk of {}", owner), at);
    read_options(reader, Section::disk, volume.options);
    return true;
  }
  reader.use_once(fmt::format("{} of {}", flexible ? "meta-disk" : word.text, owner), at);
  if (word.is("device")) {
    read_device(reader, volume);
  } else if (word.is("disk")) {
    volume.disk = reader.text("a path or none");
    reader.expect(';');
  } else {
    read_meta_disk(reader, volume, flexible);
  }
  return true;
}

VolumeText& volume_numbered(std::vector<VolumeText>& volumes, std::uint32_t number, const Position& at) {
  const auto place =
      std::find_if(volumes.begin(), volumes.end(), [&](const auto& one) { return one.number >= number; });
  if (place != volumes.end() && place->number == number) return *place;
  VolumeText fresh;
  fresh.number = number;
  fresh.at = at;
  return *volumes.insert(place, std::move(fresh));
}

void read_volume(Reader& reader, const std::string& owner, std::vector<VolumeText>& volumes) {
  const Position at = reader.position();
  reader.take();
  const std::uint32_t number = reader.number(0, volume_max, "the number of a volume");
  const std::string name = fmt::format("volume {} of {}", number, owner);
  VolumeText& volume = volume_numbered(volumes, number, at);
  reader.block([&] {
    if (!read_volume_statement(reader, name, volume))
      reader.fail_expected("device, disk, meta-disk, flexible-meta-disk or }");
  });
}

/// `volume N { }`, or a statement that means volume 0.
bool read_volume_or_statement(Reader& reader, const std::string& owner, std::vector<VolumeText>& volumes) {
  if (reader.peek().is("volume")) {
    read_volume(reader, owner, volumes);
    return true;
  }
  VolumeText implicit;
  implicit.at = reader.position();
  if (!volumes.empty() && volumes.front().number == 0) implicit = volumes.front();
  if (!read_volume_statement(reader, owner, implicit)) return false;
  implicit.implicit = true;
  volume_numbered(volumes, 0, implicit.at) = std::move(implicit);
  return true;
}

void read_host_address(Reader& reader, const std::string& owner, Host& host) {
  const Position at = reader.position();
  reader.take();
  reader.use_once("address of " + owner, at);
  host.address = read_address(reader);
  reader.use_once(fmt::format("the address {}:{}", host.address->host, host.address->port), at);
  reader.expect(';');
}

void read_proxy_host(Reader& reader, Host& host) {
  reader.take();
  if (!reader.peek().is("on")) return reader.fail_expected("on");
  reader.take();
  ProxyHost proxy;
  proxy.name = reader.text("the name of a host");
  reader.block([&] {
    const Token word = reader.peek();
    if (!word.is("inside") && !word.is("outside")) return reader.fail_expected("inside or outside");
    reader.take();
    (word.is("inside") ? proxy.inside : proxy.outside) = read_address(reader);
    reader.expect(';');
  });
  host.proxy = std::move(proxy);
}

void read_host_statement(Reader& reader, const std::string& owner, Host& host) {
  if (read_volume_or_statement(reader, owner, host.volumes)) return;
  if (reader.peek().is("address") && !host.floating) return read_host_address(reader, owner, host);
  if (reader.peek().is("proxy")) return read_proxy_host(reader, host);
  if (!reader.peek().is("node-id"))
    return reader.fail_expected("disk, device, address, meta-disk, flexible-meta-disk, volume or proxy");
  reader.take();
  host.node_id = reader.number(0, node_id_max, "the id of a node");
  reader.expect(';');
}

std::string title_of(const Resource& resource, const Host& host) {
  if (host.floating) return fmt::format("{}, floating {}:{}", resource.name, host.address->host, host.address->port);
  if (!host.stacked_on.empty()) return fmt::format("{}, stacked-on-top-of {}", resource.name, host.stacked_on);
  return fmt::format("{}, on {}", resource.name, host.names.empty() ? "" : host.names.front());
}

void read_host(Reader& reader, Resource& resource) {
  const Token word = reader.take();
  Host host;
  host.at = reader.position_of(word);
  if (word.is("floating")) {
    host.floating = true;
    host.address = read_address(reader);
    reader.use_once(fmt::format("the address {}:{}", host.address->host, host.address->port), host.at);
    if (reader.take_if(';')) return resource.hosts.push_back(std::move(host));
  } else if (word.is("stacked-on-top-of")) {
    host.stacked_on = reader.text("the name of a resource");
  } else {
    do host.names.push_back(reader.text("the name of a host"));
    while (reader.peek().is_text());
  }
  const std::string owner = title_of(resource, host);
  reader.use_once("the host section of " + owner, host.at);
  reader.block([&] { read_host_statement(reader, owner, host); });
  resource.hosts.push_back(std::move(host));
}

Host* host_named(Resource& resource, const std::string& name) {
  for (auto& host : resource.hosts)
    if (std::find(host.names.begin(), host.names.end(), name) != host.names.end()) return &host;
  return nullptr;
}

/// host NAME [address ADDRESS] [port N]; of DRBD 9's connection. The `on` section comes first.
void read_connection_host(Reader& reader, Resource& resource) {
  reader.take();
  const Position at = reader.position();
  const std::string name = reader.text("the name of a host");
  Host* host = host_named(resource, name);
  if (host == nullptr && !name.empty())
    return reader.fail_at(at, fmt::format("there is no `on {}` above this connection", name),
                          "write the hosts before the connection between them");
  if (reader.peek().is("address")) {
    reader.take();
    host->address = read_address(reader);
  }
  if (reader.peek().is("port")) {
    reader.take();
    const auto port = static_cast<std::uint16_t>(reader.number(1, 65535, "a port"));
    if (host->address) host->address->port = port;
  }
  reader.expect(';');
}

/// The one connection of a resource of DRBD 9; more than one has no counterpart.
void read_connection(Reader& reader, Resource& resource) {
  const Position at = reader.position();
  reader.take();
  reader.use_once("the connection of " + resource.name, at);
  if (reader.peek().is_text()) reader.take();
  reader.block([&] {
    const Position here = reader.position();
    if (reader.peek().is("host")) return read_connection_host(reader, resource);
    if (reader.peek().is("path"))
      return reader.fail_at(here, "a connection over several paths has no counterpart",
                            "keep one path: write its two hosts into the connection");
    if (!read_section(reader, "the connection of " + resource.name, resource.sections))
      reader.fail_expected("host, net or disk");
  });
}

void read_mesh(Reader& reader, Resource& resource) {
  const Position at = reader.position();
  reader.take();
  reader.use_once("the connection of " + resource.name, at);
  reader.block([&] {
    if (!reader.peek().is("hosts")) {
      if (!read_section(reader, "the connection of " + resource.name, resource.sections))
        reader.fail_expected("hosts or net");
      return;
    }
    const Position hosts_at = reader.position();
    reader.take();
    std::size_t count = 0;
    for (; reader.peek().is_text(); ++count) reader.take();
    if (count != 2)
      return reader.fail_at(hosts_at,
                            fmt::format("a mesh of {} hosts has no counterpart: a volume has two replicas", count),
                            "keep two hosts");
    reader.expect(';');
  });
}

void ignore_host(Reader& reader) {
  reader.take();
  reader.text("the name of a host");
  reader.expect(';');
}

/// disk { } of the resource, or disk PATH for all hosts.
void read_disk(Reader& reader, Resource& resource) {
  const Position at = reader.position();
  reader.take();
  if (reader.peek().is('{')) {
    reader.use_once(fmt::format("the section disk of {}", resource.name), at);
    return read_options(reader, Section::disk, resource.sections.disk);
  }
  reader.use_once(fmt::format("disk of {}", resource.name), at);
  VolumeText& volume = volume_numbered(resource.volumes, 0, at);
  volume.implicit = true;
  volume.disk = reader.text("a path or none");
  reader.expect(';');
}

void read_resource_statement(Reader& reader, Resource& resource) {
  const Token& word = reader.peek();
  if (word.is("on") || word.is("floating") || word.is("stacked-on-top-of")) return read_host(reader, resource);
  if (word.is("ignore-on")) return ignore_host(reader);
  if (word.is("connection")) return read_connection(reader, resource);
  if (word.is("connection-mesh")) return read_mesh(reader, resource);
  if (word.is("template-file"))
    return reader.fail_at(reader.position(), "template-file has no counterpart", "write the template's sections here");
  if (word.is("disk")) return read_disk(reader, resource);
  if (read_section(reader, resource.name, resource.sections)) return;
  if (read_volume_or_statement(reader, resource.name, resource.volumes)) return;
  reader.fail_expected(
      "on, floating, stacked-on-top-of, volume, device, disk, meta-disk, protocol, or a section: net, disk, options, "
      "startup, handlers, proxy, syncer");
}

/// What the resource says for all hosts, where the host says nothing itself.
void fill_in(VolumeText& own, const VolumeText& common) {
  if (!own.minor) own.device = common.device, own.minor = common.minor;
  if (own.disk.empty()) own.disk = common.disk;
  if (!own.meta_disk.empty()) return;
  own.meta_disk = common.meta_disk;
  own.meta_index = common.meta_index;
}

void inherit_volumes(const Resource& resource, Host& host) {
  for (const auto& common : resource.volumes) {
    const auto count = host.volumes.size();
    VolumeText& own = volume_numbered(host.volumes, common.number, common.at);
    if (host.volumes.size() != count) own.implicit = common.implicit;
    fill_in(own, common);
  }
}

void demand(Reader& reader, bool holds, const Host& host, const std::string& what, const std::string& owner) {
  if (!holds) reader.fail_at(host.at, fmt::format("{} of {} is missing", what, owner), "drbd.conf(5) demands it");
}

void check_host(Reader& reader, const Resource& resource, const Host& host) {
  const std::string owner = title_of(resource, host);
  demand(reader, host.address.has_value(), host, "address", owner);
  for (const auto& volume : host.volumes) {
    const std::string name = volume.implicit ? owner : fmt::format("volume {} of {}", volume.number, owner);
    demand(reader, volume.minor.has_value(), host, "device", name);
    if (!host.stacked_on.empty()) continue;
    demand(reader, !volume.disk.empty(), host, "disk", name);
    demand(reader, !volume.meta_disk.empty(), host, "meta-disk", name);
  }
  for (const auto& name : host.names)
    for (const auto& volume : host.volumes)
      if (volume.minor) reader.use_once(fmt::format("minor {} on {}", *volume.minor, name), volume.at);
}

}  // namespace

Address read_address(Reader& reader) {
  Address address;
  for (const char* family : {"ipv4", "ipv6", "ssocks", "sdp"}) {
    if (!reader.peek().is(family)) continue;
    address.family = reader.take().text;
    break;
  }
  const Token& host = reader.peek();
  const bool six = host.kind == TokenKind::ipv6;
  if (six ? address.family != "ipv6" : address.family == "ipv6" || !host.is_text() || !is_ipv4(host.text)) {
    reader.fail_expected(address.family == "ipv6" || six ? "ipv6 [ADDRESS]:PORT" : "an address, like 10.0.0.1:7789");
    return address;
  }
  address.host = reader.take().text;
  reader.expect(':');
  address.port = static_cast<std::uint16_t>(reader.number(1, 65535, "a port"));
  return address;
}

void read_resource(Reader& reader) {
  const Position at = reader.position();
  reader.take();
  Resource resource;
  resource.at = at;
  resource.name = reader.text("the name of a resource");
  reader.use_once("the resource " + resource.name, at);
  reader.block([&] { read_resource_statement(reader, resource); });
  for (auto& host : resource.hosts) {
    inherit_volumes(resource, host);
    check_host(reader, resource, host);
  }
  reader.reading().document.resources.push_back(std::move(resource));
}

}  // namespace bascule::drbd_config::detail
