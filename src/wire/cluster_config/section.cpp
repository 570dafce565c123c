#include "wire/cluster_config/detail/section.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "wire/cluster_config/detail/values.h"

namespace bascule::config::detail {
namespace {

std::uint32_t line_of(const toml::node* node) { return node == nullptr ? 0 : node->source().begin.line; }

}  // namespace

std::string Place::text() const {
  if (line == 0) return path;
  return path.empty() ? fmt::format("line {}", line) : fmt::format("line {}, {}", line, path);
}

Place Place::inside(std::string_view key, const toml::node* node) const {
  const std::uint32_t own_line = line_of(node);
  return {own_line == 0 ? line : own_line, path.empty() ? std::string(key) : fmt::format("{}.{}", path, key)};
}

void Findings::add(const Place& place, std::string why, std::string hint) {
  if (!first_) first_ = Error{file_ + " cannot be used", place.text(), std::move(why), std::move(hint)};
}

std::string kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or time";
  }
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  if (const auto meant = nearest(word, known)) return fmt::format("did you mean '{}'?", *meant);
  return known.empty() ? std::string{} : fmt::format("known here: {}", fmt::join(known, ", "));
}

Section::Section(const toml::table& table, Place place, Findings& findings, std::vector<std::string> known)
    : table_(table), place_(std::move(place)), findings_(findings) {
  if (known.empty()) return;
  for (const auto& [key, node] : table_) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    Place where = place_.inside(key.str(), &node);
    if (key.source().begin.line != 0) where.line = key.source().begin.line;
    findings_.add(where, "this key is not known", suggestion(key.str(), known));
  }
}

void Section::wrong_type(std::string_view key, std::string_view wanted, std::string hint) const {
  findings_.add(place(key), fmt::format("{} stands here, {} is wanted", kind_of(*get(key)), wanted), std::move(hint));
}

std::optional<std::string> Section::text(std::string_view key) const {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_string();
  if (value == nullptr) {
    wrong_type(key, "a string");
    return std::nullopt;
  }
  if (value->get().find('\0') != std::string::npos) findings_.add(place(key), "a NUL character in a string");
  return value->get();
}

std::string Section::required_text(std::string_view key, const std::string& hint) const {
  if (!has(key)) findings_.add(place_, fmt::format("'{}' is missing", key), hint);
  return text(key).value_or(std::string{});
}

std::optional<std::int64_t> Section::integer(std::string_view key, std::int64_t low, std::int64_t high) const {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_integer();
  if (value == nullptr) {
    wrong_type(key, fmt::format("an integer from {} to {}", low, high));
    return std::nullopt;
  }
  if (value->get() < low || value->get() > high) {
    findings_.add(place(key), fmt::format("{} is not between {} and {}", value->get(), low, high));
    return std::nullopt;
  }
  return value->get();
}

std::optional<bool> Section::flag(std::string_view key) const {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  const auto* value = node->as_boolean();
  if (value != nullptr) return value->get();
  wrong_type(key, "true or false");
  return std::nullopt;
}

std::optional<std::uint64_t> Section::size(std::string_view key) const {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* number = node->as_integer(); number != nullptr && number->get() >= 0)
    return static_cast<std::uint64_t>(number->get());
  const auto* words = node->as_string();
  const auto bytes = words == nullptr ? std::nullopt : parse_size(words->get());
  if (!bytes) {
    const std::string hint = "write it like \"512M\", \"20G\" or \"1T\"";
    if (words == nullptr)
      wrong_type(key, "a size", hint);
    else
      findings_.add(place(key), fmt::format("'{}' is not a size", words->get()), hint);
  }
  return bytes;
}

std::optional<Duration> Section::duration(std::string_view key) const {
  const toml::node* node = get(key);
  if (node == nullptr) return std::nullopt;
  const std::string hint = "write it with its unit, like \"500ms\", \"2s\" or \"1m\"";
  const auto* words = node->as_string();
  if (words == nullptr) {
    wrong_type(key, "a duration", hint);
    return std::nullopt;
  }
  const auto duration = parse_duration(words->get());
  if (!duration) findings_.add(place(key), fmt::format("'{}' is not a duration of at most a day", words->get()), hint);
  return duration;
}

std::vector<Section::Named> Section::named_tables(std::string_view key) const {
  std::vector<Named> found;
  const toml::node* node = get(key);
  if (node == nullptr) return found;
  if (!node->is_table()) {
    wrong_type(key, fmt::format("tables called [{}.NAME]", key));
    return found;
  }
  for (const auto& [name, child] : *node->as_table()) {
    const Place where = place(key).inside(name.str(), &child);
    if (!child.is_table())
      findings_.add(where, fmt::format("{} stands here, a table is wanted", kind_of(child)),
                    fmt::format("write [{}.{}]", key, name.str()));
    else
      found.push_back({std::string(name.str()), child.as_table(), where});
  }
  const auto& of = *node->as_table();
  std::stable_sort(found.begin(), found.end(), [&of](const Named& a, const Named& b) {
    const auto begin = [&of](const Named& one) {
      const auto source = of.find(one.name)->first.source().begin;
      return std::pair(source.line, source.column);
    };
    return begin(a) < begin(b);
  });
  return found;
}

}  // namespace bascule::config::detail
