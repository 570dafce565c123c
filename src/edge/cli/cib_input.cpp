#include "edge/cli/cib_input.h"

#include <cerrno>
#include <charconv>
#include <ctime>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>

#include "core/explain/inject.h"
#include "core/explain/words.h"
#include "core/policy/plan.h"
#include "core/sources/defaults.h"
#include "core/sources/observed.h"
#include "core/sources/services.h"
#include "edge/cli/decision_input.h"
#include "edge/cli/json_view.h"
#include "edge/simulate/execute.h"
#include "runtime/files/read_file.h"
#include "runtime/watchdog/config_file.h"
#include "wire/cib/parse.h"
#include "wire/cib/times.h"

namespace bascule::cli {
namespace {

Result<std::string> read_file(const std::string& path) { return files::read_file(path, "the CIB cannot be read"); }

Result<std::int64_t> moment(const std::string& at, const cib::Cib& cib) {
  const std::int64_t clock_s = std::time(nullptr);
  if (!at.empty()) {
    const auto parsed = cib::parse_time(at, {clock_s, 0});
    if (!parsed) return fail("the time is not understood", at, "it is no ISO 8601 time", "2026-11-23 04:00:00Z");
    return *parsed;
  }
  const std::string* date = cib::find(cib.attributes, "execution-date");
  std::int64_t found_s = clock_s;
  if (date != nullptr) std::from_chars(date->data(), date->data() + date->size(), found_s);
  return found_s;
}

/// What was read, before it is understood.
struct Source {
  std::string xml;
  std::optional<std::int64_t> now_s;
};

Result<Source> read_snapshot(const std::string& path) {
  const auto text = read_file(path);
  if (!text) return tl::unexpected(text.error());
  const json read = json::parse(*text, nullptr, false);
  const auto wrong = [&path](const char* why) {
    return fail("the snapshot cannot be used", path, why, "bascule simulate --save-snapshot FILE writes one");
  };
  if (text->empty()) return wrong("it is empty: a manager that never led has taken no decision");
  if (!read.is_object() || cli::text(read, "format") != "bascule-snapshot") return wrong("it is no snapshot");
  if (number(read, "version", 0) != 1) return wrong("its version is not 1");
  const json& xml = member(read, "cib");
  if (!xml.is_string() || !member(read, "now_s").is_number_integer()) return wrong("cib or now_s is missing");
  return Source{xml.get<std::string>(), number(read, "now_s", 0)};
}

std::string version_of(const cib::Cib& cib) {
  return cib::value_of(cib.attributes, "admin_epoch", "0") + "." + cib::value_of(cib.attributes, "epoch", "0") + "." +
         cib::value_of(cib.attributes, "num_updates", "0");
}

Result<void> save_snapshot(const std::string& path, const std::string& xml, const LoadedCib& loaded) {
  if (path.empty()) return {};
  const json made{{"format", "bascule-snapshot"},
                  {"version", 1},
                  {"now_s", loaded.now_s},
                  {"time", explain::time_text(loaded.now_s)},
                  {"cib_version", version_of(loaded.cib)},
                  {"cib", xml}};
  // Other bytes than UTF-8 would not come back as they are.
  const std::string text = made.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
  if (json::parse(text)["cib"] != made["cib"])
    return fail("the snapshot cannot be written", path, "the CIB is not UTF-8", "convert it first");
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!(file << text) || !file.flush())
    return fail_errno("the snapshot cannot be written", path, errno != 0 ? errno : EIO);
  return {};
}

Result<Source> read_source(const CibInput& input) {
  if (!input.snapshot.empty()) return read_snapshot(input.snapshot);
  auto xml = read_file(input.file);
  if (!xml) return tl::unexpected(xml.error());
  return Source{std::move(*xml), std::nullopt};
}

Result<LoadedCib> load_document(const CibInput& input) {
  const auto source = read_source(input);
  if (!source) return tl::unexpected(source.error());
  auto document = cib::parse(source->xml, input.file.empty() ? input.snapshot : input.file);
  if (!document) return tl::unexpected(document.error());
  const bool told = source->now_s && input.at.empty();
  const auto now_s = told ? Result<std::int64_t>(*source->now_s) : moment(input.at, document->cib);
  if (!now_s) return tl::unexpected(now_s.error());
  LoadedCib loaded{std::move(document->cib), *now_s, {}};
  for (const cib::Notice& notice : document->notices) loaded.notices.push_back(notice.text());
  if (const auto saved = save_snapshot(input.save, source->xml, loaded); !saved) return tl::unexpected(saved.error());
  return loaded;
}

Result<LoadedCib> load_config(const CibInput& input) {
  if (!input.save.empty())
    return fail("the snapshot cannot be written", input.save, "a snapshot is of a CIB", "use --cib");
  const auto config = config::load(input.config);
  if (!config) return tl::unexpected(config.error());
  cib::Cib compiled = sources::compile(*config);
  sources::all_up(compiled);
  const auto now_s = moment(input.at, compiled);
  if (!now_s) return tl::unexpected(now_s.error());
  if (input.started) {
    const policy::Plan first = policy::plan({std::make_shared<const cib::Cib>(compiled), *now_s, false});
    compiled = simulate::execute(first, compiled).after;
  }
  return LoadedCib{std::move(compiled), *now_s, {}};
}

/// What a manager's decision was taken on, in the policy's model.
Result<LoadedCib> load_decision(const CibInput& input) {
  if (!input.save.empty())
    return fail("the snapshot cannot be written", input.save, "a snapshot is of a CIB",
                "the decisions are kept as they are");
  const auto picked = pick_decision(input);
  if (!picked) return tl::unexpected(picked.error());
  const decisions::Record& record = picked->record;
  cib::Cib compiled = sources::compile(record.config);
  const auto now_s = record.wall_ms == 0 || !input.at.empty() ? moment(input.at, compiled)
                                                              : static_cast<std::int64_t>(record.wall_ms / 1000);
  if (!now_s) return tl::unexpected(now_s.error());
  sources::Observed observed{record.config, record.state, {}, *now_s};
  const auto snapshot = record.snapshot();
  for (const auto& [name, view] : snapshot.nodes)
    if (!view.lost) observed.online[name] = view.report;
  sources::as_observed(compiled, observed);
  return LoadedCib{std::move(compiled),
                   *now_s,
                   {"decision " + std::to_string(picked->number) + " of " + std::to_string(picked->of) +
                    " is looked at as Pacemaker's policy would see it"}};
}

Result<LoadedCib> load_input(const CibInput& input) {
  if (!input.config.empty()) return load_config(input);
  return holds_decisions(input) ? load_decision(input) : load_document(input);
}

}  // namespace

Result<LoadedCib> load_cib(const CibInput& input) {
  if (input.file.empty() + input.snapshot.empty() + input.config.empty() != 2)
    return fail("it is not clear which cluster is meant", "", "one of --cib, --snapshot and --config is needed",
                "--cib /var/lib/pacemaker/cib/cib.xml");
  auto loaded = load_input(input);
  if (!loaded) return loaded;
  if (input.own_defaults)
    for (std::string& line : sources::apply_defaults(loaded->cib, loaded->now_s))
      loaded->notices.push_back("default of ours: " + std::move(line));
  const auto injections = explain::parse_injections(input.inject, loaded->cib);
  if (!injections) return tl::unexpected(injections.error());
  for (const explain::Injection& each : *injections) explain::apply(loaded->cib, each, loaded->now_s);
  return loaded;
}

}  // namespace bascule::cli
