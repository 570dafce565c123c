#include "edge/cli/manual.h"

#include <fmt/format.h>

#include "edge/api/operations.h"
#include "edge/cli/volume_actions.h"

namespace bascule::cli {
namespace {

std::vector<LocalCommand> own_commands() {
  return {
      {"volume status", "[NAME]", "How the volumes are; asks the volume's own daemon when bascule-managerd is away.",
       "volume status data"},
      {"volume create", "NAME [--force] [--node NODE] [--config FILE]",
       "Makes this machine's backing store of a volume. Refuses a disk that holds something, unless forced: that "
       "destroys it.",
       "volume create data"},
      {"config check", "[FILE]",
       "Reads a configuration and says what is wrong with it. Where the OCF agents that it names are on this machine, "
       "each is asked for its meta-data: parameters that it does not know or that it misses are warned of.",
       "config check ./cluster.toml"},
      {"config node", "[FILE] [--node NODE]",
       "What this machine is in the cluster: its role, and the volumes that it has a disk of, one line each.",
       "config node --node alice"},
      {"doctor", "[--node NODE] [--config FILE] [--state-dir DIRECTORY] [--compare FILE ...]",
       "Looks at this machine as a node: kernel, watchdog, keys, links, peers, ports, firewall, disks, addresses, "
       "agents, and who else manages them; with what mends it. Exit codes: 0 fine, 1 warnings, 2 bad.",
       "doctor --compare bob.json"},
      {"agent", "AGENT",
       "What an OCF agent of this machine says of itself: its parameters and its actions, with the time that it "
       "advises for each. That is shown and never taken: start_timeout and the others say what is waited.",
       "agent ocf:heartbeat:apache"},
      {"node down", "[--node NODE] [--timeout SECONDS]",
       "Moves everything off this node before it goes down, until `node up`; one of two gives its vote away.",
       "node down"},
      {"node up", "[--node NODE] [--timeout SECONDS]",
       "Ends the standby of `node down`, as soon as there is a majority; a standby of another origin stays.",
       "node up"},
      {"fence history", "",
       "Who was fenced, by whom, how, why, and what came of it; and when each device was last tested.",
       "fence history"},
      {"key create", "[FILE]", "Makes the key file of a new cluster: whoever has it can speak for its nodes.",
       "key create /etc/bascule/cluster.key"},
      {"key list", "[FILE]", "Which keys there are, and which one is in use; never the keys themselves.", "key list"},
      {"key add", "[FILE]", "Adds a new key that is accepted, but not used yet.", "key add"},
      {"key use", "NUMBER [FILE]", "Uses a key that all nodes accept by now.", "key use 2"},
      {"key drop", "NUMBER [FILE]", "Ends a key that no node uses any more.", "key drop 1"},
      {"import drbd", "[--config FILE] [--node NODE] [--output FILE] [--check]",
       "Reads /etc/drbd.conf and what it includes, and writes the cluster.toml of a machine that takes DRBD's place; "
       "what has no counterpart becomes a comment that says why.",
       "import drbd --node alice --output cluster.toml"},
      {"completion", "bash|zsh", "Prints the completion script of a shell.",
       "completion bash > /etc/bash_completion.d/bascule"},
      {"drbdmeta", "[--force] MINOR v08|v09 DEVICE internal|flex-external|INDEX COMMAND [ARGUMENTS]",
       "Reads and writes the metadata DRBD keeps on a disk, with drbdmeta's arguments and exit codes; --help lists the "
       "commands.",
       "drbdmeta 0 v08 /dev/vg/data internal dump-md"},
  };
}

/// What would be: of a Pacemaker cluster, and of a cluster of ours.
std::vector<LocalCommand> foreseeing_commands() {
  return {
      {"what-if", "\"PHRASE [and PHRASE]\" --cib FILE|--snapshot FILE|--config FILE [--own-defaults] [--at TIME]",
       "What would be done in a Pacemaker cluster if something happened, what that would interrupt and for how long, "
       "and "
       "what would have nowhere to go; --help lists the phrases.",
       "what-if \"node alice fails and quorum is lost\" --cib /var/lib/pacemaker/cib/cib.xml"},
      {"why",
       "RESOURCE [--on NODE|--not-on NODE] --cib FILE|--snapshot FILE|--config FILE [--own-defaults] [--at TIME]",
       "Why a resource of a Pacemaker cluster is where it is: a sentence for each node, what the scores are made of, "
       "and "
       "the smallest change that would alter it.",
       "why web --not-on alice --cib /var/lib/pacemaker/cib/cib.xml"},
      {"simulate",
       "--cib FILE|--snapshot FILE|--config FILE [--own-defaults] [--format text|pacemaker] [--scores] [--inject "
       "CHANGES] [--at TIME] "
       "[--graph FILE] [--save-snapshot FILE] [--decision N|--all-decisions]",
       "What would be done for a Pacemaker cluster in that state, and how it is then; nothing is touched. With the "
       "decisions.jsonl of a manager as the snapshot: what was decided, on what, why, and whether it would be again.",
       "simulate --cib /var/lib/pacemaker/cib/cib.xml"},
      {"rehearse",
       "[--config FILE|--live] [--faults KIND,...] [--runs NUMBER] [--seed NUMBER] [--faults-in-run NUMBER] [--start "
       "TIME] [--stop TIME] [--jobs NUMBER]",
       "Lets faults fall on a cluster of this configuration, simulated with the real managers and replication engines "
       "in "
       "virtual time: how often and how long each service is interrupted, whether data are lost, and the worst run "
       "step "
       "by step. Nothing is touched. Exit codes: 0 every service came back and nothing was lost, 1 not so, 2 usage or "
       "configuration.",
       "rehearse --config ./cluster.toml --faults node,link --runs 500"},
  };
}

/// operation_commands.cpp
std::vector<LocalCommand> operating_commands() {
  return {
      {"maintenance on", "[--service SERVICE|--node NODE] [--for TIME] [--reason TEXT]",
       "From now on nothing is started, stopped, moved or recovered by the cluster; monitors go on and only tell.",
       "maintenance on --service shop --for 2h --reason \"new release\""},
      {"maintenance off", "[--service SERVICE|--node NODE]",
       "Ends it: what runs is found and stays, what does not run is started.", "maintenance off --service shop"},
      {"drain", "NODE [--no-wait] [--timeout SECONDS]",
       "Moves everything off a node as soon as it can, keeps it off until `online`, and says whether it is safe to "
       "power "
       "it off.",
       "drain alice"},
      {"restart", "SERVICE|--all [--step STEP] [--timeout SECONDS]",
       "Stops and starts a service in place, from one step on; with --all (or --rolling) one service after the other, "
       "up "
       "to the first that does not come back.",
       "restart shop --step apache"},
      {"history", "[--since TIME] [--service SERVICE] [--node NODE] [--kind KIND] [--limit NUMBER] [--follow]",
       "What happened on all nodes, in its order, also on nodes that are gone.", "history --since 1h --service shop"},
  };
}

/// The agreed configuration, and who is a member.
std::vector<LocalCommand> cluster_commands() {
  return {
      {"config diff", "FILE",
       "What a configuration says otherwise than the one in force, by meaning; exit 1 if anything.",
       "config diff ./cluster.toml"},
      {"config plan", "FILE",
       "What applying a configuration would do: which services stop or start, which nodes come or go, and why not.",
       "config plan ./cluster.toml"},
      {"config apply", "FILE [--yes] [--reason WORDS]",
       "Shows the plan, asks, and makes a configuration the one in force on every node, without a restart.",
       "config apply ./cluster.toml --reason 'a second shop'"},
      {"config undo", "[--to VERSION] [--yes]", "Applies the configuration before the one in force, as a new version.",
       "config undo"},
      {"config history", "[VERSION]", "Which configurations there were, from whom and why; or the text of one.",
       "config history 3"},
      {"node add", "NAME --address ADDRESS [--role data|witness] [--no-vote] [--valid SECONDS] [--yes]",
       "Adds a machine to the configuration and prints the token with which it joins, once.",
       "node add dave --address 10.0.0.4"},
      {"node token", "NAME [--valid SECONDS]", "Another token for a node that is configured; the one before ends.",
       "node token dave"},
      {"node remove", "NAME [--yes]", "Moves everything off a node, and takes it out of the cluster.",
       "node remove dave"},
      {"node replace", "NAME --by NEW --address ADDRESS [--yes]",
       "Puts another machine in the place of a node, with its disks and preferences, and prints its token.",
       "node replace bob --by dave --address 10.0.0.4"},
      {"leave", "[--node NODE] [--yes]", "Takes this machine out of the cluster, after everything has moved off it.",
       "leave"},
      {"join", "TOKEN [--config FILE] [--state-dir DIR] [--force]",
       "Makes this machine the member that the token is for: gets the keys and the configuration.",
       "join bascule1.eyJjIjoi..."},
  };
}

std::vector<LocalCommand> drbdsetup_commands() {
  return {
      {"drbdsetup status", "[NAME|all] [--json] [--verbose] [--statistics]",
       "The volumes in the words of drbdsetup status. The exit codes of all drbdsetup commands are drbdsetup's.",
       "drbdsetup status data --verbose --statistics"},
      {"drbdsetup events2", "[NAME|all] [--now] [--timestamps] [--statistics]",
       "What there is, then each change, one line each, as drbdsetup events2 tells it.", "drbdsetup events2 --now"},
      {"drbdsetup role", "NAME", "Both roles.", "drbdsetup role data"},
      {"drbdsetup cstate", "NAME", "The connection state.", "drbdsetup cstate data"},
      {"drbdsetup dstate", "NAME", "Both disk states.", "drbdsetup dstate data"},
      {"drbdsetup show-gi", "NAME", "The generation UUIDs and flags with a legend.", "drbdsetup show-gi data"},
      {"drbdsetup get-gi", "NAME", "The generation UUIDs and flags in one line.", "drbdsetup get-gi data"},
  };
}

std::string upper(std::string_view word) {
  std::string out;
  for (const char c : word) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::string usage(const api::Operation& operation) {
  if (operation.name == "start" || operation.name == "stop") return " SERVICE|--all";
  std::string out;
  bool first = true;
  for (const auto& parameter : operation.parameters) {
    if (operation.command.starts_with("fence ") && parameter.name == "really") {
      out += " [--really] [--yes]";
      continue;
    }
    const bool is_flag = parameter.kind == api::Parameter::Kind::flag;
    const std::string value =
        is_flag ? "" : " " + upper(parameter.kind == api::Parameter::Kind::node ? "node" : parameter.name);
    if (parameter.required && (first || parameter.kind == api::Parameter::Kind::text))
      out += " " + upper(parameter.name);
    else if (parameter.required)
      out += " --on" + value;
    else
      out += fmt::format(" [--{}{}]", parameter.name, value);
    first = false;
  }
  return out;
}

std::string entry(std::string_view command, std::string_view arguments, std::string_view help,
                  std::string_view example) {
  return fmt::format(".It Nm {} {}\n{}\n.Dl bascule {}\n", command, arguments, help, example);
}

}  // namespace

const std::vector<LocalCommand>& local_commands() {
  static const std::vector<LocalCommand> all = [] {
    std::vector<LocalCommand> made = operating_commands();
    for (auto& command : own_commands()) made.push_back(std::move(command));
    for (auto& command : foreseeing_commands()) made.push_back(std::move(command));
    for (auto& command : cluster_commands()) made.push_back(std::move(command));
    for (const VolumeAction& action : volume_actions())
      made.push_back({action.command, usage_of(action), action.help, action.example});
    for (auto& command : drbdsetup_commands()) made.push_back(std::move(command));
    return made;
  }();
  return all;
}

std::string exit_codes_text() {
  return "0  done\n1  refused, or it failed (status --check: not everything is well)\n2  wrong usage, or unusable "
         "surroundings\n"
         "3  no contact with bascule-managerd\n4  not done in time; it goes on\n";
}

std::string manual() {
  std::string out =
      ".Dd November 22, 2026\n.Dt BASCULE 1\n.Os Bascule\n.Sh NAME\n.Nm bascule\n.Nd look at and steer a Bascule "
      "cluster\n"
      ".Sh SYNOPSIS\n.Nm bascule\n.Ar command\n.Op Ar arguments\n.Op Fl -json\n.Op Fl -run-dir Ar directory\n.Sh "
      "DESCRIPTION\n"
      "Asks the bascule-managerd of this node, on\n.Pa manager.sock\nin the run directory\n.Pq Pa /run/bascule .\n"
      "Any node will do. Changes that move, start or stop something are followed until they are done, unless\n.Fl "
      "-no-wait\n"
      "is given. With\n.Fl -json\nthe answer is printed as the API gave it, one object per line.\n.Sh COMMANDS\n.Bl "
      "-tag -width Ds\n";
  for (const auto& operation : api::operations())
    if (!operation.command.empty())
      out += entry(operation.command, usage(operation),
                   fmt::format("{} ({})", operation.help, api::text(operation.level)), operation.example);
  for (const auto& command : local_commands())
    out += entry(command.command, command.usage, command.help, command.example);
  out += ".El\n.Sh EXIT STATUS\n.Bd -literal\n" + exit_codes_text() +
         ".Ed\n.Sh ENVIRONMENT\n.Bl -tag -width NO_COLOR\n" +
         ".It Ev NO_COLOR\nNo colours, also on a terminal.\n.It Ev LC_ALL , LC_CTYPE , LANG\nSigns are ASCII unless "
         "UTF-8 is named.\n.El\n" +
         ".Sh FILES\n.Bl -tag -width Ds\n.It Pa /etc/bascule/cluster.toml\n.It Pa /run/bascule/manager.sock\n.El\n" +
         ".Sh SEE ALSO\n.Xr bascule-managerd 8 ,\n.Xr bascule-blockd 8 ,\n.Xr bascule-watchdogd 8\n";
  return out;
}

}  // namespace bascule::cli
