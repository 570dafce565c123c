// What bascule-managerd is asked, and the volume's own daemon where no manager decides.

#include <chrono>
#include <ostream>
#include <thread>

#include "edge/cli/blockd_client.h"
#include "edge/cli/connection.h"
#include "edge/cli/detail/command_line.h"

namespace bascule::cli::detail {

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

int CommandLine::attributes(const api::Operation& operation) {
  const auto answer = ask(request_of(operation));
  if (!answer) return failed(answer.error(), no_contact);
  if (!flag(*answer, "ok")) return failed(error_in(*answer), refused);
  if (options_.as_json)
    around_.out << *answer << "\n";
  else
    around_.out << attributes_text(*answer);
  return ok;
}

json CommandLine::request_of(const api::Operation& operation) const {
  json request{{"op", operation.name}};
  for (const auto& parameter : operation.parameters) {
    const auto value = options_.values.find(std::string(parameter.name));
    if (value != options_.values.end() && !value->second.empty()) request[std::string(parameter.name)] = value->second;
  }
  for (const auto& [name, set] : options_.flags)
    if (set) request[name] = true;
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
  const bool of_all = operation.name == "start" || operation.name == "stop";
  if (of_all && operate_.all != options_.values["service"].empty())
    return failed({"it is not clear what", "", "name one service, or everything by --all",
                   "bascule " + std::string(operation.example)},
                  unusable);
  if (operate_.all) return operate(std::string(operation.name) + " --all");
  if (operation.name == "volume_primary" && options_.values["node"].empty())
    return failed({"it is not clear where", "--on", "a manager's volume becomes primary on the node that is named",
                   "bascule " + std::string(operation.example)},
                  unusable);
  const auto before = ask({{"op", "status"}});
  if (!before) return failed(before.error(), no_contact);
  const auto events_before = ask({{"op", "events"}, {"since", 0}});
  const auto answer = ask(request_of(operation), seconds(options_.timeout_s));
  if (!answer) return failed(answer.error(), code_without_answer(answer.error()));
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

}  // namespace bascule::cli::detail
