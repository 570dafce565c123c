#include "edge/cli/command_line.h"

#include <map>
#include <ostream>
#include <sstream>

#include "core/explain/inject.h"
#include "edge/cli/detail/command_line.h"
#include "edge/cli/drbdmeta_command.h"
#include "edge/cli/fence_commands.h"
#include "edge/cli/manual.h"
#include "edge/cli/volume_options.h"

namespace bascule::cli {
namespace {

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

}  // namespace

namespace detail {

CLI::App* CommandLine::command(const std::string& words, const std::string& help, const std::string& example) {
  const auto space = words.find(' ');
  CLI::App* parent = &app_;
  if (space != std::string::npos) {
    CLI::App*& group = groups_[words.substr(0, space)];
    if (group == nullptr) {
      group = app_.add_subcommand(words.substr(0, space), "More: bascule " + words.substr(0, space) + " --help");
      group->require_subcommand(1);
      group->fallthrough();
    }
    parent = group;
  }
  CLI::App* made = parent->add_subcommand(space == std::string::npos ? words : words.substr(space + 1), help);
  made->fallthrough();
  made->footer("Example:\n  bascule " + example + "\n\nExit codes:\n" + exit_codes_text());
  return made;
}

void CommandLine::add_parameter(CLI::App& app, const api::Parameter& parameter, bool first) {
  const std::string name(parameter.name), help(parameter.help);
  if (parameter.kind == api::Parameter::Kind::number)
    app.add_option("--" + name, options_.since, help);
  else if (parameter.kind == api::Parameter::Kind::flag)
    app.add_flag("--" + name, name == "follow" ? options_.follow : options_.flags[name], help);
  else if (parameter.kind == api::Parameter::Kind::lifetime)
    app.add_option("--" + name, options_.values[name], help)->check(CLI::IsMember({"permanent", "transient"}));
  else if (parameter.required && (first || parameter.kind == api::Parameter::Kind::text))
    app.add_option(name, options_.values[name], help)->required();
  else if (parameter.required)
    app.add_option("--on", options_.values[name], help);  // may be left out for an operator's volume
  else
    app.add_option("--" + name, options_.values[name], help);
}

void CommandLine::add_operation(const api::Operation& operation) {
  CLI::App* app = command(std::string(operation.command), std::string(operation.help), std::string(operation.example));
  bool first = true;
  const bool of_all = operation.name == "start" || operation.name == "stop";
  if (of_all) app->add_flag("--all", operate_.all, "everything; each service's own target is kept");
  for (const auto& parameter : operation.parameters) {
    if (of_all) {
      app->add_option("service", options_.values["service"], std::string(parameter.help));
      continue;
    }
    add_parameter(*app, parameter, first);
    first = false;
  }
  if (operation.name == "status") {
    app->add_flag("--watch", options_.watch, "again and again, until Ctrl-C");
    app->add_flag("--check", options_.check, "exit 1 when not everything is well");
    app->callback([this] { chosen_ = [this] { return options_.watch ? watch() : status(); }; });
  } else if (operation.name == "attributes") {
    app->callback([this, &operation] { chosen_ = [this, &operation] { return attributes(operation); }; });
  } else if (operation.name == "events") {
    app->callback([this] { chosen_ = [this] { return events(); }; });
  } else if (is_about_fencing(operation)) {
    add_fence_options(*app, operation);
  } else {
    app->add_flag("--no-wait", options_.no_wait, "do not wait until it is done");
    if (operation.command.starts_with("volume "))
      app->add_flag("--force", options_.force, "an operator's volume: also where safety would refuse it");
    app->add_option("--timeout", options_.timeout_s, "seconds to wait")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
    app->callback([this, &operation] { chosen_ = [this, &operation] { return change(operation); }; });
  }
}

void CommandLine::add_operate(CLI::App& app, const std::string& words) {
  if (words.starts_with("maintenance ")) {
    auto* service = app.add_option("--service", operate_.service, "only this service");
    app.add_option("--node", operate_.node, "only this node, and what runs there")->excludes(service);
  }
  if (words == "maintenance on") {
    app.add_option("--for", operate_.length, "how long: 90s, 30min, 2h, 1d; without it until `maintenance off`");
    app.add_option("--reason", operate_.reason, "why, for those who look at the status");
  } else if (words == "drain") {
    app.add_option("node", operate_.node, "the node")->required();
    app.add_flag("--wait", operate_.wait, "until nothing runs there (this is so without it, too)");
  } else if (words == "restart") {
    app.add_option("service", operate_.service, "the service");
    app.add_option("--step", operate_.step, "this step and those after it");
    app.add_flag("--all,--rolling", operate_.all, "every service that runs, one after the other");
  } else if (words == "history") {
    app.add_option("--since", operate_.length, "how far back: 90s, 30min, 2h, 1d");
    app.add_option("--service", operate_.service, "only of this service");
    app.add_option("--node", operate_.node, "only what this node told");
    app.add_option("--kind", operate_.kind, "only this kind, like step-failed");
    app.add_option("--limit", operate_.limit, "at most so many, the newest")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    app.add_flag("--follow", operate_.follow, "go on with what happens");
  }
  if (words != "drain" && words != "restart") return;
  app.add_flag("--no-wait", options_.no_wait, "do not wait until it is done");
  app.add_option("--timeout", options_.timeout_s, "seconds to wait")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
}

int CommandLine::operate(const std::string& words) {
  operate_.socket = options_.socket();
  operate_.as_json = options_.as_json;
  operate_.no_wait = options_.no_wait;
  operate_.timeout = seconds(options_.timeout_s);
  return run_operation(words, operate_, around_);
}

namespace {
/// Of `import drbd`. `options` are those of the command line.
void add_import_options(CLI::App& app, auto& options) {
  app.add_option("--config", options.drbd_import.file, "DRBD's configuration; what drbdadm would take if not given");
  app.add_option("--node", options.node, "the machine that takes DRBD's place")->capture_default_str();
  app.add_option("--output", options.drbd_import.output, "a new file for cluster.toml instead of the terminal");
  app.add_flag("--check", options.check, "write nothing, only say whether it can be imported");
}

}  // namespace

void CommandLine::add_local_commands() {
  add_volume_actions();
  add_drbdsetup();
  const std::map<std::string, int (CommandLine::*)()> actions{{"volume status", &CommandLine::volume_status},
                                                              {"volume create", &CommandLine::volume_create},
                                                              {"config check", &CommandLine::config_check},
                                                              {"config diff", &CommandLine::config_change},
                                                              {"config plan", &CommandLine::config_change},
                                                              {"config apply", &CommandLine::config_change},
                                                              {"config undo", &CommandLine::config_change},
                                                              {"config history", &CommandLine::config_change},
                                                              {"node add", &CommandLine::membership},
                                                              {"node token", &CommandLine::membership},
                                                              {"node remove", &CommandLine::membership},
                                                              {"node replace", &CommandLine::membership},
                                                              {"leave", &CommandLine::membership},
                                                              {"join", &CommandLine::membership},
                                                              {"config node", &CommandLine::config_node},
                                                              {"doctor", &CommandLine::doctor},
                                                              {"agent", &CommandLine::agent},
                                                              {"node down", &CommandLine::node_down},
                                                              {"node up", &CommandLine::node_up},
                                                              {"import drbd", &CommandLine::import_drbd},
                                                              {"simulate", &CommandLine::simulate},
                                                              {"why", &CommandLine::why},
                                                              {"what-if", &CommandLine::what_if},
                                                              {"fence history", &CommandLine::fence_history},
                                                              {"key create", &CommandLine::key},
                                                              {"key list", &CommandLine::key},
                                                              {"key add", &CommandLine::key},
                                                              {"key use", &CommandLine::key},
                                                              {"key drop", &CommandLine::key},
                                                              {"completion", &CommandLine::print_completion},
                                                              {"drbdmeta", &CommandLine::drbdmeta_help}};
  for (const auto& local : local_commands()) {
    const std::string words = local.command;
    if (is_operation(words)) {
      CLI::App* app = command(words, local.help, local.example);
      add_operate(*app, words);
      app->callback([this, words] { chosen_ = [this, words] { return operate(words); }; });
    }
    if (!actions.contains(words)) continue;
    CLI::App* app = command(words, local.help, local.example);
    if (words == "volume status") app->add_option("name", options_.values["volume"], "only this volume");
    if (words == "volume create") {
      app->add_option("name", options_.values["volume"], "the volume")->required();
      app->add_flag("--force", options_.force, "also when the disk holds something: it is lost");
      app->add_option("--node", options_.node, "which node this is")->capture_default_str();
      app->add_option("--config", options_.config_file, "configuration")->capture_default_str();
    }
    add_node_options(*app, words);
    add_config_options(*app, words);
    add_member_options(*app, words);
    if (words == "config check") app->add_option("file", options_.config_file, "configuration")->capture_default_str();
    if (words == "agent") app->add_option("agent", options_.values["agent"], "like ocf:heartbeat:apache")->required();
    if (words == "import drbd") add_import_options(*app, options_);
    add_cib_options(*app, words);
    if (words == "key use" || words == "key drop")
      app->add_option("number", options_.key.id, "which key")->required()->check(CLI::Range(1u, 4294967295u));
    if (words.starts_with("key ")) app->add_option("file", options_.key.file, "the key file")->capture_default_str();
    if (words == "completion")
      app->add_option("shell", options_.shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
    if (words.starts_with("key "))
      app->parse_complete_callback([this, words] { options_.key.action = words.substr(4); });
    app->callback([this, action = actions.at(words)] { chosen_ = [this, action] { return (this->*action)(); }; });
  }
}

void CommandLine::add_node_options(CLI::App& app, const std::string& words) {
  if (words == "config node") app.add_option("file", options_.config_file, "configuration")->capture_default_str();
  const bool of_this_machine = words == "node down" || words == "node up";
  if (words == "doctor") {
    app.add_option("--config", options_.config_file, "configuration")->capture_default_str();
    app.add_option("--compare", options_.compared, "what `bascule doctor --json` printed on another node, in a file");
    app.add_option("--state-dir", options_.state_dir, "where the consensus log is")->capture_default_str();
  }
  if (words == "config node" || words == "doctor" || of_this_machine)
    app.add_option("--node", options_.node, "which node this is")->capture_default_str();
  if (!of_this_machine) return;
  app.add_option("--state-dir", options_.state_dir, "where it is noted that the node went down")->capture_default_str();
  app.add_option("--timeout", options_.timeout_s, "seconds to wait")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
}

/// What commands about a Pacemaker cluster need to know.
void CommandLine::add_cib(CLI::App& app, CibInput& input) {
  auto* file = app.add_option("--cib", input.file, "a Pacemaker CIB with its status, as XML");
  app.add_option("--snapshot", input.snapshot,
                 "instead: a snapshot, with its time; or the decisions that a manager kept: STATE_DIR/decisions.jsonl")
      ->excludes(file);
  app.add_option("--decision", input.decision, "of these the one of that number, the oldest is 1 (default: the newest)")
      ->check(CLI::PositiveNumber);
  app.add_option("--config", input.config, "instead: a cluster.toml, with all nodes up");
  app.add_flag(
      "--own-defaults", input.own_defaults,
      "as if our defaults were meant where nothing else is said: a monitor for each, failures fade, moves end");
  app.add_option("--save-snapshot", input.save, "a file for the snapshot of what is read, to replay it later");
  app.add_option("-t,--at", input.at, "what time it is, ISO 8601");
  app.add_option("--inject", input.inject,
                 "what happens first, with commas between: " + joined(explain::verbs(), ", "));
}

void CommandLine::add_cib_options(CLI::App& app, const std::string& words) {
  if (words == "simulate") {
    add_cib(app, options_.simulation.input);
    app.add_option("--format", options_.simulation.format, "text, or pacemaker: the layout of crm_simulate")
        ->check(CLI::IsMember({"text", "pacemaker"}))
        ->capture_default_str();
    app.add_flag("-s,--scores", options_.simulation.scores, "each resource's score for each node, step by step");
    app.add_option("--graph", options_.simulation.graph, "a file for the transition graph, as XML");
    app.add_flag("--all-decisions", options_.simulation.all_decisions,
                 "of decisions: take each again, and say which are others now");
  } else if (words == "why") {
    add_cib(app, options_.why.input);
    options_.why.input.started = true;
    app.add_option("resource", options_.why.resource, "a resource, as the CIB calls it")->required();
    app.add_option("--on", options_.why.on, "why it is on this node")
        ->excludes(app.add_option("--not-on", options_.why.not_on, "why it is not on this node"));
  } else if (words == "what-if") {
    add_cib(app, options_.what_if.input);
    options_.what_if.input.started = true;
    app.add_option("phrase", options_.what_if.phrase, "what happens: " + joined(explain::phrases(), "; "))->required();
  }
}

void CommandLine::add_config_options(CLI::App& app, const std::string& words) {
  if (!words.starts_with("config ") || words == "config check" || words == "config node") return;
  const std::string action = words.substr(7);
  ConfigRequest& change = options_.config_change;
  if (action == "diff" || action == "plan" || action == "apply")
    app.add_option("file", change.file, "a cluster.toml")->required();
  if (action == "history") app.add_option("version", change.version, "whose text")->check(CLI::Range(0, 2000000000));
  if (action == "undo")
    app.add_option("--to", change.version, "which version; the one before if not given")
        ->check(CLI::Range(0, 2000000000));
  if (action == "apply" || action == "undo") {
    app.add_flag("-y,--yes", change.yes, "without a question");
    app.add_option("--reason", change.reason, "why, for the history");
  }
  app.parse_complete_callback([this, action] { options_.config_change.action = action; });
}

void CommandLine::add_member_options(CLI::App& app, const std::string& words) {
  MemberRequest& member = options_.member;
  const bool named = words == "node add" || words == "node token" || words == "node remove" || words == "node replace";
  if (!named && words != "leave" && words != "join") return;
  const std::string action = named ? words.substr(5) : words;
  if (named) app.add_option("name", member.node, "the node")->required();
  if (action == "replace") app.add_option("--by", member.by, "what the new machine is called")->required();
  if (action == "add" || action == "replace")
    app.add_option("--address", member.addresses, "its address; one for each network")->required();
  if (action == "add") {
    app.add_option("--role", member.role, "data or witness")->check(CLI::IsMember({"data", "witness"}));
    app.add_flag("--no-vote", member.no_vote, "it runs services and has no say");
  }
  if (action == "add" || action == "token" || action == "replace")
    app.add_option("--valid", member.valid_s, "seconds that the token is good for")
        ->check(CLI::Range(1, 2592000))
        ->capture_default_str();
  if (action != "token" && action != "join") app.add_flag("-y,--yes", options_.config_change.yes, "without a question");
  if (action == "leave") app.add_option("--node", options_.node, "which node this is")->capture_default_str();
  if (action == "join") {
    app.add_option("token", member.token, "what `bascule node add` printed")->required();
    app.add_option("--config", options_.config_file, "where the configuration goes")->capture_default_str();
    app.add_option("--state-dir", options_.state_dir, "where the manager keeps its log")->capture_default_str();
    app.add_flag("--force", member.force, "replace a configuration that is there");
  }
  app.parse_complete_callback([this, action] { options_.member.action = action; });
}

void CommandLine::add_volume_actions() {
  for (const VolumeAction& action : volume_actions()) {
    CLI::App* app = command(action.command, action.help, action.example);
    add_volume_options(*app, action, volume_);
    const std::string_view words = action.command;
    if (words == "volume up") app->add_option("--node", options_.node, "which node this is")->capture_default_str();
    if (words == "volume up" || words == "volume adjust")
      app->add_option("--config", options_.config_file, "configuration")->capture_default_str();
    app->add_option("--timeout", options_.timeout_s, "seconds to wait")
        ->check(CLI::Range(1, 86400))
        ->capture_default_str();
    app->callback([this, &action] { chosen_ = [this, &action] { return volume_action(action, volume(), around_); }; });
  }
}

void CommandLine::add_drbdsetup() {
  for (const auto& local : local_commands()) {
    if (!local.command.starts_with("drbdsetup ")) continue;
    const std::string verb = local.command.substr(local.command.find(' ') + 1);
    CLI::App* app = command(local.command, local.help, local.example);
    add_drbd_options(*app, verb, drbd_);
    app->callback([this, verb] {
      chosen_ = [this, verb] {
        drbd_.run_dir = options_.run_dir;
        drbd_.as_json = options_.as_json;
        return drbd_command(verb, drbd_, around_);
      };
    });
  }
}

void CommandLine::add_rehearse() {
  for (const auto& local : local_commands()) {
    if (local.command != "rehearse") continue;
    rehearse_.config_file = options_.config_file;
    CLI::App* app = command(local.command, local.help, local.example);
    add_rehearse_options(*app, rehearse_);
    app->callback([this] { chosen_ = [this] { return rehearse(); }; });
  }
}

int CommandLine::run(const std::vector<std::string>& arguments) {
  app_.add_option("--run-dir", options_.run_dir, "where the daemons' sockets are")->capture_default_str();
  app_.add_flag("--json", options_.as_json, "one JSON object per line, as the API gave it");
  app_.require_subcommand(1);
  app_.footer("Exit codes:\n" + exit_codes_text());
  for (const auto& operation : api::operations())
    if (!operation.command.empty()) add_operation(operation);
  add_local_commands();
  add_rehearse();
  try {
    const auto words = with_fence_node(arguments);
    app_.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return app_.exit(error, around_.out, around_.err) == 0 ? ok : unusable;
  }
  return chosen_();
}

}  // namespace detail

int run(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  if (arguments == std::vector<std::string>{"manual"}) {  // for docs/man; not for people
    surroundings.out << manual();
    return ok;
  }
  if (is_drbdmeta(arguments)) return run_drbdmeta(arguments, surroundings);
  return detail::CommandLine(surroundings).run(arguments);
}

}  // namespace bascule::cli
