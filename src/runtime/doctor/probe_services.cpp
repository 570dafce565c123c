// Agents, systemd's own idea of their daemons, and the rules of the firewall.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/agent_metadata/ocf_metadata.h"
#include "runtime/doctor/detail/probes.h"

extern char** environ;

namespace bascule::doctor {
namespace {

using nlohmann::json;

constexpr const char* unit_directory = "/etc/systemd/system";
constexpr std::size_t ruleset_bytes_max = 16 << 20;

const json& member_of(const json& object, const char* key) {
  static const json nothing;
  return object.is_object() && object.contains(key) ? object[key] : nothing;
}

std::string word_of(const json& value) { return value.is_string() ? value.get<std::string>() : ""; }

/// The ports of the right side of `dport`: one, a set, or ranges.
void collect_ports(const json& right, std::vector<std::uint64_t>& ports) {
  if (right.is_number_unsigned()) ports.push_back(right.get<std::uint64_t>());
  for (const auto& one : member_of(right, "set")) collect_ports(one, ports);
  const json& range = member_of(right, "range");
  if (!range.is_array() || range.size() != 2 || !range[0].is_number_unsigned() || !range[1].is_number_unsigned())
    return;
  const auto first = range[0].get<std::uint64_t>(),
             last = std::min<std::uint64_t>(range[1].get<std::uint64_t>(), 65535);
  for (std::uint64_t port = first; port <= last; ++port) ports.push_back(port);
}

void read_rule(const json& rule, Firewall& firewall) {
  std::vector<std::string> named;
  bool accepts = false, drops = false;
  for (const auto& expression : member_of(rule, "expr")) {
    if (expression.contains("accept")) accepts = true;
    if (expression.contains("drop") || expression.contains("reject")) drops = true;
    const json& match = member_of(expression, "match");
    const json& payload = member_of(member_of(match, "left"), "payload");
    if (word_of(member_of(payload, "field")) != "dport") continue;
    std::vector<std::uint64_t> ports;
    collect_ports(member_of(match, "right"), ports);
    for (const auto port : ports) named.push_back(fmt::format("{} {}", word_of(member_of(payload, "protocol")), port));
  }
  auto& list = accepts ? firewall.accepted : firewall.dropped;
  if (accepts || drops) list.insert(list.end(), named.begin(), named.end());
}

std::string read_all(int descriptor, std::size_t bytes_max) {
  std::string text;
  std::array<char, 65536> piece;
  for (ssize_t got = 1; got > 0 && text.size() < bytes_max;) {
    got = ::read(descriptor, piece.data(), piece.size());
    if (got > 0) text.append(piece.data(), static_cast<std::size_t>(got));
  }
  return text;
}

/// Units of [Install] that are linked from a target's or unit's directory of wants.
std::vector<std::string> enabled(const std::vector<std::string>& units) {
  std::vector<std::string> found;
  for (const auto& directory : detail::names_in(unit_directory)) {
    if (!directory.ends_with(".wants") && !directory.ends_with(".requires")) continue;
    for (const auto& unit : units)
      if (::faccessat(AT_FDCWD, fmt::format("{}/{}/{}.service", unit_directory, directory, unit).c_str(), F_OK,
                      AT_SYMLINK_NOFOLLOW) == 0 &&
          std::find(found.begin(), found.end(), unit) == found.end())
        found.push_back(unit);
  }
  return found;
}

}  // namespace

std::vector<std::string> units_of_agent(const std::string& type) {
  static const std::map<std::string, std::vector<std::string>> known{
      {"apache", {"apache2"}},
      {"mysql", {"mariadb", "mysql"}},
      {"mariadb", {"mariadb", "mysql"}},
      {"galera", {"mariadb", "mysql"}},
      {"nginx", {"nginx"}},
      {"pgsql", {"postgresql", "postgresql@main"}},
      {"named", {"named", "bind9"}},
      {"nfsserver", {"nfs-server", "nfs-kernel-server"}},
      {"exportfs", {"nfs-server", "nfs-kernel-server"}},
      {"squid", {"squid"}},
      {"postfix", {"postfix"}},
      {"dovecot", {"dovecot"}},
      {"dhcpd", {"isc-dhcp-server"}},
      {"slapd", {"slapd"}},
      {"redis", {"redis-server"}},
      {"rabbitmq-cluster", {"rabbitmq-server"}},
      {"tomcat", {"tomcat9", "tomcat10"}},
      {"vsftpd", {"vsftpd"}},
      {"proftpd", {"proftpd"}},
      {"asterisk", {"asterisk"}},
      {"docker", {}},
  };
  const auto found = known.find(type);
  return found == known.end() ? std::vector<std::string>{} : found->second;
}

Firewall read_ruleset(std::string_view text) {
  Firewall firewall;
  const json rules = json::parse(text, nullptr, false);
  if (!member_of(rules, "nftables").is_array()) {
    firewall.unreadable = "nft -j list ruleset prints nothing that can be read";
    return firewall;
  }
  for (const auto& one : member_of(rules, "nftables")) {
    const json& chain = member_of(one, "chain");
    if (word_of(member_of(chain, "hook")) == "input" && word_of(member_of(chain, "policy")) == "drop")
      firewall.dropping_chains.push_back(fmt::format("{} {} {}", word_of(member_of(chain, "family")),
                                                     word_of(member_of(chain, "table")),
                                                     word_of(member_of(chain, "name"))));
    if (member_of(one, "rule").is_object()) read_rule(member_of(one, "rule"), firewall);
  }
  return firewall;
}

namespace detail {

std::string output_of(const char* program, std::vector<std::string> words, std::size_t bytes_max) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, pipe[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t process = -1;
  const int error = ::posix_spawn(&process, program, &files, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  ::close(pipe[1]);
  std::string text = error == 0 ? read_all(pipe[0], bytes_max) : "";
  ::close(pipe[0]);  // who has more to say does not wait for a reader
  int status = 0;
  while (error == 0 && ::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : "";
}

void probe_services(Facts& facts) {
  facts.firewall = read_ruleset(output_of("/usr/sbin/nft", {"nft", "-j", "list", "ruleset"}, ruleset_bytes_max));
  if (facts.config->node(facts.node)->role != config::NodeRole::data) return;
  const auto told = agent_metadata::ask_here(*facts.config);
  for (const auto& service : facts.config->services)
    for (const auto& step : service.steps) {
      if (step.standard != "ocf") continue;
      Agent agent{service.name, step.name, "/usr/lib/ocf/resource.d/" + step.provider + "/" + step.type, false, {}, {}};
      agent.executable = ::access(agent.path.c_str(), X_OK) == 0;
      agent.started_by_systemd = enabled(units_of_agent(step.type));
      const auto& metadata = told.at(agents::agent_name(step)).metadata;
      if (metadata) agent.findings = agents::metadata_findings(service, step, *metadata);
      if (!metadata && agent.executable) agent.findings = {metadata.error().text()};
      facts.agents.push_back(std::move(agent));
    }
}

}  // namespace detail
}  // namespace bascule::doctor
