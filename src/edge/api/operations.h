#pragma once

#include <string_view>
#include <vector>

/// The one table of what can be asked of bascule-managerd. The request parser, `bascule --help`, the completions and
/// the manual page are made from it.
namespace bascule::api {

/// How much a request can do: nothing; change what is wanted; interrupt a service.
enum class Level { read, change, disrupt };

struct Parameter {
  enum class Kind { service, node, volume, number, flag, text, lifetime };
  std::string_view name;
  Kind kind;
  bool required;
  std::string_view help;
};

struct Operation {
  std::string_view name;     ///< "op" of the request
  std::string_view command;  ///< words after `bascule`; empty: one of the cli's own commands asks for it
  Level level;
  std::string_view help;     ///< one sentence
  std::string_view example;  ///< words after `bascule`
  std::vector<Parameter> parameters;
};

[[nodiscard]] const std::vector<Operation>& operations();
/// By "op"; null when there is none.
[[nodiscard]] const Operation* find_operation(std::string_view name);
[[nodiscard]] std::string_view text(Level level);

}  // namespace bascule::api
