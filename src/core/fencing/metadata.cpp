#include "core/fencing/metadata.h"

namespace bascule::fencing {
namespace {

/// The value of an attribute inside one tag; empty when it is not there.
std::string attribute(std::string_view tag, std::string_view name) {
  for (std::size_t at = tag.find(name); at != std::string_view::npos; at = tag.find(name, at + 1)) {
    const bool whole = at > 0 && (tag[at - 1] == ' ' || tag[at - 1] == '\n' || tag[at - 1] == '\t');
    const std::size_t quote = at + name.size() + 1;
    if (!whole || quote >= tag.size() || tag[quote - 1] != '=' || (tag[quote] != '"' && tag[quote] != '\'')) continue;
    const std::size_t end = tag.find(tag[quote], quote + 1);
    if (end == std::string_view::npos) return {};
    return std::string(tag.substr(quote + 1, end - quote - 1));
  }
  return {};
}

}  // namespace

Result<Abilities> parse_metadata(std::string_view xml) {
  constexpr std::string_view begin = "<action ";
  Abilities abilities;
  for (std::size_t at = xml.find(begin); at != std::string_view::npos; at = xml.find(begin, at + 1)) {
    const std::size_t end = xml.find('>', at);
    if (end == std::string_view::npos) break;
    const auto tag = xml.substr(at, end - at);
    const auto name = attribute(tag, "name");
    if (name.empty()) continue;
    abilities.actions.insert(name);
    if (name != "on" || attribute(tag, "automatic") != "1") continue;
    abilities.unfences = true;
    abilities.on_target = attribute(tag, "on_target") == "1";
  }
  if (abilities.actions.empty()) return fail("the agent's metadata cannot be used", "", "it names no action");
  return abilities;
}

}  // namespace bascule::fencing
