#include <cctype>
#include <charconv>
#include <ostream>

#include "edge/agent_tools/detail/tools.h"

/// crm_attribute, crm_master and attrd_updater: attributes of nodes and promotion scores.
namespace bascule::agent_tools {
namespace {

using Takes = Option::Takes;

constexpr const char* cluster = "#cluster";

/// What all three come down to.
struct Wish {
  enum class Action { query, set, remove } action = Action::query;
  std::string node;
  std::string name;
  std::string value;
  bool transient = false;
  bool quiet = false;
  std::uint64_t delay_ms = 0;
  std::string scope;                     ///< as crm_attribute prints it
  std::optional<std::string> otherwise;  ///< printed by a query when there is none
  bool as_daemon = false;                ///< print as attrd_updater does
};

/// "5s", "500ms", "2min", "5": seconds, as Pacemaker reads times.
std::uint64_t time_ms(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  if (error != std::errc{}) return 0;
  if (unit == "ms" || unit == "msec") return number;
  if (unit == "m" || unit == "min") return number * 60'000;
  return unit == "h" || unit == "hr" ? number * 3'600'000 : number * 1000;
}

void print(const Wish& wish, const std::string& value, const Surroundings& around) {
  if (wish.as_daemon)
    around.out << "name=\"" << wish.name << "\" host=\"" << wish.node << "\" value=\"" << value << "\"\n";
  else if (wish.quiet)
    around.out << value << "\n";
  else
    around.out << "scope=" << wish.scope << "  name=" << wish.name << " value=" << value << "\n";
}

int query(const Wish& wish, const Surroundings& around) {
  const auto answer = ask(around, {{"op", "attributes"}});
  if (answer.code != ok) return answer.code;
  const json& values = answer.body.at("attributes")
                           .value(wish.node, json::object())
                           .value(wish.transient ? "transient" : "permanent", json::object());
  if (values.contains(wish.name)) return print(wish, values.at(wish.name).get<std::string>(), around), ok;
  if (wish.otherwise) return print(wish, *wish.otherwise, around), ok;
  return complain(around, no_such_thing, "Error performing operation: No such device or address");
}

/// Transient ones are taken at once: an agent never waits for a majority. Permanent ones are answered when agreed.
int change(const Wish& wish, const Surroundings& around) {
  const bool sets = wish.action == Wish::Action::set;
  json request{{"name", wish.name}, {"node", wish.node}};
  if (sets) request["value"] = wish.value;
  if (wish.transient) {
    request["op"] = "agent_attribute";
    request["delay_ms"] = wish.delay_ms;
  } else {
    request["op"] = sets ? "attribute_set" : "attribute_delete";
    request["lifetime"] = "permanent";
  }
  return ask(around, request).code;
}

int fulfil(const Wish& wish, const Surroundings& around) {
  if (wish.name.empty()) return complain(around, usage, "no attribute is named");
  return wish.action == Wish::Action::query ? query(wish, around) : change(wish, around);
}

const std::vector<Option>& attribute_options() {
  static const std::vector<Option> options{
      {"node", "NU", {"node", "uname"}, Takes::value},
      {"name", "n", {"name", "attr-name", "id"}, Takes::value},
      {"update", "v", {"update", "attr-value"}, Takes::value},
      {"delete", "D", {"delete", "delete-attr"}},
      {"query", "G", {"query", "get-value"}},
      {"quiet", "qQ", {"quiet"}},
      {"lifetime", "l", {"lifetime"}, Takes::value},
      {"type", "t", {"type"}, Takes::value},
      {"promotion", "p", {"promotion"}, Takes::optional_value},
      {"utilization", "z", {"utilization"}},
      {"set", "s", {"set-name"}, Takes::value},
      {"identifier", "i", {"set-id", "attr-id"}, Takes::value},
      {"default", "d", {"default"}, Takes::value},
      {"delay", "", {"delay"}, Takes::value},
      {"resource", "r", {"resource"}, Takes::value},
      {"inhibit", "!", {"inhibit-policy-engine"}},
      {"verbose", "V", {"verbose"}},
  };
  return options;
}

/// "reboot" and the type "status" are transient; the types "crm_config" and its like are the cluster's.
void place(const Arguments& given, Wish& wish, const Surroundings& around) {
  const std::string type = given.value("type"), lifetime = given.value("lifetime");
  const bool of_cluster = type == "crm_config" || type == "op_defaults" || type == "rsc_defaults" || type == "tickets";
  wish.transient = lifetime == "reboot" || type == "status" || type == "reboot" ||
                   (lifetime.empty() && type.empty() && given.has("promotion"));
  wish.node = of_cluster ? cluster : given.value("node", around.node);
  if (wish.node == "auto" || wish.node == "localhost") wish.node = around.node;
  wish.scope = of_cluster ? type : wish.transient ? "status" : "nodes";
}

int attribute(const Arguments& given, const std::string& name, const Surroundings& around) {
  if (!given.problem.empty()) return complain(around, usage, given.problem);
  Wish wish;
  place(given, wish, around);
  wish.name = name;
  if (given.has("utilization")) wish.name = "#utilization." + name;
  wish.quiet = given.has("quiet");
  wish.value = given.value("update");
  if (given.has("default")) wish.otherwise = given.value("default");
  if (given.has("delete")) wish.action = Wish::Action::remove;
  if (given.has("update")) wish.action = Wish::Action::set;
  return fulfil(wish, around);
}

std::string score_name(const std::string& resource, const Surroundings& around) {
  const std::string of = resource.empty() ? around.instance : resource;
  return of.empty() ? "" : "master-" + of;
}

}  // namespace

int crm_attribute(const std::vector<std::string>& words, const Surroundings& around) {
  const auto given = parse(words, attribute_options());
  const bool score = given.has("promotion");
  return attribute(given, score ? score_name(given.value("promotion"), around) : given.value("name"), around);
}

/// What crm_attribute --promotion was before it.
int crm_master(const std::vector<std::string>& words, const Surroundings& around) {
  auto given = parse(words, attribute_options());
  given.given.emplace("promotion", "");
  return attribute(given, score_name(given.value("resource"), around), around);
}

int attrd_updater(const std::vector<std::string>& words, const Surroundings& around) {
  static const std::vector<Option> options{
      {"node", "N", {"node"}, Takes::value},
      {"name", "n", {"name"}, Takes::value},
      {"update", "Uv", {"update"}, Takes::value},
      {"update-both", "B", {"update-both"}, Takes::value},
      {"update-delay", "Y", {"update-delay"}},
      {"delete", "D", {"delete"}},
      {"query", "Q", {"query"}},
      {"query-all", "A", {"query-all"}},
      {"refresh", "R", {"refresh"}},
      {"delay", "d", {"delay"}, Takes::value},
      {"set", "sS", {"set", "section"}, Takes::value},
      {"private", "p", {"private"}},
      {"lifetime", "l", {"lifetime"}, Takes::value},
      {"quiet", "q", {"quiet"}},
      {"wait", "W", {"wait"}, Takes::value},
      {"verbose", "V", {"verbose"}},
  };
  const auto given = parse(words, options);
  if (!given.problem.empty()) return complain(around, usage, given.problem);
  // The delay comes with each update here, and nothing is kept back that could be written again.
  if (given.has("update-delay") || given.has("refresh")) return ok;
  Wish wish;
  wish.as_daemon = wish.transient = true;
  wish.node = given.value("node", around.node);
  wish.name = given.value("name");
  wish.value = given.value("update", given.value("update-both"));
  wish.delay_ms = time_ms(given.value("delay", "0"));
  if (given.has("delete")) wish.action = Wish::Action::remove;
  if (given.has("update") || given.has("update-both")) wish.action = Wish::Action::set;
  return fulfil(wish, around);
}

}  // namespace bascule::agent_tools
