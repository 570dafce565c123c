#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wire/drbd_config/option_table.h"

namespace bascule::drbd_config::detail {

enum class Kind : std::uint8_t { number, yes_or_no, word, text };

/// One row of the option table.
struct Option {
  Section section;
  std::string_view name;
  std::string_view old_name;  ///< what DRBD 8.3 called it; empty: the same
  Kind kind;
  std::int64_t low;         ///< number: smallest value; word: value of the first word
  std::int64_t high;        ///< number: largest value; text: characters
  std::int64_t unit_bytes;  ///< what a suffix is divided by
  const char* unit_words;   ///< for messages: "KiB per second"; may be ""
  std::vector<const char*> words;
  void (*put_number)(Options&, std::int64_t);
  std::int64_t (*number)(const Options&);
  void (*put_text)(Options&, std::string);
  std::string (*text)(const Options&);
};

/// All options but the handlers, in the order of DRBD's manual.
[[nodiscard]] const std::vector<Option>& all_options();
[[nodiscard]] const std::vector<std::string>& handler_names();

}  // namespace bascule::drbd_config::detail
