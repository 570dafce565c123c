#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace bascule::config::detail {

/// Where in the file something is said: "line 12, node.bob.address".
struct Place {
  std::uint32_t line = 0;
  std::string path;
  [[nodiscard]] std::string text() const;
  [[nodiscard]] Place inside(std::string_view key, const toml::node* node) const;
};

/// The first mistake found in a file. Reading goes on after a mistake with defaults, so that no reader needs to stop.
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}
  void add(const Place& place, std::string why, std::string hint = {});
  [[nodiscard]] const std::optional<Error>& first() const { return first_; }

 private:
  std::string file_;
  std::optional<Error> first_;
};

/// One table of the file with the keys it may have. Each getter reports a value of the wrong type or out of range.
class Section {
 public:
  /// Reports the first key that is not in `known` (none are checked when `known` is empty).
  Section(const toml::table& table, Place place, Findings& findings, std::vector<std::string> known);

  [[nodiscard]] bool has(std::string_view key) const { return table_.get(key) != nullptr; }
  [[nodiscard]] const toml::node* get(std::string_view key) const { return table_.get(key); }
  [[nodiscard]] Place place(std::string_view key) const { return place_.inside(key, table_.get(key)); }
  [[nodiscard]] const Place& place() const { return place_; }
  [[nodiscard]] const toml::table& table() const { return table_; }
  [[nodiscard]] Findings& findings() const { return findings_; }

  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  /// Reports a missing key with `hint`.
  [[nodiscard]] std::string required_text(std::string_view key, const std::string& hint) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, std::int64_t low, std::int64_t high) const;
  [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
  [[nodiscard]] std::optional<std::uint64_t> size(std::string_view key) const;
  [[nodiscard]] std::optional<Duration> duration(std::string_view key) const;

  /// The tables of [KEY.name], in the order of the file. Reports anything that is not a table.
  struct Named {
    std::string name;
    const toml::table* table;
    Place place;
  };
  [[nodiscard]] std::vector<Named> named_tables(std::string_view key) const;

 private:
  void wrong_type(std::string_view key, std::string_view wanted, std::string hint = {}) const;
  const toml::table& table_;
  Place place_;
  Findings& findings_;
};

/// "a string", "an integer" ... as a person calls what stands there.
[[nodiscard]] std::string kind_of(const toml::node& node);
/// "did you mean 'address'?" or "known here: a, b, c".
[[nodiscard]] std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace bascule::config::detail
