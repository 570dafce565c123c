#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// drbd.conf(5) as text with its structure: what is written, where, and nothing filled in from defaults.
namespace bascule::drbd_config {

/// Where something is written; lines and columns count from 1.
struct Position {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  [[nodiscard]] std::string text() const;  ///< "r0.res:3:14"
};

/// One option. Old names and the form "no-NAME" are already replaced: `no-md-flushes` is md-flushes, "no".
struct Setting {
  std::string name;
  std::vector<std::string> values;  ///< usually one; several of become-primary-on; none of a bare word
  Position at;
};
using Settings = std::vector<Setting>;

/// The sections that both common and a resource may have. `syncer` is spread over them, as DRBD does.
struct Sections {
  Settings options, net, disk, startup, proxy, handlers;
  std::vector<std::vector<std::string>> proxy_plugins;
};

struct Address {
  std::string family = "ipv4";  ///< "ipv4", "ipv6", "ssocks", "sdp"
  std::string host;             ///< without brackets
  std::uint16_t port = 0;
  friend bool operator==(const Address&, const Address&) = default;
};

struct VolumeText {
  std::uint32_t number = 0;
  bool implicit = false;  ///< written without `volume 0 { }`
  std::string device;     ///< "/dev/drbd0"; empty: only a minor is given
  std::optional<std::uint32_t> minor;
  std::string disk;       ///< path or "none"; empty: not given here
  std::string meta_disk;  ///< "internal" or path; empty: not given here
  std::optional<std::uint32_t> meta_index;
  Settings options;  ///< disk { } of this volume
  Position at;
};

struct ProxyHost {
  std::string name;
  std::optional<Address> inside, outside;
};

/// One side of a resource: `on NAMES`, `floating ADDRESS` or `stacked-on-top-of RESOURCE`.
struct Host {
  std::vector<std::string> names;
  bool floating = false;
  std::string stacked_on;
  std::optional<Address> address;
  std::vector<VolumeText> volumes;  ///< with what the resource says for all hosts; in the order of their numbers
  std::optional<ProxyHost> proxy;
  std::optional<std::uint32_t> node_id;  ///< DRBD 9
  Position at;
};

struct Resource {
  std::string name;
  Position at;
  std::vector<Host> hosts;
  std::vector<VolumeText> volumes;  ///< what holds for all hosts
  Sections sections;
};

struct Global {
  std::string usage_count;  ///< "yes", "no", "ask"; empty: not given
  bool disable_ip_verification = false;
  bool udev_always_use_vnr = false;
  std::optional<std::uint32_t> minor_count, dialog_refresh, cmd_timeout_short, cmd_timeout_medium, cmd_timeout_long;
};

struct Document {
  std::string file;
  std::optional<Global> global;
  std::optional<Sections> common;
  std::vector<Resource> resources;

  [[nodiscard]] const Resource* resource(std::string_view name) const;
};

/// One file and its text.
struct Source {
  std::string name;
  std::string text;
};

/// Answers `include "PATTERN"` found in file `from`: the files in the order of their names; no file for a pattern with
/// wildcards is fine.
using Include = std::function<Result<std::vector<Source>>(const std::string& pattern, const std::string& from)>;

/// Reads a configuration with all that it includes. The error is the first mistake: `where` is "FILE:LINE:COLUMN".
[[nodiscard]] Result<Document> parse(const Source& main, const Include& include);

/// The text of `drbdadm dump` for DRBD 8.4. `host`: this machine, for the comments.
[[nodiscard]] std::string dump(const Document& document, const std::string& host);

/// A value as it must be written: quoted when it is not a plain word.
[[nodiscard]] std::string quoted(std::string_view value);

}  // namespace bascule::drbd_config
