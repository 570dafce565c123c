#pragma once

#include <string>

#include "runtime/metadata_tool/arguments.h"
#include "runtime/metadata_tool/report.h"

namespace bascule::metadata_tool {

/// What a command did: its exit code and what it says.
struct Outcome {
  ExitCode code = done;
  std::string out;      ///< for people and scripts, as drbdmeta prints it
  std::string remarks;  ///< for people, on standard error
  json object = json::object();
};

using Command = Answer<Outcome> (*)(const Request&);
/// nullptr: there is no such command.
Command command_of(const std::string& name);

Answer<Outcome> create_md(const Request& request);
Answer<Outcome> restore_md(const Request& request);
Answer<Outcome> convert_md(const Request& request);
Answer<Outcome> wipe_md(const Request& request);
Answer<Outcome> resize_md(const Request& request);

}  // namespace bascule::metadata_tool
