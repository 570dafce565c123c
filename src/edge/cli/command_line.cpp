#include "edge/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <ostream>
#include <thread>

#include "edge/api/operations.h"
#include "edge/cli/blockd_client.h"
#include "edge/cli/connection.h"
#include "edge/cli/drbd_commands.h"
#include "edge/cli/drbdmeta_command.h"
#include "edge/cli/follow_through.h"
#include "edge/cli/import_command.h"
#include "edge/cli/manual.h"
#include "edge/cli/volume_actions.h"
#include "edge/cli/volume_options.h"
#include "runtime/watchdog/config_file.h"

namespace bascule::cli {
namespace {

constexpr Duration answer_timeout = seconds(10);

/// Everything that may stand on the command line.
struct Options {
  std::string run_dir = "/run/bascule", config_file = config::default_file, node, shell;
  bool as_json = false, watch = false, check = false, no_wait = false, force = false;
  std::int64_t timeout_s = 120;
  std::map<std::string, std::string> values;  ///< parameters of the operation that are text
  std::uint64_t since = 0;
  bool follow = false;
  ImportRequest drbd_import;
  [[nodiscard]] std::string socket() const { return run_dir + "/manager.sock"; }
};

class CommandLine {
 public:
  explicit CommandLine(const Surroundings& surroundings) : around_(surroundings) { options_.node = surroundings.node; }
  int run(const std::vector<std::string>& arguments);

 private:
  CLI::App* command(const std::string& words, const std::string& help, const std::string& example);
  void add_operation(const api::Operation& operation);
  void add_parameter(CLI::App& app, const api::Parameter& parameter, bool first);
  void add_local_commands();
  void add_volume_actions();
  void add_drbdsetup();
  [[nodiscard]] VolumeRequest volume() const;
  bool operators(const api::Operation& operation);
  int change_by_operator(const api::Operation& operation);
  int failed(const Error& error, int code) const;
  int status();
  int watch();
  int events();
  int change(const api::Operation& operation);
  int volume_status();
  int volume_state_without_manager(const Error& why);
  int volume_create();
  int config_check();
  int import_drbd();
  int print_completion();
  int drbdmeta_help();
  [[nodiscard]] Goal goal_of(const api::Operation& operation, const json& before) const;
  [[nodiscard]] json request_of(const api::Operation& operation) const;
  [[nodiscard]] Result<json> ask(const json& request, Duration timeout = answer_timeout) const;

  const Surroundings& around_;
  Options options_;
  VolumeRequest volume_;
  DrbdRequest drbd_;
  CLI::App app_{"Looks at and steers a Bascule cluster.", "bascule"};
  std::map<std::string, CLI::App*> groups_;
  std::function<int()> chosen_;
};

int CommandLine::failed(const Error& error, int code) const {
  if (options_.as_json)
    around_.out << json{{"ok", false},
                        {"error",
                         {{"what", error.what}, {"where", error.where}, {"why", error.why}, {"hint", error.hint}}}}
                       .dump(-1, ' ', false, json::error_handler_t::replace)  // a file may quote any bytes
                << "\n";
  else
    around_.err << "bascule: " << printable(error.text()) << "\n";
  return code;
}

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
    app.add_flag("--" + name, options_.follow, help);
  else if (parameter.required && first)
    app.add_option(name, options_.values[name], help)->required();
  else if (parameter.required)
    app.add_option("--on", options_.values[name], help);  // may be left out for an operator's volume
  else
    app.add_option("--" + name, options_.values[name], help);
}

void CommandLine::add_operation(const api::Operation& operation) {
  CLI::App* app = command(std::string(operation.command), std::string(operation.help), std::string(operation.example));
  bool first = true;
  for (const auto& parameter : operation.parameters) {
    add_parameter(*app, parameter, first);
    first = false;
  }
  if (operation.name == "status") {
    app->add_flag("--watch", options_.watch, "again and again, until Ctrl-C");
    app->add_flag("--check", options_.check, "exit 1 when not everything is well");
    app->callback([this] { chosen_ = [this] { return options_.watch ? watch() : status(); }; });
  } else if (operation.name == "events") {
    app->callback([this] { chosen_ = [this] { return events(); }; });
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

void CommandLine::add_local_commands() {
  add_volume_actions();
  add_drbdsetup();
  const std::map<std::string, int (CommandLine::*)()> actions{
      {"volume status", &CommandLine::volume_status}, {"volume create", &CommandLine::volume_create},
      {"config check", &CommandLine::config_check},   {"import drbd", &CommandLine::import_drbd},
      {"completion", &CommandLine::print_completion}, {"drbdmeta", &CommandLine::drbdmeta_help}};
  for (const auto& local : local_commands()) {
    const std::string words = local.command;
    if (!actions.contains(words)) continue;
    CLI::App* app = command(words, local.help, local.example);
    if (words == "volume status") app->add_option("name", options_.values["volume"], "only this volume");
    if (words == "volume create") {
      app->add_option("name", options_.values["volume"], "the volume")->required();
      app->add_flag("--force", options_.force, "also when the disk holds something: it is lost");
      app->add_option("--node", options_.node, "which node this is")->capture_default_str();
      app->add_option("--config", options_.config_file, "configuration")->capture_default_str();
    }
    if (words == "config check") app->add_option("file", options_.config_file, "configuration")->capture_default_str();
    if (words == "import drbd") {
      app->add_option("--config", options_.drbd_import.file,
                      "DRBD's configuration; what drbdadm would take if not given");
      app->add_option("--node", options_.node, "the machine that takes DRBD's place")->capture_default_str();
      app->add_option("--output", options_.drbd_import.output, "a new file for cluster.toml instead of the terminal");
      app->add_flag("--check", options_.check, "write nothing, only say whether it can be imported");
    }
    if (words == "completion")
      app->add_option("shell", options_.shell, "bash or zsh")->required()->check(CLI::IsMember({"bash", "zsh"}));
    app->callback([this, action = actions.at(words)] { chosen_ = [this, action] { return (this->*action)(); }; });
  }
}

void CommandLine::add_volume_actions() {
  for (const VolumeAction& action : volume_actions()) {
    CLI::App* app = command(action.command, action.help, action.example);
    add_volume_options(*app, action, volume_);
    if (std::string_view(action.command) == "volume up") {
      app->add_option("--node", options_.node, "which node this is")->capture_default_str();
      app->add_option("--config", options_.config_file, "configuration")->capture_default_str();
    }
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

// The options that all commands share, as the volume's commands take them.
VolumeRequest CommandLine::volume() const {
  VolumeRequest request = volume_;
  request.run_dir = options_.run_dir;
  request.node = options_.node;
  request.config_file = options_.config_file;
  request.as_json = options_.as_json;
  request.timeout = seconds(options_.timeout_s);
  return request;
}

// Where no manager decides, the volume's own daemon is asked: false, unless it says so.
bool CommandLine::operators(const api::Operation& operation) {
  if (operation.name != "volume_primary" && operation.name != "volume_secondary") return false;
  volume_.volume = options_.values["volume"];
  const auto state = blockd_state(options_.run_dir, volume_.volume);
  return state && text(*state, "authority") == "operator";
}

int CommandLine::change_by_operator(const api::Operation& operation) {
  const bool primary = operation.name == "volume_primary";
  const std::string on = options_.values["node"];
  if (!on.empty() && on != around_.node && on != options_.node)
    return failed({"the volume's own rules decide", volume_.volume, "it is made primary where it shall be primary",
                   "run this on " + on},
                  refused);
  if (options_.force) volume_.arguments["force"] = true;
  return volume_operation({{"op", primary ? "promote" : "demote"}}, volume(), around_);
}

int CommandLine::run(const std::vector<std::string>& arguments) {
  app_.add_option("--run-dir", options_.run_dir, "where the daemons' sockets are")->capture_default_str();
  app_.add_flag("--json", options_.as_json, "one JSON object per line, as the API gave it");
  app_.require_subcommand(1);
  app_.footer("Exit codes:\n" + exit_codes_text());
  for (const auto& operation : api::operations()) add_operation(operation);
  add_local_commands();
  try {
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app_.exit(error, around_.out, around_.err) == 0 ? ok : unusable;
  }
  return chosen_();
}

Result<json> CommandLine::ask(const json& request, Duration timeout) const {
  auto connection = Connection::open(options_.socket());
  if (!connection)
    return fail("no contact with bascule-managerd", connection.error().where, connection.error().why,
                "is it running on this machine, and may you open its socket?");
  return connection->ask(request, timeout);
}

int CommandLine::status() {
  const auto answer = ask({{"op", "status"}});
  if (!answer) return failed(answer.error(), no_contact);
  if (!flag(*answer, "ok")) return failed(error_in(*answer), refused);
  if (options_.as_json)
    around_.out << *answer << "\n";
  else
    around_.out << status_text(*answer, json{}, around_.style);
  return options_.check && !flag(*answer, "healthy") ? refused : ok;
}

int CommandLine::watch() {
  json before;
  for (;;) {
    const auto answer = ask({{"op", "status"}});
    if (!answer && before.is_null()) return failed(answer.error(), no_contact);
    if (around_.style.colour) around_.out << "\x1b[H\x1b[2J";
    if (!answer)
      around_.out << "No contact with bascule-managerd at the moment: " << answer.error().why << std::endl;
    else if (options_.as_json)
      around_.out << *answer << std::endl;
    else
      around_.out << status_text(*answer, before, around_.style) << std::endl;
    if (!around_.out) return ok;
    if (answer) before = *answer;
    std::this_thread::sleep_for(std::chrono::seconds(1));
  }
}

int CommandLine::events() {
  auto connection = Connection::open(options_.socket());
  if (!connection) return failed(connection.error(), no_contact);
  if (auto sent = connection->send({{"op", "events"}, {"since", options_.since}, {"follow", options_.follow}}); !sent)
    return failed(sent.error(), no_contact);
  for (bool backlog = true;;) {
    const auto line =
        connection->receive(options_.follow && !backlog ? Duration(std::chrono::hours(24)) : answer_timeout);
    if (!line) return failed(line.error(), no_contact);
    if (line->contains("ok")) {
      if (!flag(*line, "ok")) return failed(error_in(*line), refused);
      if (!options_.follow) return ok;
      backlog = false;
    } else if (options_.as_json) {
      around_.out << *line << std::endl;
    } else {
      around_.out << event_text(*line, around_.style) << std::endl;
    }
    if (!around_.out) return ok;
  }
}

json CommandLine::request_of(const api::Operation& operation) const {
  json request{{"op", operation.name}};
  for (const auto& parameter : operation.parameters) {
    const auto value = options_.values.find(std::string(parameter.name));
    if (value != options_.values.end() && !value->second.empty()) request[std::string(parameter.name)] = value->second;
  }
  return request;
}

Goal CommandLine::goal_of(const api::Operation& operation, const json& before) const {
  const auto value = [&](const char* key) {
    const auto found = options_.values.find(key);
    return found == options_.values.end() ? std::string{} : found->second;
  };
  const json& service = named(member(before, "services"), value("service"));
  if (operation.name == "start") return {Goal::Kind::started, value("service"), "", ""};
  if (operation.name == "stop") return {Goal::Kind::stopped, value("service"), "", ""};
  if (operation.name == "standby") return {Goal::Kind::emptied, value("node"), "", ""};
  if (operation.name == "move" && text(service, "target") == "Started")
    return {Goal::Kind::moved, value("service"), text(service, "owner"), value("to")};
  return {};
}

int CommandLine::change(const api::Operation& operation) {
  if (operators(operation)) return change_by_operator(operation);
  if (operation.name == "volume_primary" && options_.values["node"].empty())
    return failed({"it is not clear where", "--on", "a manager's volume becomes primary on the node that is named",
                   "bascule " + std::string(operation.example)},
                  unusable);
  const auto before = ask({{"op", "status"}});
  if (!before) return failed(before.error(), no_contact);
  const auto events_before = ask({{"op", "events"}, {"since", 0}});
  const auto answer = ask(request_of(operation), seconds(options_.timeout_s));
  if (!answer) return failed(answer.error(), answer.error().what == "no answer" ? timed_out : no_contact);
  if (!flag(*answer, "ok")) return failed(error_in(*answer), refused);
  const Goal goal = goal_of(operation, *before);
  int code = ok;
  if (!options_.no_wait && goal.kind != Goal::Kind::none) {
    const auto since = events_before ? static_cast<std::uint64_t>(number(*events_before, "last")) : 0;
    code = follow_through(options_.socket(), goal, since, seconds(options_.timeout_s), options_.as_json, around_);
  }
  if (options_.as_json) {
    json result = *answer;
    result["done"] = code == ok && !options_.no_wait;
    around_.out << result << "\n";
  } else if (code == ok) {
    around_.out << (options_.no_wait ? "Committed: " : "Done: ") << operation.command << "\n";
  }
  return code;
}

int CommandLine::volume_status() {
  const auto answer = ask({{"op", "status"}});
  if (!answer) return volume_state_without_manager(answer.error());
  const std::string& only = options_.values["volume"];
  if (!only.empty() && named(member(*answer, "volumes"), only).is_null())
    return failed(
        {"there is no such volume", only, "it is not in the configuration", "bascule volume status lists them"},
        refused);
  if (options_.as_json)
    around_.out << (only.empty() ? member(*answer, "volumes") : named(member(*answer, "volumes"), only)) << "\n";
  else
    around_.out << volumes_text(*answer, json{}, only, around_.style);
  return ok;
}

int CommandLine::volume_state_without_manager(const Error& why) {
  const std::string& only = options_.values["volume"];
  json replicas = json::array();
  for (const std::string& volume : local_volumes(options_.run_dir)) {
    if (!only.empty() && volume != only) continue;
    if (auto state = blockd_state(options_.run_dir, volume)) replicas.push_back(std::move(*state));
  }
  if (replicas.empty()) return failed(why, no_contact);
  around_.err << "bascule: no contact with bascule-managerd; this is what bascule-blockd says of this node alone\n";
  for (auto& replica : replicas) {
    if (options_.as_json) around_.out << replica << "\n";
    json shown = replica;
    shown["node"] = around_.node;
    shown["age_ms"] = 0;
    const json alone{
        {"volumes",
         {{{"name", text(replica, "name")}, {"size_bytes", number(replica, "size_bytes")}, {"replicas", {shown}}}}}};
    if (!options_.as_json) around_.out << volumes_text(alone, json{}, "", around_.style);
  }
  return ok;
}

int CommandLine::volume_create() {
  const auto config = config::load(options_.config_file);
  if (!config) return failed(config.error(), unusable);
  const auto made = around_.create_volume(*config, options_.node, options_.values["volume"], options_.force);
  if (!made) return failed(made.error(), refused);
  if (options_.as_json)
    around_.out << *made << "\n";
  else
    around_.out << text(*made, "text") << "\n";
  return ok;
}

int CommandLine::config_check() {
  const auto config = config::load(options_.config_file);
  if (!config) return failed(config.error(), refused);
  if (options_.as_json)
    around_.out << json{{"ok", true}, {"cluster", config->name}} << "\n";
  else
    around_.out << fmt::format("{}: cluster {} with {} nodes, {} volumes, {} services: nothing wrong.\n",
                               options_.config_file, config->name, config->nodes.size(), config->volumes.size(),
                               config->services.size());
  return ok;
}

int CommandLine::import_drbd() {
  options_.drbd_import.node = options_.node;
  options_.drbd_import.only_check = options_.check;
  const auto answer = run_import(options_.drbd_import);
  if (!answer) return failed(answer.error(), refused);
  if (options_.as_json)
    around_.out << *answer << "\n";
  else
    around_.out << answer->at("text").get<std::string>();
  return ok;
}

int CommandLine::print_completion() {
  around_.out << completion(options_.shell);
  return ok;
}

/// Reached only by options of ours before the word: drbdmeta's arguments are its own.
int CommandLine::drbdmeta_help() { return run_drbdmeta({"drbdmeta", "--help"}, around_); }

}  // namespace

int run(const std::vector<std::string>& arguments, const Surroundings& surroundings) {
  if (arguments == std::vector<std::string>{"manual"}) {  // for docs/man; not for people
    surroundings.out << manual();
    return ok;
  }
  if (is_drbdmeta(arguments)) return run_drbdmeta(arguments, surroundings);
  return CommandLine(surroundings).run(arguments);
}

}  // namespace bascule::cli
