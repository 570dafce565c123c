#pragma once

#include <string>
#include <vector>

namespace bascule::cli {

/// bascule(1) as mdoc source, made from the table of operations.
[[nodiscard]] std::string manual();
/// "0  done ..." one line per exit code.
[[nodiscard]] std::string exit_codes_text();
/// A script for bash or zsh; empty for any other shell.
[[nodiscard]] std::string completion(const std::string& shell);

/// A command that is not an operation of the API.
struct LocalCommand {
  std::string command;
  std::string usage;
  std::string help;
  std::string example;
};
[[nodiscard]] const std::vector<LocalCommand>& local_commands();

}  // namespace bascule::cli
