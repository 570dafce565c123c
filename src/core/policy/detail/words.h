#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "core/policy/board.h"
#include "core/policy/detail/steps.h"

/// Reading of name-value pairs.
namespace bascule::policy::detail {

[[nodiscard]] inline const std::string* find(const Meta& meta, std::string_view name) {
  const auto found = meta.find(name);
  return found == meta.end() ? nullptr : &found->second;
}

[[nodiscard]] inline bool flag(const Meta& meta, std::string_view name, bool otherwise) {
  const std::string* text = find(meta, name);
  return text == nullptr ? otherwise : truth(*text);
}

/// As far as it begins with digits; `otherwise` if it does not.
[[nodiscard]] inline int number(const Meta& meta, std::string_view name, int otherwise) {
  const std::string* text = find(meta, name);
  int value = otherwise;
  if (text != nullptr) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace bascule::policy::detail
