// What this machine is in the cluster, and what its units do when it starts and before it goes down.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <thread>

#include "edge/cli/detail/command_line.h"

namespace bascule::cli::detail {
namespace {

constexpr auto between_tries = std::chrono::seconds(1);
constexpr auto between_looks = std::chrono::milliseconds(100);
constexpr std::chrono::seconds goodbye_patience{15};  ///< with what came before, less than systemd waits

const char* role_name(config::NodeRole role) {
  return role == config::NodeRole::data ? "data" : role == config::NodeRole::witness ? "witness" : "peer";
}

/// There while the node is in standby because of `node down`, and of nothing else.
std::string mark_path(const std::string& state_dir) { return state_dir + "/down"; }

}  // namespace

int CommandLine::config_node() {
  const auto config = config::load(options_.config_file);
  if (!config) return failed(config.error(), unusable);
  const auto* node = config->node(options_.node);
  if (node == nullptr)
    return failed({"this machine is not in the cluster", options_.node, "no such node in " + options_.config_file,
                   "--node NAME says which one it is"},
                  refused);
  json volumes = json::array();
  for (const auto& volume : config->volumes)
    if (volume.disk.contains(options_.node)) volumes.push_back(volume.name);
  if (options_.as_json) {
    around_.out << json{{"ok", true}, {"node", node->name}, {"role", role_name(node->role)}, {"volumes", volumes}}
                << "\n";
    return ok;
  }
  around_.out << "role " << role_name(node->role) << "\n";
  for (const auto& volume : volumes) around_.out << "volume " << volume.get<std::string>() << "\n";
  return ok;
}

int CommandLine::doctor() {
  DoctorRequest request;
  request.look = {options_.config_file, options_.node, options_.run_dir, options_.state_dir};
  request.compared = options_.compared;
  request.as_json = options_.as_json;
  return run_doctor(request, around_);
}

/// The same command line, as if typed.
int CommandLine::also(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"--run-dir", options_.run_dir});
  return CommandLine(around_).run(arguments);
}

int CommandLine::node_down() {
  const auto status = ask({{"op", "status"}});
  if (!status) return failed(status.error(), no_contact);
  if (flag(named(member(*status, "nodes"), options_.node), "standby")) {
    around_.out << options_.node << " is in standby already.\n";
    return say_goodbye(*status);
  }
  std::ofstream(mark_path(options_.state_dir)) << "by `bascule node down`\n";
  const int emptied = also({"standby", options_.node, "--timeout", std::to_string(options_.timeout_s)});
  return emptied == ok ? say_goodbye(*status) : emptied;
}

/// Of two nodes without a witness the other one cannot tell a machine that was shut down from a dead one, unless it is
/// told before.
int CommandLine::say_goodbye(const json& status) const {
  const json& nodes = member(status, "nodes");
  const auto voters = std::count_if(nodes.begin(), nodes.end(), [](const json& node) { return flag(node, "votes"); });
  if (voters != 2 || !flag(named(nodes, options_.node), "votes")) return ok;
  if (const auto said = ask({{"op", "goodbye"}, {"node", options_.node}}); !said) return failed(said.error(), refused);
  const auto patience = std::min(std::chrono::seconds(options_.timeout_s), goodbye_patience);
  const auto limit = std::chrono::steady_clock::now() + patience;
  for (; std::chrono::steady_clock::now() < limit; std::this_thread::sleep_for(between_looks)) {
    const auto now = ask({{"op", "status"}});
    const json quorum = now ? member(*now, "quorum") : json();
    if (number(quorum, "votes") != 1 || !flag(quorum, "settled")) continue;
    around_.out << "The other node decides alone until " << options_.node << " is back.\n";
    return ok;
  }
  return failed({"the other node does not decide alone yet", options_.node, "it did not answer in time",
                 "when this machine goes off now, the other one takes it for dead: docs/fencing.md"},
                timed_out);
}

int CommandLine::node_up() {
  std::error_code error;
  if (!std::filesystem::exists(mark_path(options_.state_dir), error)) {
    around_.out << options_.node << " did not go down by `bascule node down`: nothing to take back.\n";
    const auto status = ask({{"op", "status"}});  // in standby before, and there again
    if (!status || !flag(named(member(*status, "nodes"), options_.node), "away")) return ok;
    const auto back = ask({{"op", "goodbye"}, {"node", options_.node}, {"back", true}});
    return back ? ok : failed(back.error(), refused);
  }
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(options_.timeout_s);
  int code = also({"online", options_.node});
  for (; code != ok && std::chrono::steady_clock::now() < limit; code = also({"online", options_.node}))
    std::this_thread::sleep_for(between_tries);  // until there is a majority
  if (code == ok) std::filesystem::remove(mark_path(options_.state_dir), error);
  return code;
}

}  // namespace bascule::cli::detail
