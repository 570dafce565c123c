#include <algorithm>
#include <ostream>

#include "edge/agent_tools/detail/tools.h"

/// crm_node, crm_resource, crm_mon, cibadmin, pacemakerd: what agents ask about the cluster.
namespace bascule::agent_tools {
namespace {

using Takes = Option::Takes;

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

const char* yes_no(bool yes) { return yes ? "true" : "false"; }

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::vector<std::string> online_nodes(const json& status) {
  std::vector<std::string> names;
  for (const auto& node : status.at("nodes"))
    if (node.value("online", false)) names.push_back(text_of(node, "name"));
  return names;
}

int print_id(const json& status, const std::string& name, const Surroundings& around) {
  int id = 0;
  for (const auto& node : status.at("nodes")) {
    ++id;
    if (text_of(node, "name") == name) return around.out << id << "\n", ok;
  }
  return complain(around, no_such_thing, "Node is not known to cluster");
}

int print_list(const json& status, const Surroundings& around) {
  int id = 0;
  for (const auto& node : status.at("nodes"))
    around.out << ++id << " " << text_of(node, "name") << " " << (node.value("online", false) ? "member" : "lost")
               << "\n";
  return ok;
}

/// Agents know their instance as SERVICE_STEP.
const json* service_of(const json& status, const std::string& resource) {
  for (const auto& service : status.at("services")) {
    const std::string name = text_of(service, "name");
    if (resource == name) return &service;
    if (!service.contains("steps")) continue;
    for (const auto& step : service.at("steps"))
      if (resource == name + "_" + text_of(step, "name")) return &service;
  }
  return nullptr;
}

int locate(const json& status, const std::string& resource, const Surroundings& around) {
  const json* service = service_of(status, resource);
  if (service == nullptr)
    return complain(around, no_such_thing, "Error performing operation: No such device or address");
  const std::string owner = text_of(*service, "owner");
  const bool runs = !owner.empty() && text_of(*service, "state") != "Stopped";
  around.out << "resource " << resource << (runs ? " is running on: " + owner + " " : " is NOT running") << "\n";
  return ok;
}

void print_nodes(const json& status, const Surroundings& around) {
  around.out << "  <nodes>\n";
  int id = 0;
  for (const auto& node : status.at("nodes")) {
    const bool online = node.value("online", false);
    around.out << "    <node name=\"" << escaped(text_of(node, "name")) << "\" id=\"" << ++id << "\" online=\""
               << yes_no(online) << "\" standby=\"" << yes_no(node.value("standby", false))
               << "\" standby_onfail=\"false\" maintenance=\"false\" pending=\"false\" unclean=\"" << yes_no(!online)
               << "\" shutdown=\"false\" expected_up=\"true\" is_dc=\""
               << yes_no(text_of(status.at("quorum"), "leader") == text_of(node, "name")) << "\" type=\"member\"/>\n";
  }
  around.out << "  </nodes>\n";
}

void print_resources(const json& status, const Surroundings& around) {
  around.out << "  <resources>\n";
  for (const auto& service : status.at("services")) {
    if (!service.contains("steps")) continue;
    for (const auto& step : service.at("steps")) {
      const std::string state = text_of(step, "state");
      const bool active = state == "Started" || state == "Stopping";
      around.out << "    <resource id=\"" << escaped(text_of(service, "name") + "_" + text_of(step, "name"))
                 << "\" resource_agent=\"ocf\" role=\"" << (active ? "Started" : "Stopped") << "\" active=\""
                 << yes_no(active) << "\" orphaned=\"false\" blocked=\""
                 << yes_no(text_of(service, "state") == "Blocked") << "\" managed=\"true\" failed=\""
                 << yes_no(state == "Failed") << "\" failure_ignored=\"false\" nodes_running_on=\"" << (active ? 1 : 0)
                 << "\"/>\n";
    }
  }
  around.out << "  </resources>\n";
}

}  // namespace

int crm_node(const std::vector<std::string>& words, const Surroundings& around) {
  static const std::vector<Option> options{{"name", "n", {"name"}},
                                           {"id", "i", {"cluster-id"}},
                                           {"list", "l", {"list"}},
                                           {"partition", "p", {"partition"}},
                                           {"quorum", "q", {"quorum"}},
                                           {"quiet", "Q", {"quiet"}},
                                           {"name-for-id", "N", {"name-for-id"}, Takes::value},
                                           {"verbose", "V", {"verbose"}}};
  const auto given = parse(words, options);
  if (!given.problem.empty()) return complain(around, usage, given.problem);
  if (given.has("name")) return around.out << around.node << "\n", ok;
  const auto answer = ask(around, {{"op", "status"}});
  if (answer.code != ok) return answer.code;
  const json& status = answer.body;
  if (given.has("id")) return print_id(status, around.node, around);
  if (given.has("list")) return print_list(status, around);
  if (given.has("quorum")) return around.out << (status.at("quorum").value("have", false) ? 1 : 0) << "\n", ok;
  if (given.has("name-for-id")) {
    const auto id = std::strtoul(given.value("name-for-id").c_str(), nullptr, 10);
    if (id == 0 || id > status.at("nodes").size())
      return complain(around, no_such_thing, "Node is not known to cluster");
    return around.out << text_of(status.at("nodes").at(id - 1), "name") << "\n", ok;
  }
  if (!given.has("partition")) return complain(around, usage, "nothing is asked for");
  for (const auto& name : online_nodes(status)) around.out << name << " ";
  around.out << "\n";
  return ok;
}

int crm_resource(const std::vector<std::string>& words, const Surroundings& around) {
  static const std::vector<Option> options{{"resource", "r", {"resource"}, Takes::value},
                                           {"locate", "W", {"locate"}},
                                           {"quiet", "QDq", {"quiet"}},
                                           {"utilization", "z", {"utilization"}},
                                           {"get", "g", {"get-parameter"}, Takes::value},
                                           {"set", "p", {"set-parameter"}, Takes::value},
                                           {"value", "v", {"parameter-value"}, Takes::value},
                                           {"delete", "d", {"delete-parameter"}, Takes::value},
                                           {"meta", "m", {"meta"}},
                                           {"list-operations", "O", {"list-operations", "list-all-operations"}},
                                           {"ban", "B", {"ban"}},
                                           {"fail", "F", {"fail"}},
                                           {"node", "N", {"node"}, Takes::value},
                                           {"verbose", "V", {"verbose"}}};
  const auto given = parse(words, options);
  if (!given.problem.empty()) return complain(around, usage, given.problem);
  // A parameter that is not there: agents that keep their utilization this way then leave it alone.
  if (given.has("get")) return complain(around, no_such_thing, "Error performing operation: No such device or address");
  if (!given.has("locate")) return complain(around, unimplemented, "crm_resource: only --locate is known here");
  const auto answer = ask(around, {{"op", "status"}});
  return answer.code != ok ? answer.code : locate(answer.body, given.value("resource", around.instance), around);
}

/// The XML of `crm_mon --as-xml`, as far as agents look into it; the page of text is `bascule status`.
int crm_mon(const std::vector<std::string>& words, const Surroundings& around) {
  static const std::vector<Option> options{{"once", "1", {"one-shot"}},
                                           {"xml", "X", {"as-xml"}},
                                           {"output", "", {"output-as"}, Takes::value},
                                           {"inactive", "r", {"inactive"}},
                                           {"by-node", "n", {"group-by-node"}},
                                           {"daemon", "d", {"daemonize"}},
                                           {"verbose", "V", {"verbose"}}};
  const auto given = parse(words, options);
  if (!given.problem.empty()) return complain(around, usage, given.problem);
  if (given.has("daemon")) return complain(around, unimplemented, "crm_mon: see `bascule status --watch`");
  const auto answer = ask(around, {{"op", "status"}});
  if (answer.code != ok) return answer.code;
  if (!given.has("xml") && given.value("output") != "xml")
    return around.out << text_of(answer.body, "summary") << "\n", ok;
  around.out << "<?xml version=\"1.0\"?>\n<crm_mon version=\"2.1.5\">\n";
  print_nodes(answer.body, around);
  print_resources(answer.body, around);
  around.out << "</crm_mon>\n";
  return ok;
}

/// There is no CIB; an empty one is enough for the shell library's crm_mon_no_validation.
int cibadmin(const std::vector<std::string>& words, const Surroundings& around) {
  if (words != std::vector<std::string>{"-Q"} && words != std::vector<std::string>{"--query"})
    return complain(around, unimplemented, "cibadmin: there is no CIB here");
  around.out << "<cib validate-with=\"none\"><configuration/><status/></cib>\n";
  return ok;
}

/// The shell library asks for the version before it trusts crm_node with this node's name.
int pacemakerd(const std::vector<std::string>& words, const Surroundings& around) {
  if (words.size() != 1 || (words[0] != "-$" && words[0] != "--version"))
    return complain(around, unimplemented, "pacemakerd: this is Bascule");
  around.out << "Pacemaker 2.1.5\nas far as agents ask; this is Bascule\n";
  return ok;
}

}  // namespace bascule::agent_tools
