#include "edge/cli/decision_input.h"

#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "core/decisions/inject.h"
#include "core/sources/services.h"
#include "runtime/files/read_file.h"

namespace bascule::cli {
namespace {

constexpr std::string_view mark = "\"format\":\"bascule-decision\"";

/// The whole lines: what follows the last line end was torn off by a crash.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1))
    if (end != 0) lines.push_back(text.substr(0, end));
  return lines;
}

Result<std::string> read_file(const CibInput& input) {
  return files::read_file(input.snapshot, "the decisions cannot be read");
}

Result<decisions::Record> read_line(std::string_view line, const std::string& file, std::size_t number) {
  auto record = decisions::read(line);
  if (record) return record;
  Error error = record.error();
  error.where = file + ", line " + std::to_string(number);
  return tl::unexpected(std::move(error));
}

Result<void> suppose(explain::Replayed& replayed, const std::string& words) {
  const auto injections = explain::parse_injections(words, sources::compile(replayed.record.config));
  if (!injections) return tl::unexpected(injections.error());
  for (const auto& one : *injections) {
    if (auto applied = decisions::apply(replayed.record, one); !applied) return applied;
    replayed.supposed.push_back(explain::text_of(one));
  }
  return {};
}

}  // namespace

bool holds_decisions(const CibInput& input) {
  std::ifstream file(input.snapshot);
  std::string line;
  return !input.snapshot.empty() && std::getline(file, line) && line.find(mark) != std::string::npos;
}

Result<PickedDecision> pick_decision(const CibInput& input) {
  const auto text = read_file(input);
  if (!text) return tl::unexpected(text.error());
  const auto lines = lines_of(*text);
  const std::size_t number = input.decision == 0 ? lines.size() : input.decision;
  if (number == 0 || number > lines.size())
    return fail(
        "there is no such decision", input.snapshot,
        "it holds " + std::to_string(lines.size()) + ", and number " + std::to_string(number) + " is asked for");
  auto record = read_line(lines[number - 1], input.snapshot, number);
  if (!record) return tl::unexpected(record.error());
  return PickedDecision{std::move(*record), number, lines.size()};
}

Result<explain::Replayed> replay_decision(const CibInput& input) {
  auto picked = pick_decision(input);
  if (!picked) return tl::unexpected(picked.error());
  explain::Replayed replayed{std::move(picked->record), {}, picked->number, picked->of, {}};
  if (const auto supposed = suppose(replayed, input.inject); !supposed) return tl::unexpected(supposed.error());
  replayed.again = decisions::replay(replayed.record);
  return replayed;
}

Result<ReplayedAll> replay_all(const CibInput& input) {
  const auto text = read_file(input);
  if (!text) return tl::unexpected(text.error());
  ReplayedAll made;
  for (const auto line : lines_of(*text)) {
    const auto record = read_line(line, input.snapshot, ++made.of);
    if (!record) return tl::unexpected(record.error());
    if (!decisions::replay(*record).same) made.others.push_back(made.of);
  }
  return made;
}

}  // namespace bascule::cli
