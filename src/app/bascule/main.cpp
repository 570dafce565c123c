#include <sys/utsname.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <iostream>

#include "edge/cli/command_line.h"
#include "runtime/block_host/create_volume.h"

namespace {

using namespace bascule;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The first of LC_ALL, LC_CTYPE and LANG that is set decides, as for every program.
bool utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const auto value = environment(name); !value.empty())
      return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos;
  return false;
}

/// Behind `sudo` it is the one who called it.
std::string person() {
  for (const char* variable : {"SUDO_USER", "LOGNAME", "USER"})
    if (const char* name = std::getenv(variable); name != nullptr && *name != '\0') return name;
  return "uid " + std::to_string(getuid());
}

Result<cli::json> create_volume(const config::ClusterConfig& config, const std::string& node, const std::string& volume,
                                bool force) {
  const auto made = block_host::create_volume(config, node, volume, force);
  if (!made) return tl::unexpected(made.error());
  std::string text = "Volume " + volume + " is on " + made->path + ": " +
                     cli::size_text(static_cast<std::int64_t>(made->usable_bytes)) + " usable";
  if (made->file_made) text += ", the file was made";
  if (made->metadata != "internal") text += ", its metadata are on " + made->metadata;
  if (made->metadata_file_made) text += ", that file was made";
  if (!made->overwritten.empty()) text += ", what was there is lost: " + made->overwritten;
  return cli::json{{"ok", true},
                   {"text", text + "."},
                   {"path", made->path},
                   {"metadata", made->metadata},
                   {"backing_bytes", made->backing_bytes},
                   {"usable_bytes", made->usable_bytes},
                   {"file_made", made->file_made},
                   {"metadata_file_made", made->metadata_file_made},
                   {"overwritten", made->overwritten}};
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  utsname names{};
  uname(&names);
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  const cli::Style style{terminal && environment("NO_COLOR").empty() && environment("TERM") != "dumb", !utf8()};
  return cli::run({argv + 1, argv + argc}, {std::cout, std::cerr, style, names.nodename, create_volume, &std::cin,
                                            person(), isatty(STDIN_FILENO) != 0});
}
