#include "edge/cli/volume_actions.h"

#include <ostream>

#include "edge/cli/blockd_client.h"
#include "edge/cli/failure.h"

namespace bascule::cli {
namespace {

using Kind = VolumeOption::Kind;

const VolumeOption kForce{"force", "force", Kind::flag, "also where it would be refused for safety"};

std::vector<VolumeAction> life() {
  return {
      {"volume up",
       nullptr,
       "Starts this machine's bascule-blockd for a volume, in the background.",
       "volume up data",
       {}},
      {"volume down",
       nullptr,
       "Demotes a volume on this machine and ends its bascule-blockd.",
       "volume down data",
       {kForce}},
      {"volume attach", "attach", "Gives a running volume its disk again.", "volume attach data", {}},
      {"volume detach",
       "detach",
       "Lets go of the disk; reads and writes go to the peer.",
       "volume detach data",
       {kForce}},
      {"volume connect",
       "connect",
       "Leaves StandAlone and looks for the peer.",
       "volume connect data",
       {{"discard-my-data", "discard_my_data", Kind::flag, "after a split brain: take the peer's data, lose ours"},
        {"tentative", "tentative", Kind::flag, "only tell what would happen"}},
       true},
      {"volume disconnect", "disconnect", "Becomes StandAlone.", "volume disconnect data", {kForce}},
      {"volume adjust",
       nullptr,
       "Reads the configuration again and takes what has changed; says what cannot change now, and how it can.",
       "volume adjust data --dry-run",
       {{"dry-run", "dry_run", Kind::flag, "only tell what would change"}}},
  };
}

std::vector<VolumeAction> contents() {
  return {
      {"volume verify",
       "verify",
       "Compares both copies, block by block, while they are in use.",
       "volume verify data --wait",
       {{"start", "start_sector", Kind::number, "first sector of 512 bytes"},
        {"stop", "stop_sector", Kind::number, "sector to stop before"}},
       true},
      {"volume invalidate",
       "invalidate",
       "Throws away this copy and fetches all of the peer's.",
       "volume invalidate data --wait",
       {{"remote", "remote", Kind::flag, "the peer's copy instead"}},
       true},
      {"volume resize",
       "resize",
       "Makes the volume as large as both disks are now, or as large as told.",
       "volume resize data --size 20G",
       {{"size", "size_sectors", Kind::size, "bytes, with K, M, G or T behind; at most what the disks allow"},
        {"assume-clean", "assume_clean", Kind::flag, "what is new needs no resync"},
        {"assume-peer-has-space", "assume_peer_has_space", Kind::flag, "also when the peer is away"}},
       true},
      {"volume new-current-uuid",
       "new_current_uuid",
       "Begins a new generation of the data.",
       "volume new-current-uuid data --clear-bitmap",
       {{"clear-bitmap", "clear_bitmap", Kind::flag, "of a new, connected pair: skip the first resync"}}},
      {"volume outdate", "outdate", "Marks this copy as old, so that it is not promoted.", "volume outdate data", {}},
      {"volume split-brain",
       nullptr,
       "Explains why a volume stands alone and what each way out would lose; with --discard-my-data takes one.",
       "volume split-brain data",
       {{"discard-my-data", "discard_my_data", Kind::flag, "lose what was written here alone, after a question"},
        {"yes", "yes", Kind::flag, "without the question"}}},
  };
}

std::vector<VolumeAction> pauses() {
  return {
      {"volume pause-sync", "pause_sync", "Holds the resync.", "volume pause-sync data", {}},
      {"volume resume-sync", "resume_sync", "Lets the resync go on.", "volume resume-sync data", {}},
      {"volume suspend-io", "suspend_io", "Holds all reads and writes.", "volume suspend-io data", {}},
      {"volume resume-io", "resume_io", "Lets held reads and writes go on.", "volume resume-io data", {}},
  };
}

}  // namespace

const std::vector<VolumeAction>& volume_actions() {
  static const std::vector<VolumeAction> all = [] {
    std::vector<VolumeAction> made = life();
    for (auto& one : contents()) made.push_back(std::move(one));
    for (auto& one : pauses()) made.push_back(std::move(one));
    return made;
  }();
  return all;
}

std::string usage_of(const VolumeAction& action) {
  std::string out = "NAME";
  for (const VolumeOption& option : action.options) {
    out += " [--" + std::string(option.name);
    out += option.kind == Kind::flag ? "]" : option.kind == Kind::size ? " SIZE]" : " NUMBER]";
  }
  if (action.may_wait) out += " [--wait]";
  if (std::string(action.command) == "volume up") out += " [--node NODE] [--config FILE]";
  if (std::string(action.command) == "volume adjust") out += " [--config FILE]";
  return out;
}

int volume_operation(json operation, const VolumeRequest& request, const Surroundings& around) {
  operation["id"] = 1;
  for (const auto& [key, value] : request.arguments.items()) operation[key] = value;
  const auto answer = ask_blockd(request.run_dir, request.volume, operation, request.timeout);
  if (!answer) return tell_failure(answer.error(), code_without_answer(answer.error()), request.as_json, around);
  if (request.as_json) around.out << *answer << "\n";
  if (!flag(*answer, "ok"))
    return request.as_json ? refused : tell_failure(error_in(*answer), refused, request.as_json, around);
  if (!request.as_json) {
    const std::string words = text(*answer, "text"), device = text(*answer, "device");
    around.out << "Volume " << request.volume << ": " << (words.empty() ? "done" : words)
               << (device.empty() ? "" : ", the device is " + device) << ".\n";
  }
  return ok;
}

int volume_action(const VolumeAction& action, const VolumeRequest& request, const Surroundings& around) {
  const std::string command = action.command;
  if (command == "volume up") return volume_up(request, around);
  if (command == "volume down") return volume_down(request, around);
  if (command == "volume adjust") return volume_adjust(request, around);
  if (command == "volume split-brain") return split_brain(request, around);
  const int code = volume_operation({{"op", action.operation}}, request, around);
  return code == ok && request.wait ? follow_sync(request, around) : code;
}

}  // namespace bascule::cli
