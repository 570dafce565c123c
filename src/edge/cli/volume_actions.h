#pragma once

#include <string>
#include <vector>

#include "edge/cli/command_line.h"

/// `bascule volume ...` commands that one blockd of this machine carries out, as drbdadm's do.
namespace bascule::cli {

struct VolumeOption {
  enum class Kind { flag, number, size };
  const char* name;  ///< without dashes
  const char* key;   ///< in the request; null: it is for the command itself
  Kind kind;
  const char* help;
};

struct VolumeAction {
  const char* command;    ///< "volume connect"
  const char* operation;  ///< of the control socket; null: not only one request
  const char* help;
  const char* example;
  std::vector<VolumeOption> options;
  bool may_wait = false;  ///< --wait follows the resync or verify
};
[[nodiscard]] const std::vector<VolumeAction>& volume_actions();
/// "NAME [--force]" for the manual.
[[nodiscard]] std::string usage_of(const VolumeAction& action);

struct VolumeRequest {
  std::string run_dir, volume, node, config_file;
  json arguments = json::object();  ///< what the options gave, by key
  bool as_json = false, wait = false, yes = false;
  Duration timeout = seconds(120);
};

[[nodiscard]] int volume_action(const VolumeAction& action, const VolumeRequest& request, const Surroundings& around);
/// One request to the volume's blockd, its answer told to the person.
[[nodiscard]] int volume_operation(json operation, const VolumeRequest& request, const Surroundings& around);

/// Starts bascule-blockd in the background, and waits until it answers.
[[nodiscard]] int volume_up(const VolumeRequest& request, const Surroundings& around);
/// Demotes, and ends the blockd.
[[nodiscard]] int volume_down(const VolumeRequest& request, const Surroundings& around);
/// Hands the configuration to the blockd, and tells what came of each difference. Refused: something cannot change now.
[[nodiscard]] int volume_adjust(const VolumeRequest& request, const Surroundings& around);
/// What came of it, a line for each difference.
[[nodiscard]] std::string adjust_text(const json& answer, const VolumeRequest& request);
/// Tells progress until nothing runs any more.
[[nodiscard]] int follow_sync(const VolumeRequest& request, const Surroundings& around);
/// "resync 37.5 % (24 MiB of 64 MiB), 21 MiB/s, 0:02 left"; empty when nothing runs. `rate` in bytes per second.
[[nodiscard]] std::string progress_text(const json& state, std::int64_t rate);
/// Why the volume stands alone, and what each way out would cost.
[[nodiscard]] int split_brain(const VolumeRequest& request, const Surroundings& around);
[[nodiscard]] std::string split_brain_text(const json& state);

}  // namespace bascule::cli
