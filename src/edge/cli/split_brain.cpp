// A volume that stands alone because both sides wrote alone: what happened, and what each way out costs.

#include <fmt/format.h>

#include <cstdlib>
#include <istream>
#include <ostream>

#include "edge/cli/blockd_client.h"
#include "edge/cli/failure.h"
#include "edge/cli/volume_actions.h"

namespace bascule::cli {
namespace {

/// DRBD's lowest bit only says that the node was Primary.
std::uint64_t uuid_of(const json& uuids, const char* key) {
  return std::strtoull(text(uuids, key).c_str(), nullptr, 16) & ~std::uint64_t{1};
}

bool wrote_alone(const json& uuids) { return uuid_of(uuids, "bitmap") != 0; }

std::string set_text(const json& uuids) {
  std::string out = text(uuids, "current") + " (bitmap " + text(uuids, "bitmap") + ", history";
  for (const json& one : member(uuids, "history"))
    out += " " + (one.is_string() ? printable(one.get<std::string>()) : std::string("?"));
  return out + ")";
}

std::string who_wrote(const json& mine, const json& peers, const std::string& peer) {
  if (uuid_of(mine, "current") == uuid_of(peers, "current"))
    return "Both have the same generation: there is no split brain.";
  if (wrote_alone(mine) && wrote_alone(peers))
    return "Both nodes wrote alone since they were last together: a split brain.";
  if (wrote_alone(mine)) return "Only this node wrote alone.";
  if (wrote_alone(peers)) return "Only " + peer + " wrote alone.";
  return "The generations have nothing in common: these are two different volumes, or one was made anew.";
}

std::string ways_out(const json& state, const json& peers) {
  const std::string name = text(state, "name"), peer = text(state, "peer");
  return fmt::format(
      "To keep {}'s data: on this node\n  bascule volume split-brain {} --discard-my-data\nloses what was written here "
      "alone, at "
      "most {}.\n"
      "To keep this node's data: on {} the same command (there: drbdadm connect --discard-my-data, if it runs DRBD) "
      "loses "
      "what was written there alone, {}.\nThe other node needs: bascule volume connect {}\n",
      peer, name, size_text(number(state, "out_of_sync_bytes")), peer,
      peers.is_object() ? "at most " + size_text(number(peers, "out_of_sync_bytes")) : "how much is not known here",
      name);
}

bool confirmed(const VolumeRequest& request, const Surroundings& around) {
  if (request.yes) return true;
  if (around.in == nullptr) return false;
  around.out << "Lose what was written here alone? Type the volume's name to go on: " << std::flush;
  std::string answer;
  return std::getline(*around.in, answer) && answer == request.volume;
}

int discard(const json& state, const VolumeRequest& request, const Surroundings& around) {
  if (text(state, "role") == "Primary")
    return tell_failure({"the data here cannot be discarded", request.volume,
                         "this node is Primary, the data is in use", "bascule volume secondary " + request.volume},
                        refused, request.as_json, around);
  if (!confirmed(request, around))
    return tell_failure({"nothing was done", request.volume, "it was not confirmed", "--yes goes without the question"},
                        refused, request.as_json, around);
  VolumeRequest connect = request;
  connect.arguments = {{"discard_my_data", true}};
  return volume_operation({{"op", "connect"}}, connect, around);
}

}  // namespace

std::string split_brain_text(const json& state) {
  const json& mine = member(state, "uuids");
  const json& peers = member(state, "peer_uuids");
  const std::string peer = text(state, "peer"), why = text(state, "why");
  std::string out = "Volume " + text(state, "name") + " is StandAlone" + (why.empty() ? "" : ": " + why) + ".\n";
  out += "This node:  " + set_text(mine) + "\n";
  if (!peers.is_object())
    return out + "What " + peer + " has is not known: it was not reached since this blockd was started.\n" +
           ways_out(state, peers);
  out += fmt::format("{:<12}{}\n", peer + ":", set_text(peers));
  return out + who_wrote(mine, peers, peer) + "\n" + ways_out(state, peers);
}

int split_brain(const VolumeRequest& request, const Surroundings& around) {
  const auto state = blockd_state(request.run_dir, request.volume);
  if (!state) return tell_failure(state.error(), no_contact, request.as_json, around);
  const bool wanted = flag(request.arguments, "discard_my_data");
  if (text(*state, "connection") != "StandAlone") {
    const std::string why = "it is " + text(*state, "connection") + ", not StandAlone";
    if (wanted)
      return tell_failure({"there is nothing to resolve", request.volume, why, ""}, refused, request.as_json, around);
    if (request.as_json)
      around.out << json{{"ok", true}, {"stand_alone", false}, {"state", *state}} << "\n";
    else
      around.out << "Volume " << request.volume << " has nothing to resolve: " << why << ".\n";
    return ok;
  }
  if (request.as_json && !wanted)
    around.out << json{{"ok", true}, {"stand_alone", true}, {"text", split_brain_text(*state)}, {"state", *state}}
               << "\n";
  else if (!request.as_json)
    around.out << split_brain_text(*state);
  return wanted ? discard(*state, request, around) : ok;
}

}  // namespace bascule::cli
