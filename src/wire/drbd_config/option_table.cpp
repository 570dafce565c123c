#include "wire/drbd_config/option_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "wire/drbd_config/detail/option.h"
#include "wire/drbd_config/detail/quantity.h"

namespace bascule::drbd_config {
namespace {

using detail::Kind;
using detail::Option;

const Option* find(Section section, std::string_view name) {
  for (const auto& option : detail::all_options())
    if (option.section == section && (option.name == name || option.old_name == name)) return &option;
  return nullptr;
}

tl::unexpected<Error> refuse(Section section, std::string_view name, std::string why, std::string hint = {}) {
  return fail("the option cannot be used", fmt::format("{}.{}", name_of(section), name), std::move(why),
              std::move(hint));
}

Result<void> set_number(Options& options, const Option& option, std::string_view value) {
  const auto range =
      fmt::format("{} to {}{}{}", option.low, option.high, option.unit_words[0] == '\0' ? "" : " ", option.unit_words);
  const auto number = detail::parse_quantity(value, option.unit_bytes);
  if (!number)
    return refuse(option.section, option.name, fmt::format("'{}' is not a number", value),
                  fmt::format("a whole number, perhaps with K, M, G or s: {}", range));
  if (*number < option.low || *number > option.high)
    return refuse(option.section, option.name, fmt::format("{} is out of range", value),
                  fmt::format("allowed: {}", range));
  option.put_number(options, *number);
  return {};
}

Result<void> set_word(Options& options, const Option& option, std::string_view value) {
  const auto& words = option.words;
  const auto found = std::find(words.begin(), words.end(), value);
  if (found == words.end())
    return refuse(option.section, option.name, fmt::format("'{}' is not a value of {}", value, option.name),
                  fmt::format("allowed: {}", fmt::join(words, ", ")));
  option.put_number(options, option.low + (found - words.begin()));
  return {};
}

Result<void> set_text(Options& options, const Option& option, std::string_view value) {
  if (value.size() > static_cast<std::size_t>(option.high))
    return refuse(option.section, option.name, fmt::format("{} characters are too many", value.size()),
                  fmt::format("allowed: at most {}", option.high));
  if (value.find('\0') != std::string_view::npos)
    return refuse(option.section, option.name, "a NUL character in a text");
  option.put_text(options, std::string(value));
  return {};
}

Result<void> set_handler(Options& options, std::string_view name, std::string_view value) {
  const auto& names = detail::handler_names();
  const std::string_view current = name == "outdate-peer" ? "fence-peer" : name;
  if (std::find(names.begin(), names.end(), current) == names.end())
    return refuse(Section::handlers, name, "there is no such handler",
                  fmt::format("known: {}", fmt::join(names, ", ")));
  if (value.empty()) return refuse(Section::handlers, name, "an empty command");
  if (value.find('\0') != std::string_view::npos)
    return refuse(Section::handlers, name, "a NUL character in a command");
  options.handlers[std::string(current)] = std::string(value);
  return {};
}

}  // namespace

const char* name_of(Section section) {
  switch (section) {
    case Section::net:
      return "net";
    case Section::disk:
      return "disk";
    case Section::options:
      return "options";
    case Section::handlers:
      return "handlers";
  }
  return "";
}

Result<void> set(Options& options, Section section, std::string_view name, std::string_view value) {
  if (section == Section::handlers) return set_handler(options, name, value);
  const Option* option = find(section, name);
  if (option == nullptr)
    return refuse(section, name, "there is no such option",
                  fmt::format("known in {}: {}", name_of(section), fmt::join(names_in(section), ", ")));
  switch (option->kind) {
    case Kind::number:
      return set_number(options, *option, value);
    case Kind::yes_or_no:
    case Kind::word:
      return set_word(options, *option, value);
    case Kind::text:
      return set_text(options, *option, value);
  }
  return {};
}

std::string text_of(const Options& options, Section section, std::string_view name) {
  if (section == Section::handlers) {
    const auto found = options.handlers.find(std::string(name));
    return found == options.handlers.end() ? std::string{} : found->second;
  }
  const Option* option = find(section, name);
  if (option == nullptr) return {};
  if (option->kind == Kind::text) return option->text(options);
  const std::int64_t number = option->number(options);
  if (option->kind == Kind::number) return fmt::format("{}{}", number, detail::suffix_of(option->unit_bytes));
  return option->words[static_cast<std::size_t>(number - option->low)];
}

std::vector<std::string> names_in(Section section) {
  if (section == Section::handlers) return detail::handler_names();
  std::vector<std::string> names;
  for (const auto& option : detail::all_options())
    if (option.section == section) names.emplace_back(option.name);
  return names;
}

bool is_yes_or_no(Section section, std::string_view name) {
  const Option* option = find(section, name);
  return option != nullptr && option->kind == Kind::yes_or_no;
}

bool is_number(Section section, std::string_view name) {
  const Option* option = find(section, name);
  return option != nullptr && option->kind == Kind::number;
}

}  // namespace bascule::drbd_config
