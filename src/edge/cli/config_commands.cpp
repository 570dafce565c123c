// The agreed configuration: what differs, what a change would do, and the change.
#include "edge/cli/config_commands.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <istream>
#include <ostream>

#include "edge/cli/agent_command.h"
#include "edge/cli/connection.h"
#include "edge/cli/failure.h"
#include "edge/cli/member_commands.h"
#include "runtime/files/read_file.h"

namespace bascule::cli {
namespace {

/// One change on its way: asked for, shown, confirmed, applied.
struct Change {
  const ConfigRequest& request;
  const Ask& ask;
  const Surroundings& around;

  [[nodiscard]] int fail_with(const Error& error, int code) const {
    return tell_failure(error, code, request.as_json, around);
  }
  /// The answer, or the exit code of a refusal that was told.
  [[nodiscard]] std::optional<json> asked(const json& question, int& code) const {
    auto answer = ask(question);
    if (!answer) {
      code = fail_with(answer.error(), no_contact);
      return std::nullopt;
    }
    if (!flag(*answer, "ok")) {
      code = fail_with(error_in(*answer), refused);
      return std::nullopt;
    }
    return std::move(*answer);
  }

  /// Nobody there who could say yes is a no.
  [[nodiscard]] bool confirmed() const {
    if (request.yes) return true;
    if (around.in == nullptr || !around.asks) {
      around.err << "bascule: nothing was changed: nobody is at the terminal to confirm it; --yes confirms\n";
      return false;
    }
    around.out << "Apply it? [y/N] " << std::flush;
    std::string line;
    if (!std::getline(*around.in, line)) line.clear();
    if (line == "y" || line == "Y" || line == "yes") return true;
    around.err << "bascule: nothing was changed\n";
    return false;
  }

  [[nodiscard]] int apply(const std::string& text, const std::string& reason) const {
    int code = ok;
    const auto plan = asked({{"op", "config_plan"}, {"text", text}}, code);
    if (!plan) return code;
    if (member(*plan, "differences").empty()) {
      if (request.as_json)
        around.out << one_line({{"ok", true}, {"changed", false}, {"version", number(*plan, "base_version")}}) << "\n";
      else
        around.out << "Nothing differs from the configuration in force.\n";
      return ok;
    }
    if (!request.as_json) around.out << plan_text(*plan);
    if (!member(*plan, "refusals").empty())
      return fail_with({"the configuration cannot be applied now", "", member(*plan, "refusals")[0].get<std::string>(),
                        "nothing was changed"},
                       refused);
    if (!confirmed()) return refused;
    const auto done = asked({{"op", "config_apply"},
                             {"base_version", number(*plan, "base_version")},
                             {"text", member(*plan, "text")},
                             {"reason", reason},
                             {"who", request.who}},
                            code);
    if (!done) return code;
    const auto version = number(*plan, "base_version") + 1;
    if (request.as_json)
      around.out << one_line({{"ok", true}, {"changed", true}, {"version", version}, {"plan", *plan}}) << "\n";
    else
      around.out << fmt::format("Configuration {} is in force. `bascule config undo` goes back.\n", version);
    return ok;
  }

  [[nodiscard]] int undo() const {
    int code = ok;
    const auto history = asked({{"op", "config_history"}}, code);
    if (!history) return code;
    const auto in_force = number(*history, "in_force");
    const auto to = request.version >= 0 ? request.version : in_force - 1;
    if (flag(*history, "by_file") || to < 0)
      return fail_with({"there is nothing to go back to", "", "no configuration was applied yet", ""}, refused);
    const auto earlier = asked({{"op", "config_history"}, {"version", to}}, code);
    if (!earlier) return code;
    return apply(whole_text(*earlier), request.reason.empty() ? fmt::format("as in version {}", to) : request.reason);
  }

  [[nodiscard]] int history() const {
    int code = ok;
    json question{{"op", "config_history"}};
    if (request.version >= 0) question["version"] = request.version;
    const auto answer = asked(question, code);
    if (!answer) return code;
    if (request.as_json) {
      around.out << one_line(*answer) << "\n";
    } else if (request.version >= 0) {
      around.out << whole_text(*answer);
    } else if (flag(*answer, "by_file")) {
      around.out << "No configuration was applied yet: each node goes by its file.\n";
    } else {
      for (const auto& one : member(*answer, "versions"))
        around.out << fmt::format("{:>5}  {:%Y-%m-%d %H:%M:%S}  {:<16}  {}\n", number(one, "version"),
                                  fmt::localtime(static_cast<std::time_t>(number(one, "at_ms") / 1000)),
                                  printable(text(one, "who")), printable(text(one, "reason")));
    }
    return ok;
  }

  [[nodiscard]] int look(const std::string& wanted) const {
    int code = ok;
    const auto plan = asked({{"op", "config_plan"}, {"text", wanted}}, code);
    if (!plan) return code;
    const bool differs = !member(*plan, "differences").empty();
    const bool only_differences = request.action == "diff";
    if (request.as_json)
      around.out << one_line(only_differences ? json{{"ok", true}, {"differences", member(*plan, "differences")}}
                                              : *plan)
                 << "\n";
    else
      around.out << (only_differences ? differences_text(member(*plan, "differences")) : plan_text(*plan));
    if (only_differences) return differs ? refused : ok;
    return member(*plan, "refusals").empty() ? ok : refused;
  }
};

/// How it goes with the agents of this machine. A text that cannot be used is refused by the manager, with its reason.
void warn_of_agents(const std::string& text, const std::string& file, const Surroundings& around) {
  const auto config = config::parse(text, file);
  if (!config) return;
  auto findings = agent_metadata::findings_of(*config, agent_metadata::ask_here(*config));
  findings.advice.clear();  // `config check` has it
  around.err << findings_text(findings);
}

}  // namespace

std::string differences_text(const json& differences) {
  std::string out;
  for (const auto& one : differences) {
    const auto from = printable(text(one, "from")), to = printable(text(one, "to"));
    const auto path = printable(text(one, "path"));
    if (from.empty())
      out += fmt::format("+ {} = {}\n", path, to);
    else if (to.empty())
      out += fmt::format("- {} = {}\n", path, from);
    else
      out += fmt::format("~ {}: {} -> {}\n", path, from, to);
  }
  return out.empty() ? "Nothing differs.\n" : out;
}

std::string plan_text(const json& plan) {
  std::string out = differences_text(member(plan, "differences"));
  if (!member(plan, "steps").empty()) out += "\nWhat happens:\n";
  for (const auto& step : member(plan, "steps")) out += "  " + printable(step.get<std::string>()) + "\n";
  const auto& interrupts = member(plan, "interrupts");
  std::string names;
  for (const auto& name : interrupts) names += (names.empty() ? "" : ", ") + printable(name.get<std::string>());
  out += names.empty() ? "\nNo service is interrupted.\n" : "\nInterrupted: " + names + "\n";
  if (!member(plan, "refusals").empty()) out += "\nIt cannot be applied now:\n";
  for (const auto& why : member(plan, "refusals")) out += "  " + printable(why.get<std::string>()) + "\n";
  return out;
}

std::string whole_text(const json& answer) {
  const json& found = member(answer, "text");
  return found.is_string() ? found.get<std::string>() : "";
}

int apply_configuration(const std::string& text, const ConfigRequest& request, const Ask& ask,
                        const Surroundings& around) {
  return Change{request, ask, around}.apply(text, request.reason);
}

int run_config(const ConfigRequest& request, const Ask& ask, const Surroundings& around) {
  const Change change{request, ask, around};
  if (request.action == "history") return change.history();
  if (request.action == "undo") return change.undo();
  const auto wanted = files::read_file(request.file, "the configuration cannot be read");
  if (!wanted) return tell_failure(wanted.error(), unusable, request.as_json, around);
  if (!request.as_json && request.action != "diff") warn_of_agents(*wanted, request.file, around);
  return request.action == "apply" ? change.apply(*wanted, request.reason) : change.look(*wanted);
}

}  // namespace bascule::cli
