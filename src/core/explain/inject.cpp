// What may be supposed to happen, as words and as changes of a CIB.
#include "core/explain/inject.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/explain/edit.h"
#include "core/explain/words.h"
#include "wire/cib/times.h"

namespace bascule::explain {
namespace {

using Verb = Injection::Verb;
using Names = std::vector<std::string>;

struct Form {
  Verb verb;
  const char* word;    ///< of --inject
  const char* phrase;  ///< words in capitals stand for names
};

constexpr std::array<Form, 14> kForms{{{Verb::node_fail, "node-fail", "node NODE fails"},
                                       {Verb::node_down, "node-down", "node NODE is stopped"},
                                       {Verb::node_up, "node-up", "node NODE comes back"},
                                       {Verb::node_standby, "node-standby", "node NODE goes to standby"},
                                       {Verb::node_online, "node-online", "node NODE leaves standby"},
                                       {Verb::node_maintenance, "node-maintenance", "node NODE goes to maintenance"},
                                       {Verb::node_ready, "node-ready", "node NODE leaves maintenance"},
                                       {Verb::op_fail, "op-fail", "TASK of RESOURCE fails on NODE"},
                                       {Verb::resource_stop, "resource-stop", "resource RESOURCE is stopped"},
                                       {Verb::resource_start, "resource-start", "resource RESOURCE is started"},
                                       {Verb::quorum_lost, "quorum-lost", "quorum is lost"},
                                       {Verb::quorum_regained, "quorum-regained", "quorum is regained"},
                                       {Verb::ticket_grant, "ticket-grant", "ticket TICKET is granted"},
                                       {Verb::ticket_revoke, "ticket-revoke", "ticket TICKET is revoked"}}};

Names split(std::string_view text, char separator) {
  Names parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  std::erase(parts, std::string());
  return parts;
}

// ---- names ----------------------------------------------------------------------------------------------------------

Names node_names(const cib::Cib& cib) {
  Names names;
  for (const cib::Node& node : cib.nodes) names.push_back(node.name);
  for (const cib::NodeState& state : cib.node_states)
    if (std::find(names.begin(), names.end(), state.name) == names.end()) names.push_back(state.name);
  return names;
}

void collect_resources(const std::vector<cib::Resource>& resources, Names& names) {
  for (const cib::Resource& resource : resources) {
    if (resource.kind == cib::Resource::Kind::resource_template) continue;
    names.push_back(resource.id);
    collect_resources(resource.children, names);
  }
}

Result<void> known(const std::string& name, const Names& names, const char* kind) {
  if (std::find(names.begin(), names.end(), name) != names.end()) return {};
  const std::string like = most_like(name, names);
  return fail(std::string("there is no such ") + kind, name, "there are " + list_text(names, 12),
              like.empty() ? "" : "did you mean " + like + "?");
}

Result<void> check(const Injection& made, const cib::Cib& cib) {
  Names resources;
  collect_resources(cib.resources, resources);
  switch (made.verb) {
    case Verb::quorum_lost:
    case Verb::quorum_regained:
    case Verb::ticket_grant:
    case Verb::ticket_revoke:
      return {};
    case Verb::resource_stop:
    case Verb::resource_start:
      return known(made.subject, resources, "resource");
    case Verb::op_fail:
      if (auto found = known(base_of(made.subject), resources, "resource"); !found) return found;
      return known(made.node, node_names(cib), "node");
    default:
      return known(made.subject, node_names(cib), "node");
  }
}

// ---- operations -----------------------------------------------------------------------------------------------------

/// Of the first monitor that a resource has; 0: none.
std::uint32_t own_interval(const std::vector<cib::Resource>& resources, const std::string& id) {
  for (const cib::Resource& resource : resources) {
    if (const std::uint32_t inside = own_interval(resource.children, id); inside != 0) return inside;
    if (resource.id != id) continue;
    for (const cib::Operation& each : resource.operations)
      if (each.name == "monitor") return cib::parse_interval_ms(each.interval).value_or(0);
  }
  return 0;
}

/// RESOURCE:TASK[:INTERVAL]@NODE[=RC]; the resource may be an instance, whose name holds a colon.
Result<Injection> parse_failure(const std::string& text, const cib::Cib& cib) {
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos)
    return fail("the failure is not understood", text, "it names no node", "op-fail=web:monitor@alice");
  Injection made;
  made.verb = Verb::op_fail;
  made.node = text.substr(at + 1);
  if (const std::size_t equals = made.node.find('='); equals != std::string::npos) {
    std::from_chars(made.node.data() + equals + 1, made.node.data() + made.node.size(), made.rc);
    made.node.resize(equals);
  }
  Names parts = split(text.substr(0, at), ':');
  const bool timed = parts.size() > 2 && cib::parse_interval_ms(parts.back()) &&
                     std::isdigit(static_cast<unsigned char>(parts.back()[0])) != 0;
  const std::string interval = timed ? parts.back() : "";
  if (timed) parts.pop_back();
  if (parts.size() < 2)
    return fail("the failure is not understood", text, "it names no operation", "op-fail=web:monitor@alice");
  made.task = parts.back();
  parts.pop_back();
  for (const std::string& part : parts) made.subject += (made.subject.empty() ? "" : ":") + part;
  made.interval_ms = timed                    ? cib::parse_interval_ms(interval).value_or(0)
                     : made.task == "monitor" ? own_interval(cib.resources, base_of(made.subject))
                                              : 0;
  return made;
}

bool needs_subject(Verb verb) { return verb != Verb::quorum_lost && verb != Verb::quorum_regained; }

Result<Injection> parse_one(const std::string& text, const cib::Cib& cib) {
  const std::size_t equals = text.find('=');
  const std::string word = text.substr(0, equals);
  const std::string value = equals == std::string::npos ? "" : text.substr(equals + 1);
  Names words;
  for (const Form& form : kForms) {
    words.emplace_back(form.word);
    if (word != form.word) continue;
    if (needs_subject(form.verb) == value.empty())
      return fail("the change is not understood", text, value.empty() ? "a name is missing" : "this takes no name",
                  "bascule simulate --help lists the changes");
    if (form.verb == Verb::op_fail) return parse_failure(value, cib);
    Injection made;
    made.verb = form.verb;
    made.subject = value;
    return made;
  }
  const std::string like = most_like(word, words);
  return fail("the change is not known", word, "there are " + list_text(words, 20),
              like.empty() ? "" : "did you mean " + like + "?");
}

// ---- phrases --------------------------------------------------------------------------------------------------------

bool placeholder(const std::string& word) { return std::isupper(static_cast<unsigned char>(word[0])) != 0; }

/// Fills in the names where all other words are the same.
bool matches(const Form& form, const Names& words, Injection& made) {
  const Names pattern = split(form.phrase, ' ');
  if (pattern.size() != words.size()) return false;
  made = {};
  made.verb = form.verb;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!placeholder(pattern[i])) {
      if (pattern[i] != words[i]) return false;
    } else if (pattern[i] == "TASK") {
      made.task = words[i];
    } else if (pattern[i] == "NODE" && form.verb == Verb::op_fail) {
      made.node = words[i];
    } else {
      made.subject = words[i];
    }
  }
  return true;
}

Result<Injection> parse_phrase(const Names& words, const cib::Cib& cib) {
  Injection made;
  for (const Form& form : kForms) {
    if (!matches(form, words, made)) continue;
    if (made.verb == Verb::op_fail && made.task == "monitor")
      made.interval_ms = own_interval(cib.resources, base_of(made.subject));
    return made;
  }
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return fail("the question is not understood", text, "understood are: " + list_text(phrases(), 20),
              "phrases are joined by \"and\"");
}

// ---- effects --------------------------------------------------------------------------------------------------------

cib::ResourceHistory& history_of(cib::Cib& cib, cib::NodeState& state, const std::string& id) {
  for (cib::ResourceHistory& history : state.resources)
    if (history.id == id || history.id == base_of(id)) return history;
  cib::ResourceHistory made;
  made.id = id;
  if (const cib::Resource* resource = find_resource(cib, base_of(id))) {
    made.resource_class = resource->resource_class;
    made.provider = resource->provider;
    made.type = resource->type;
  }
  return state.resources.emplace_back(std::move(made));
}

int next_call(const cib::NodeState& state) {
  int last = 0;
  for (const cib::ResourceHistory& history : state.resources)
    for (const cib::OperationResult& each : history.operations) last = std::max(last, each.call_id);
  return last + 1;
}

void fail_operation(cib::Cib& cib, const Injection& injection, std::int64_t now_s) {
  cib::NodeState* state = find_state(cib, injection.node);
  if (state == nullptr) return;
  cib::OperationResult result;
  result.call_id = next_call(*state);
  cib::ResourceHistory& history = history_of(cib, *state, injection.subject);
  const std::string interval = std::to_string(injection.interval_ms);
  const std::string expected = injection.task == "monitor" && injection.interval_ms == 0 ? "7" : "0";
  result.id = history.id + "_last_failure_0";
  result.operation = injection.task;
  result.operation_key = history.id + "_" + injection.task + "_" + interval;
  result.interval_ms = injection.interval_ms;
  result.rc = injection.rc;
  result.transition_key = "0:0:" + expected + ":injected";
  result.transition_magic = "0:" + std::to_string(injection.rc) + ";" + result.transition_key;
  result.last_change_s = now_s;
  result.has_last_change = true;
  std::erase_if(history.operations, [&](const cib::OperationResult& each) { return each.id == result.id; });
  history.operations.push_back(std::move(result));
  const std::string suffix = base_of(injection.subject) + "#" + injection.task + "_" + interval;
  cib::NameValueSet made;
  made.id = "injected-" + suffix;
  made.pairs = {{"fail-count-" + suffix, injection.task == "start" ? "INFINITY" : "1"},
                {"last-failure-" + suffix, std::to_string(now_s)}};
  state->transient_attributes.push_back(std::move(made));
}

}  // namespace

Result<std::vector<Injection>> parse_injections(std::string_view text, const cib::Cib& cib) {
  std::vector<Injection> all;
  for (const std::string& each : split(text, ',')) {
    auto made = parse_one(each, cib);
    if (!made) return tl::unexpected(made.error());
    if (const auto checked = check(*made, cib); !checked) return tl::unexpected(checked.error());
    all.push_back(std::move(*made));
  }
  return all;
}

Result<std::vector<Injection>> parse_phrases(std::string_view text, const cib::Cib& cib) {
  std::vector<Injection> all;
  std::vector<Names> parts(1);
  for (const std::string& word : split(text, ' ')) {
    if (word == "and")
      parts.emplace_back();
    else
      parts.back().push_back(word);
  }
  for (const Names& words : parts) {
    auto made = parse_phrase(words, cib);
    if (!made) return tl::unexpected(made.error());
    if (const auto checked = check(*made, cib); !checked) return tl::unexpected(checked.error());
    all.push_back(std::move(*made));
  }
  return all;
}

std::vector<std::string> phrases() {
  Names all;
  for (const Form& form : kForms) all.emplace_back(form.phrase);
  return all;
}

std::vector<std::string> verbs() {
  Names all;
  for (const Form& form : kForms) {
    const std::string_view phrase = form.phrase;
    std::string value;
    for (const std::string& word : split(phrase, ' '))
      if (placeholder(word)) value = "=" + word;
    all.push_back(form.word + (form.verb == Verb::op_fail ? "=RESOURCE:TASK[:INTERVAL]@NODE[=RC]" : value));
  }
  return all;
}

void apply(cib::Cib& cib, const Injection& injection, std::int64_t now_s) {
  const std::string& name = injection.subject;
  switch (injection.verb) {
    case Verb::node_fail:
      return static_cast<void>(set_presence(cib, name, Presence::lost));
    case Verb::node_down:
      return static_cast<void>(set_presence(cib, name, Presence::stopped));
    case Verb::node_up:
      return static_cast<void>(set_presence(cib, name, Presence::up));
    case Verb::node_standby:
    case Verb::node_online:
      return static_cast<void>(
          set_attribute(cib, name, "standby", injection.verb == Verb::node_standby ? "on" : "off"));
    case Verb::node_maintenance:
    case Verb::node_ready:
      return static_cast<void>(
          set_attribute(cib, name, "maintenance", injection.verb == Verb::node_maintenance ? "true" : "false"));
    case Verb::op_fail:
      return fail_operation(cib, injection, now_s);
    case Verb::resource_stop:
    case Verb::resource_start:
      return static_cast<void>(
          set_meta(cib, name, "target-role", injection.verb == Verb::resource_stop ? "Stopped" : "Started"));
    case Verb::quorum_lost:
    case Verb::quorum_regained:
      return static_cast<void>(set_quorum(cib, injection.verb == Verb::quorum_regained));
    case Verb::ticket_grant:
    case Verb::ticket_revoke:
      return static_cast<void>(grant_ticket(cib, name, injection.verb == Verb::ticket_grant));
  }
}

std::string text_of(const Injection& injection) {
  std::string text;
  for (const Form& form : kForms) {
    if (form.verb != injection.verb) continue;
    for (const std::string& word : split(form.phrase, ' ')) {
      const bool where = word == "NODE" && form.verb == Verb::op_fail;
      const std::string& name = word == "TASK" ? injection.task : where ? injection.node : injection.subject;
      text += (text.empty() ? "" : " ") + (placeholder(word) ? name : word);
    }
  }
  return text;
}

}  // namespace bascule::explain
