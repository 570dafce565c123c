#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "wire/drbd_config/detail/quantity.h"
#include "wire/drbd_config/detail/reader.h"

namespace bascule::drbd_config::detail {
namespace {

/// Options that only DRBD 9 knows. They are read, so that the rest of a file can be; what becomes of them is said when
/// the file is mapped to our options.
struct NewerOption {
  Section section;
  std::string_view name;
  bool yes_or_no = false;
};

constexpr std::array newer_options{
    NewerOption{Section::options, "auto-promote", true},
    NewerOption{Section::options, "auto-promote-timeout"},
    NewerOption{Section::options, "max-io-depth"},
    NewerOption{Section::options, "on-no-quorum"},
    NewerOption{Section::options, "on-suspended-primary-outdated"},
    NewerOption{Section::options, "peer-ack-delay"},
    NewerOption{Section::options, "peer-ack-window"},
    NewerOption{Section::options, "quorum"},
    NewerOption{Section::options, "quorum-minimum-redundancy"},
    NewerOption{Section::options, "twopc-retry-timeout"},
    NewerOption{Section::options, "twopc-timeout"},
    NewerOption{Section::disk, "bitmap", true},
    NewerOption{Section::disk, "diskless", true},
    NewerOption{Section::net, "allow-remote-read", true},
    NewerOption{Section::net, "fencing"},
    NewerOption{Section::net, "transport"},
    NewerOption{Section::net, "load-balance-paths", true},
    NewerOption{Section::net, "tls", true},
    NewerOption{Section::net, "tls-keyring"},
    NewerOption{Section::net, "tls-privkey"},
    NewerOption{Section::net, "tls-certificate"},
};

const NewerOption* newer(Section section, std::string_view name) {
  const auto found = std::find_if(newer_options.begin(), newer_options.end(),
                                  [&](const NewerOption& one) { return one.section == section && one.name == name; });
  return found == newer_options.end() ? nullptr : &*found;
}

bool is_known(Section section, const std::string& name) {
  const auto names = names_in(section);
  return std::find(names.begin(), names.end(), name) != names.end() || newer(section, name) != nullptr;
}

bool takes_yes_or_no(Section section, std::string_view name) {
  const NewerOption* option = newer(section, name);
  return is_yes_or_no(section, name) || (option != nullptr && option->yes_or_no);
}

/// yes, no, or nothing, which is yes.
std::string read_yes_or_no(Reader& reader) {
  if (reader.peek().is(';')) return "yes";
  if (reader.peek().is("yes") || reader.peek().is("no")) return reader.take().text;
  reader.fail_expected("yes, no or ;");
  return "yes";
}

/// What the option table knows about a value is checked where it stands. A resource in resync-after becomes a minor
/// later.
void check_value(Reader& reader, Section section, const Setting& setting, const Position& at) {
  const auto names = names_in(section);
  const bool ours = std::find(names.begin(), names.end(), setting.name) != names.end();
  if (!ours || setting.name == "resync-after" || (section == Section::handlers && setting.values.front().empty()))
    return;
  Options scratch;
  if (const auto result = set(scratch, section, setting.name, setting.values.front()); !result)
    reader.fail_at(at, result.error().why, result.error().hint);
}

/// The value and the semicolon of an option whose name is taken.
void read_value(Reader& reader, Section section, Setting setting, Settings& into) {
  const Position at = reader.position();
  if (takes_yes_or_no(section, setting.name))
    setting.values = {read_yes_or_no(reader)};
  else
    setting.values = {reader.text("a value of " + setting.name)};
  check_value(reader, section, setting, at);
  reader.expect(';');
  into.push_back(std::move(setting));
}

std::string current_name(const std::string& name) { return name == "outdate-peer" ? "fence-peer" : name; }

void read_option(Reader& reader, Section section, Settings& into) {
  Setting setting{{}, {}, reader.position()};
  const bool is_word = reader.peek().kind == TokenKind::word;
  setting.name = current_name(reader.peek().text);
  if (is_word && is_known(section, setting.name)) {
    reader.take();
    return read_value(reader, section, std::move(setting), into);
  }
  const std::string positive = setting.name.rfind("no-", 0) == 0 ? setting.name.substr(3) : std::string{};
  if (!is_word || !takes_yes_or_no(section, positive))
    return reader.fail_expected(
        fmt::format("an option of {}: {}", name_of(section), fmt::join(names_in(section), ", ")));
  reader.take();
  reader.expect(';');
  into.push_back({positive, {"no"}, setting.at});
}

/// A plain option with one number, as in startup and proxy.
void read_number_option(Reader& reader, std::int64_t high, Settings& into) {
  Setting setting{reader.peek().text, {}, reader.position()};
  reader.take();
  const Position at = reader.position();
  setting.values = {reader.text("a number")};
  const auto number = parse_quantity(setting.values.front(), 1);
  if (!number || *number < 0 || *number > high)
    reader.fail_at(at, fmt::format("'{}' is not a number in the range of {}", setting.values.front(), setting.name),
                   fmt::format("allowed: 0 to {}", high));
  reader.expect(';');
  into.push_back(std::move(setting));
}

void read_startup_option(Reader& reader, Settings& into) {
  constexpr std::int64_t longest_wait_s = 300000;
  const Token& word = reader.peek();
  if (word.is("wfc-timeout") || word.is("degr-wfc-timeout") || word.is("outdated-wfc-timeout"))
    return read_number_option(reader, longest_wait_s, into);
  Setting setting{word.text, {}, reader.position()};
  if (word.is("wait-after-sb")) {
    reader.take();
    setting.values = {read_yes_or_no(reader)};
  } else if (word.is("stacked-timeouts")) {
    reader.take();
  } else if (word.is("become-primary-on")) {
    reader.take();
    do setting.values.push_back(reader.text("the name of a host"));
    while (reader.peek().is_text());
  } else {
    return reader.fail_expected(
        "an option of startup: wfc-timeout, degr-wfc-timeout, outdated-wfc-timeout, wait-after-sb, become-primary-on, "
        "stacked-timeouts");
  }
  reader.expect(';');
  into.push_back(std::move(setting));
}

void read_plugin(Reader& reader, Sections& into) {
  reader.take();
  reader.block([&] {
    std::vector<std::string> words{reader.text("the name of a plugin")};
    while (reader.peek().is_text()) words.push_back(reader.take().text);
    reader.expect(';');
    into.proxy_plugins.push_back(std::move(words));
  });
}

void read_proxy_option(Reader& reader, Sections& into) {
  static constexpr std::array numbers{"memlimit",    "read-loops",  "compression", "bwlimit",
                                      "sndbuf-size", "rcvbuf-size", "ping-timeout"};
  const Token& word = reader.peek();
  if (word.is("plugin")) return read_plugin(reader, into);
  if (std::any_of(numbers.begin(), numbers.end(), [&](const char* name) { return word.is(name); }))
    return read_number_option(reader, INT64_MAX, into.proxy);
  reader.fail_expected(
      "an option of proxy: plugin, memlimit, read-loops, compression, bwlimit, sndbuf-size, "
      "rcvbuf-size, ping-timeout");
}

/// Where DRBD 8.4 keeps what 8.3 had in syncer.
std::optional<std::pair<Section, std::string>> home_of_syncer_option(const std::string& name) {
  const std::string current = name == "rate" ? "resync-rate" : name == "after" ? "resync-after" : name;
  for (const char* one : {"verify-alg", "csums-alg", "use-rle", "data-integrity-alg"})
    if (current == one) return {{Section::net, current}};
  for (const char* one : {"cpu-mask", "on-no-data-accessible"})
    if (current == one) return {{Section::options, current}};
  for (const char* one : {"resync-rate", "resync-after", "al-extents", "c-plan-ahead", "c-delay-target",
                          "c-fill-target", "c-max-rate", "c-min-rate"})
    if (current == one) return {{Section::disk, current}};
  return std::nullopt;
}

Settings& settings_of(Sections& sections, Section section) {
  switch (section) {
    case Section::net:
      return sections.net;
    case Section::disk:
      return sections.disk;
    case Section::options:
      return sections.options;
    case Section::handlers:
      break;
  }
  return sections.handlers;
}

void read_protocol(Reader& reader, Sections& into) {
  Setting setting{"protocol", {}, reader.position()};
  reader.take();
  read_value(reader, Section::net, std::move(setting), into.net);
}

std::optional<Section> section_named(const Token& word) {
  for (const Section section : {Section::net, Section::disk, Section::options, Section::handlers})
    if (word.is(name_of(section))) return section;
  return std::nullopt;
}

}  // namespace

void read_options(Reader& reader, Section section, Settings& into) {
  reader.block([&] { read_option(reader, section, into); });
}

void read_startup(Reader& reader, Settings& into) {
  reader.block([&] { read_startup_option(reader, into); });
}

void read_proxy(Reader& reader, Sections& into) {
  reader.block([&] { read_proxy_option(reader, into); });
}

void read_syncer(Reader& reader, Sections& into) {
  reader.block([&] {
    const auto home = home_of_syncer_option(reader.peek().text);
    if (reader.peek().kind != TokenKind::word || !home) return reader.fail_expected("an option of syncer");
    Setting setting{home->second, {}, reader.position()};
    reader.take();
    read_value(reader, home->first, std::move(setting), settings_of(into, home->first));
  });
}

bool read_section(Reader& reader, const std::string& owner, Sections& into) {
  const Token word = reader.peek();
  const Position at = reader.position();
  const auto section = section_named(word);
  if (word.is("protocol")) {
    read_protocol(reader, into);
    return true;
  }
  if (!section && !word.is("startup") && !word.is("syncer") && !word.is("proxy")) return false;
  reader.take();
  reader.use_once(fmt::format("the section {} of {}", word.text, owner), at);
  if (section)
    read_options(reader, *section, settings_of(into, *section));
  else if (word.is("startup"))
    read_startup(reader, into.startup);
  else if (word.is("syncer"))
    read_syncer(reader, into);
  else
    read_proxy(reader, into);
  return true;
}

}  // namespace bascule::drbd_config::detail
