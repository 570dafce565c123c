#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace bascule::agent_tools {

/// One option of a tool, as getopt_long knows it.
struct Option {
  enum class Takes { nothing, value, optional_value };
  std::string name;  ///< what it is called here
  std::string letters;
  std::vector<std::string> words;  ///< "update", without the dashes
  Takes takes = Takes::nothing;
};

/// What stood on the command line: option -> its value. Unknown options are in `problem`.
struct Arguments {
  std::map<std::string, std::string> given;
  std::string problem;
  [[nodiscard]] bool has(const std::string& name) const { return given.contains(name); }
  [[nodiscard]] std::string value(const std::string& name, const std::string& otherwise = "") const;
};

/// "-n NAME", "-nNAME", "-qG", "--name NAME", "--name=NAME". An optional value is the next word unless it is an option.
[[nodiscard]] Arguments parse(const std::vector<std::string>& words, const std::vector<Option>& options);

}  // namespace bascule::agent_tools
