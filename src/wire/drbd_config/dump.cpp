#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "wire/drbd_config/detail/lexer.h"
#include "wire/drbd_config/document.h"

namespace bascule::drbd_config {
namespace {

/// Text whose lines are indented by four blanks for each open block.
class Lines {
 public:
  void add(const std::string& line) { text_ += std::string(depth_ * 4, ' ') + line + "\n"; }
  void open(const std::string& title) {
    add(title + " {");
    ++depth_;
  }
  void close() {
    --depth_;
    add("}");
  }
  void comment(const std::string& line) { text_ += line + "\n"; }
  void blank() { text_ += "\n"; }
  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  std::string text_;
  std::size_t depth_ = 0;
};

std::string line_of(const Setting& setting) {
  if (setting.values.empty()) return setting.name + ";";
  std::vector<std::string> values;
  for (const auto& value : setting.values) values.push_back(quoted(value));
  return fmt::format("{:<16} {:>3};", setting.name, fmt::join(values, " "));
}

void dump_settings(Lines& lines, const char* title, const Settings& settings) {
  if (settings.empty()) return;
  lines.open(title);
  for (const auto& setting : settings) lines.add(line_of(setting));
  lines.close();
}

void dump_proxy(Lines& lines, const Sections& sections) {
  if (sections.proxy.empty() && sections.proxy_plugins.empty()) return;
  lines.open("proxy");
  for (const auto& setting : sections.proxy) lines.add(line_of(setting));
  if (!sections.proxy_plugins.empty()) {
    lines.open("plugin");
    for (const auto& words : sections.proxy_plugins) lines.add(fmt::format("{};", fmt::join(words, " ")));
    lines.close();
  }
  lines.close();
}

/// drbdadm keeps these two apart and tells them last.
void dump_startup(Lines& lines, const Settings& settings) {
  const auto rank = [](const Setting& one) {
    return one.name == "become-primary-on" ? 2 : one.name == "stacked-timeouts" ? 1 : 0;
  };
  Settings sorted = settings;
  std::stable_sort(sorted.begin(), sorted.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  dump_settings(lines, "startup", sorted);
}

void dump_sections(Lines& lines, const Sections& sections) {
  dump_settings(lines, "options", sections.options);
  dump_settings(lines, "net", sections.net);
  dump_settings(lines, "disk", sections.disk);
  dump_startup(lines, sections.startup);
  dump_proxy(lines, sections);
  dump_settings(lines, "handlers", sections.handlers);
}

std::string address_text(const Address& address) {
  const bool six = address.family == "ipv6";
  return fmt::format("{} {}{}{}:{}", address.family, six ? "[" : "", address.host, six ? "]" : "", address.port);
}

std::string device_text(const VolumeText& volume) {
  if (volume.device.empty()) return fmt::format("minor {}", *volume.minor);
  return fmt::format("{} minor {}", quoted(volume.device), *volume.minor);
}

void dump_volume(Lines& lines, const VolumeText& volume) {
  const int width = volume.implicit ? 16 : 12;
  const auto add = [&](const char* name, const std::string& value, int name_width) {
    lines.add(fmt::format("{:<{}} {};", name, name_width, value));
  };
  if (!volume.implicit) lines.open(fmt::format("volume {}", volume.number));
  if (volume.minor) add("device", device_text(volume), width);
  if (!volume.disk.empty()) add("disk", quoted(volume.disk), width);
  // drbdadm does not shorten the gap before a device, only the one before "internal".
  const int meta_width = volume.meta_disk == "internal" ? width : 16;
  if (volume.meta_index)
    add("meta-disk", fmt::format("{} [{}]", quoted(volume.meta_disk), *volume.meta_index), meta_width);
  else if (!volume.meta_disk.empty())
    add("meta-disk", quoted(volume.meta_disk), meta_width);
  if (!volume.implicit) lines.close();
}

void dump_host_proxy(Lines& lines, const ProxyHost& proxy) {
  lines.open("proxy on " + proxy.name);
  if (proxy.inside) lines.add(fmt::format("{:<16} {};", "inside", address_text(*proxy.inside)));
  if (proxy.outside) lines.add(fmt::format("{:<16} {};", "outside", address_text(*proxy.outside)));
  lines.close();
}

std::string title_of(const Host& host) {
  if (host.floating) return "floating " + address_text(*host.address);
  if (!host.stacked_on.empty()) return "stacked-on-top-of " + quoted(host.stacked_on);
  return fmt::format("on {}", fmt::join(host.names, " "));
}

void dump_host(Lines& lines, const Document& document, const Host& host) {
  lines.open(title_of(host));
  if (const Resource* lower = document.resource(host.stacked_on)) {
    std::string names = "# on ";
    for (const auto& below : lower->hosts)
      for (const auto& name : below.names) names += name + " ";
    lines.add(names);
  }
  for (const auto& volume : host.volumes) dump_volume(lines, volume);
  if (host.address && !host.floating) lines.add(fmt::format("{:<16} {};", "address", address_text(*host.address)));
  if (host.proxy) dump_host_proxy(lines, *host.proxy);
  lines.close();
}

bool runs_here(const Resource& resource, const std::string& machine) {
  return std::any_of(resource.hosts.begin(), resource.hosts.end(), [&](const Host& host) {
    return host.floating || std::find(host.names.begin(), host.names.end(), machine) != host.names.end();
  });
}

void dump_resource(Lines& lines, const Document& document, const Resource& resource, const std::string& machine) {
  const std::string name = quoted(resource.name);
  lines.comment(fmt::format("# resource {} on {}: {}, not stacked", name, machine,
                            runs_here(resource, machine) ? "not ignored" : "ignored"));
  lines.comment(fmt::format("# defined at {}:{}", resource.at.file, resource.at.line));
  lines.open("resource " + name);
  for (const auto& host : resource.hosts) dump_host(lines, document, host);
  dump_sections(lines, resource.sections);
  lines.close();
  lines.blank();
}

/// drbdadm tells a timeout when it is not `usual`, but takes `silent` when none is given.
struct CommandTimeout {
  const char* name;
  std::optional<std::uint32_t> Global::*field;
  std::uint32_t silent_s, usual_s;
};

constexpr CommandTimeout command_timeouts[] = {
    {"cmd-timeout-short", &Global::cmd_timeout_short, 5, 5},
    {"cmd-timeout-medium", &Global::cmd_timeout_medium, 600, 121},
    {"cmd-timeout-long", &Global::cmd_timeout_long, 0, 600},
};

bool tells_usage(const Global& global) { return global.usage_count == "yes" || global.usage_count == "no"; }

/// Timeouts alone are not worth a section to drbdadm.
bool is_worth_telling(const Global& global) {
  return global.disable_ip_verification || global.minor_count || global.dialog_refresh || tells_usage(global);
}

void dump_global(Lines& lines, const Global& global) {
  lines.open("global");
  if (global.disable_ip_verification) lines.add("disable-ip-verification;");
  if (global.minor_count) lines.add(fmt::format("minor-count {};", *global.minor_count));
  if (global.dialog_refresh) lines.add(fmt::format("dialog-refresh {};", *global.dialog_refresh));
  if (tells_usage(global)) lines.add(fmt::format("usage-count {};", global.usage_count));
  for (const auto& timeout : command_timeouts) {
    const std::uint32_t seconds = (global.*timeout.field).value_or(timeout.silent_s);
    if (seconds != timeout.usual_s) lines.add(fmt::format("{} {};", timeout.name, seconds));
  }
  lines.close();
  lines.blank();
}

}  // namespace

std::string quoted(std::string_view value) {
  if (!value.empty() && std::all_of(value.begin(), value.end(), detail::is_word_character)) return std::string(value);
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

std::string dump(const Document& document, const std::string& host) {
  Lines lines;
  lines.comment("# " + document.file);
  if (document.global && is_worth_telling(*document.global)) dump_global(lines, *document.global);
  if (document.common) {
    lines.open("common");
    dump_sections(lines, *document.common);
    lines.close();
    lines.blank();
  }
  for (const auto& resource : document.resources) dump_resource(lines, document, resource, host);
  return std::move(lines).text();
}

}  // namespace bascule::drbd_config
