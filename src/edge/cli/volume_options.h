#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "edge/cli/drbd_commands.h"
#include "edge/cli/volume_actions.h"

namespace bascule::cli {

/// The command line of `bascule volume ...` and `bascule drbdsetup ...`: what is parsed stands in the request, which
/// must outlive `app`.
void add_volume_options(CLI::App& app, const VolumeAction& action, VolumeRequest& request);
void add_drbd_options(CLI::App& app, const std::string& verb, DrbdRequest& request);

}  // namespace bascule::cli
