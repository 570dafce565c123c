// Commands that need no manager, or do without it.

#include <fmt/format.h>

#include <ostream>

#include "edge/cli/agent_command.h"
#include "edge/cli/blockd_client.h"
#include "edge/cli/detail/command_line.h"
#include "edge/cli/drbdmeta_command.h"
#include "edge/cli/manual.h"

namespace bascule::cli::detail {

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
  const std::string first = config->no_takeover();
  const auto notes = config->fence_reactions_without_device();
  const auto agents = agent_metadata::findings_of(*config, agent_metadata::ask_here(*config));
  if (options_.as_json)
    around_.out << json{{"ok", true},
                        {"cluster", config->name},
                        {"no_takeover", first},
                        {"notes", notes},
                        {"agents", findings_json(agents)}}
                << "\n";
  else {
    around_.out << (first.empty() ? "" : first + " (add a witness, or [fence.NAME] for both).\n")
                << fmt::format("{}: cluster {} with {} nodes, {} volumes, {} services: nothing wrong.\n",
                               options_.config_file, config->name, config->nodes.size(), config->volumes.size(),
                               config->services.size());
    for (const auto& note : notes) around_.out << "Note: " << note << ".\n";
    around_.out << findings_text(agents);
  }
  return ok;
}

int CommandLine::config_change() {
  options_.config_change.as_json = options_.as_json;
  options_.config_change.who = around_.person + "@" + around_.node;
  return run_config(
      options_.config_change, [this](const json& request) { return ask(request, seconds(30)); }, around_);
}

int CommandLine::membership() {
  options_.config_change.as_json = options_.as_json;
  options_.config_change.who = around_.person + "@" + around_.node;
  options_.member.config_file = options_.config_file;
  options_.member.state_dir = options_.state_dir;
  if (options_.member.action == "leave") options_.member.node = options_.node;
  const Ask ask_manager = [this](const json& request) { return ask(request, seconds(30)); };
  return run_member(options_.member, options_.config_change, ask_manager, around_);
}

int CommandLine::import_drbd() {
  options_.drbd_import.node = options_.node;
  options_.drbd_import.only_check = options_.check;
  return print_answer(run_import(options_.drbd_import));
}

int CommandLine::agent() { return print_answer(run_agent(options_.values["agent"])); }

int CommandLine::key() { return print_answer(run_key(options_.key)); }

int CommandLine::simulate() {
  options_.simulation.as_json = options_.as_json;
  return print_answer(run_simulate(options_.simulation));
}

int CommandLine::why() { return print_answer(run_why(options_.why)); }

int CommandLine::what_if() {
  options_.what_if.as_json = options_.as_json;
  return print_answer(run_what_if(options_.what_if));
}

int CommandLine::rehearse() {
  rehearse_.as_json = options_.as_json;
  return run_rehearse(
      rehearse_, [this](const json& request) { return ask(request); }, around_);
}

/// An answer with a text and perhaps notices; what is told of a file or a CIB may hold any bytes.
int CommandLine::print_answer(const Result<json>& answer) const {
  if (!answer) return failed(answer.error(), refused);
  for (const auto& notice : member(*answer, "notices"))
    if (!options_.as_json) around_.err << "bascule: " << notice.get<std::string>() << "\n";
  if (options_.as_json)
    around_.out << one_line(*answer) << "\n";
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

}  // namespace bascule::cli::detail
