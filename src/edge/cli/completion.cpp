#include <fmt/format.h>

#include <map>
#include <set>

#include "edge/api/operations.h"
#include "edge/cli/manual.h"

namespace bascule::cli {
namespace {

/// First word -> second words ("volume" -> primary, secondary, ...).
std::map<std::string, std::set<std::string>> words() {
  std::map<std::string, std::set<std::string>> found;
  const auto add = [&found](std::string_view command) {
    const auto space = command.find(' ');
    auto& second = found[std::string(command.substr(0, space))];
    if (space != std::string_view::npos) second.emplace(command.substr(space + 1));
  };
  for (const auto& operation : api::operations())
    if (!operation.command.empty()) add(operation.command);
  for (const auto& local : local_commands()) add(local.command);
  return found;
}

/// What the first argument of a command names: services, nodes or volumes of the live cluster.
std::string live_cases() {
  std::string out;
  for (const auto& operation : api::operations()) {
    if (operation.parameters.empty() || operation.command.empty()) continue;
    const auto kind = operation.parameters.front().kind;
    const char* list = kind == api::Parameter::Kind::service ? "services"
                       : kind == api::Parameter::Kind::node  ? "nodes"
                                                             : "volumes";
    if (kind <= api::Parameter::Kind::volume && operation.parameters.front().required)
      out += fmt::format("    '{}') _bascule_names {} ;;\n", operation.command, list);
  }
  for (const auto& local : local_commands())
    if (local.command.starts_with("volume ") || local.command.starts_with("drbdsetup "))
      out += fmt::format("    '{}') _bascule_names volumes ;;\n", local.command);
  return out + "    'drain') _bascule_names nodes ;;\n    'restart') _bascule_names services ;;\n" +
         "    'completion') echo bash zsh ;;\n";
}

std::string first_words() {
  std::string out;
  for (const auto& [first, second] : words()) out += (out.empty() ? "" : " ") + first;
  return out;
}

std::string second_cases() {
  std::string out;
  for (const auto& [first, second] : words()) {
    if (second.empty()) continue;
    out += fmt::format("    {}) echo", first);
    for (const auto& word : second) out += " " + word;
    out += " ;;\n";
  }
  return out;
}

/// Functions that both shells understand.
std::string common() {
  return "# Made by `bascule completion`; the names are those of the running cluster.\n"
         "_bascule_names() {\n"
         "  bascule status --json 2>/dev/null | python3 -c 'import json, sys\n"
         "ones = json.load(sys.stdin)[sys.argv[1]]\n"
         "print(*sorted({one.get(key) for one in ones for key in (\"name\", \"copy_of\")} - {None}))' \"$1\" "
         "2>/dev/null\n}\n"
         "_bascule_words() {  # $1 and $2: the words before the one that is completed; $3: the last of them\n"
         "  case \"$3\" in\n    --to|--on|--node) _bascule_names nodes; return ;;\n    --service) _bascule_names "
         "services; return ;;\n  esac\n"
         "  if [ -z \"$1\" ]; then echo " +
         first_words() + "; return; fi\n  if [ -z \"$2\" ]; then case \"$1\" in\n" + second_cases() +
         "  esac; fi\n  case \"$1${2:+ $2}\" in\n" + live_cases() +
         "  esac\n  echo --help --json\n  case \"$1\" in move) echo --to --no-wait ;; status) echo --watch --check ;; "
         "events) echo --follow --since ;; "
         "start|stop) echo --all ;; restart) echo --all --step ;; maintenance) echo --service --node --for --reason ;; "
         "history) echo --since --service --node --kind --follow ;; esac\n}\n";
}

}  // namespace

std::string completion(const std::string& shell) {
  if (shell == "bash")
    return common() +
           "_bascule() {\n  local word=${COMP_WORDS[COMP_CWORD]} first= second=\n"
           "  [ \"$COMP_CWORD\" -gt 1 ] && first=${COMP_WORDS[1]}\n  [ \"$COMP_CWORD\" -gt 2 ] && "
           "second=${COMP_WORDS[2]}\n"
           "  COMPREPLY=($(compgen -W \"$(_bascule_words \"$first\" \"$second\" \"${COMP_WORDS[COMP_CWORD-1]}\")\" -- "
           "\"$word\"))\n}\n"
           "complete -F _bascule bascule\n";
  if (shell == "zsh")
    return "#compdef bascule\n" + common() +
           "_bascule() {\n  local first= second=\n  (( CURRENT > 2 )) && first=${words[2]}\n  (( CURRENT > 3 )) && "
           "second=${words[3]}\n"
           "  compadd -- ${=$(_bascule_words \"$first\" \"$second\" \"${words[CURRENT-1]}\")}\n}\n"
           "compdef _bascule bascule\n";
  return {};
}

}  // namespace bascule::cli
