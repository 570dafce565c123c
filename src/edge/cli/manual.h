#pragma once

#include <string>

namespace bascule::cli {

/// bascule(1) as mdoc source, made from the table of operations.
[[nodiscard]] std::string manual();
/// "0  done ..." one line per exit code.
[[nodiscard]] std::string exit_codes_text();
/// A script for bash or zsh; empty for any other shell.
[[nodiscard]] std::string completion(const std::string& shell);

/// A command that is not an operation of the API.
struct LocalCommand {
  const char* command;
  const char* usage;
  const char* help;
  const char* example;
};
[[nodiscard]] const LocalCommand* local_commands(std::size_t& count);

}  // namespace bascule::cli
