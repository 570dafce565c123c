#include <fmt/format.h>

#include <array>

#include "wire/drbd_config/detail/reader.h"
#include "wire/drbd_config/document.h"

namespace bascule::drbd_config {
namespace {

using namespace detail;

constexpr std::size_t file_bytes_max = 4 << 20;
constexpr std::size_t files_max = 4096;

void read_file(const Source& source, Reading& reading);

struct GlobalNumber {
  const char* name;
  std::optional<std::uint32_t> Global::*field;
  std::uint32_t low, high;
};

constexpr std::array global_numbers{
    GlobalNumber{"minor-count", &Global::minor_count, 1, 255},
    GlobalNumber{"dialog-refresh", &Global::dialog_refresh, 0, 600},
    GlobalNumber{"cmd-timeout-short", &Global::cmd_timeout_short, 0, 900},
    GlobalNumber{"cmd-timeout-medium", &Global::cmd_timeout_medium, 0, 900},
    GlobalNumber{"cmd-timeout-long", &Global::cmd_timeout_long, 0, 900},
};

void read_usage_count(Reader& reader, Global& global) {
  reader.take();
  const Token& word = reader.peek();
  if (!word.is("yes") && !word.is("no") && !word.is("ask")) return reader.fail_expected("yes, no or ask");
  global.usage_count = reader.take().text;
  reader.expect(';');
}

void read_global_statement(Reader& reader, Global& global) {
  const Token word = reader.peek();
  if (word.is("usage-count")) return read_usage_count(reader, global);
  for (const auto& number : global_numbers) {
    if (!word.is(number.name)) continue;
    reader.take();
    global.*number.field = reader.number(number.low, number.high, number.name);
    return reader.expect(';');
  }
  const bool ip = word.is("disable-ip-verification");
  const bool udev = word.is("udev-always-use-vnr");
  if (!ip && !udev)
    return reader.fail_expected(
        "usage-count, minor-count, dialog-refresh, disable-ip-verification, udev-always-use-vnr, "
        "cmd-timeout-short, cmd-timeout-medium or cmd-timeout-long");
  reader.take();
  reader.expect(';');
  (ip ? global.disable_ip_verification : global.udev_always_use_vnr) = true;
}

void read_global(Reader& reader) {
  reader.use_once("the section global", reader.position());
  reader.take();
  Global global;
  reader.block([&] { read_global_statement(reader, global); });
  reader.reading().document.global = global;
}

void read_common(Reader& reader) {
  reader.use_once("the section common", reader.position());
  reader.take();
  Sections common;
  reader.block([&] {
    if (!read_section(reader, "common", common))
      reader.fail_expected("protocol, net, disk, options, startup, handlers, proxy or syncer");
  });
  reader.reading().document.common = std::move(common);
}

void skip_block(Reader& reader) {
  reader.take();
  while (!reader.at_end() && !reader.peek().is('{')) reader.take();
  reader.expect('{');
  for (int depth = 1; depth > 0 && !reader.at_end();) {
    const Token token = reader.take();
    if (token.is('{')) ++depth;
    if (token.is('}')) --depth;
  }
}

void include(Reader& reader) {
  reader.take();
  const Position at = reader.position();
  const std::string pattern = reader.text("the name of a file");
  reader.expect(';');
  Reading& reading = reader.reading();
  if (reading.error) return;
  const auto sources = reading.include(pattern, reader.file());
  if (!sources) return reader.fail_at(at, fmt::format("{} cannot be included: {}", pattern, sources.error().text()));
  for (const auto& source : *sources)
    if (reading.files.insert(source.name).second) read_file(source, reading);
}

void require_version(Reader& reader) {
  reader.take();
  reader.text("a version");
  reader.expect(';');
}

void read_top(Reader& reader) {
  const Token& word = reader.peek();
  if (word.is("global")) return read_global(reader);
  if (word.is("common")) return read_common(reader);
  if (word.is("resource")) return read_resource(reader);
  if (word.is("skip")) return skip_block(reader);
  if (word.is("include")) return include(reader);
  if (word.kind == TokenKind::word && word.text.rfind("require-drbd-module-version-", 0) == 0)
    return require_version(reader);
  reader.fail_expected("global, common, resource, skip or include");
}

void read_file(const Source& source, Reading& reading) {
  Reader reader(source.name, source.text, reading);
  if (source.text.size() > file_bytes_max) return reader.fail_at({source.name, 1, 1}, "the file is larger than 4 MiB");
  if (reading.files.size() > files_max) return reader.fail_at({source.name, 1, 1}, "too many files are included");
  while (!reader.at_end() && !reading.error) read_top(reader);
}

}  // namespace

const Resource* Document::resource(std::string_view name) const {
  for (const auto& one : resources)
    if (one.name == name) return &one;
  return nullptr;
}

Result<Document> parse(const Source& main, const Include& include) {
  Reading reading(include);
  reading.document.file = main.name;
  reading.files.insert(main.name);
  read_file(main, reading);
  if (reading.error) return tl::unexpected<Error>(*reading.error);
  return std::move(reading.document);
}

}  // namespace bascule::drbd_config
