#include "core/agents/invocation.h"

#include "core/agents/ocf.h"

namespace bascule::agents {
namespace {

constexpr const char* search_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void add_ocf(std::map<std::string, std::string>& environment, const config::Step& step, const Request& request,
             const std::string& ocf_root) {
  environment["OCF_ROOT"] = ocf_root;
  environment["OCF_RA_VERSION_MAJOR"] = "1";
  environment["OCF_RA_VERSION_MINOR"] = "1";
  environment["OCF_RESOURCE_INSTANCE"] = instance_name(request.service, step.name);
  environment["OCF_RESOURCE_TYPE"] = step.type;
  environment["OCF_RESOURCE_PROVIDER"] = step.provider;
  environment["OCF_EXIT_REASON_PREFIX"] = std::string(exit_reason_prefix);
  environment["OCF_OUTPUT_FORMAT"] = "text";
}

void add_meta(std::map<std::string, std::string>& environment, const Request& request) {
  environment["OCF_RESKEY_CRM_meta_timeout"] = std::to_string(to_ms(request.timeout));
  environment["OCF_RESKEY_CRM_meta_interval"] = std::to_string(to_ms(request.interval));
  environment["OCF_RESKEY_CRM_meta_name"] = request.operation;
  environment["OCF_RESKEY_CRM_meta_on_node"] = request.node;
  environment["OCF_RESKEY_CRM_meta_on_node_uuid"] = request.node;
  environment["OCF_RESKEY_crm_feature_set"] = "3.16.2";
}

/// What Pacemaker tells the agents of an anonymous clone with one copy per node.
void add_copy(std::map<std::string, std::string>& environment, const Request& request) {
  if (!request.copy) return;
  const auto count = std::to_string(request.copy->count);
  environment["OCF_RESKEY_CRM_meta_clone"] = std::to_string(request.copy->number);
  if (request.copy->count != 0) environment["OCF_RESKEY_CRM_meta_clone_max"] = count;
  environment["OCF_RESKEY_CRM_meta_clone_node_max"] = "1";
  environment["OCF_RESKEY_CRM_meta_globally_unique"] = "false";
  environment["OCF_RESKEY_CRM_meta_interleave"] = "true";
  environment["OCF_RESKEY_CRM_meta_notify"] = request.notify ? "true" : "false";
  if (!request.promotable) return;
  for (const char* key : {"promoted", "master"}) {
    environment[std::string("OCF_RESKEY_CRM_meta_") + key + "_max"] = "1";
    environment[std::string("OCF_RESKEY_CRM_meta_") + key + "_node_max"] = "1";
  }
  environment["OCF_RESKEY_CRM_meta_promotable"] = "true";
}

/// The agents' shell library logs with these; without a facility and a file it writes to stderr, which we capture.
void add_surroundings(std::map<std::string, std::string>& environment) {
  environment["PATH"] = search_path;
  environment["HOME"] = "/root";
  environment["SHELL"] = "/bin/sh";
  environment["LC_ALL"] = "C";
  environment["HA_RSCTMP"] = "/run/resource-agents";
  environment["HA_LOGFACILITY"] = "none";
  environment["HA_debug"] = "0";
  environment["HA_cluster_type"] = "bascule";
}

/// Agents call the tools by their names, and by HA_SBIN_DIR, whose default the shell library sets only where it is
/// unset.
void add_tools(std::map<std::string, std::string>& environment, const Request& request) {
  if (request.tools.empty()) return;
  environment["PATH"] = request.tools + ":" + search_path;
  environment["HA_SBIN_DIR"] = request.tools;
  environment["BASCULE_SOCKET"] = request.socket;
  environment["BASCULE_NODE"] = request.node;
}

}  // namespace

std::string instance_name(const std::string& service, const std::string& step) {
  return config::written_name(service) + "_" + step;
}

bool mounts_the_volume(const config::Step& step) {
  if (step.standard == config::built_in && step.type == "mount") return true;
  return step.type == "Filesystem" && !step.parameters.contains("device");
}

namespace {

Invocation ocf_invocation(const config::Step& step, const Request& request, const std::string& root) {
  Invocation result;
  result.path = root + "/resource.d/" + step.provider + "/" + step.type;
  result.arguments = {request.operation};
  for (const auto& [name, value] : step.parameters) result.environment["OCF_RESKEY_" + name] = value;
  if (mounts_the_volume(step) && !request.device.empty()) result.environment["OCF_RESKEY_device"] = request.device;
  const auto level = step.parameters.find("OCF_CHECK_LEVEL");
  result.environment["OCF_CHECK_LEVEL"] = request.check_level != 0         ? std::to_string(request.check_level)
                                          : level == step.parameters.end() ? "0"
                                                                           : level->second;
  add_ocf(result.environment, step, request, root);
  add_meta(result.environment, request);
  add_copy(result.environment, request);
  add_surroundings(result.environment);
  add_tools(result.environment, request);
  return result;
}

/// LSB knows no monitor: it is `status`.
Invocation lsb_invocation(const config::Step& step, const Request& request, const std::string& root) {
  Invocation result;
  result.path = root + "/" + step.type;
  result.arguments = {request.operation == "monitor" ? "status" : request.operation};
  result.environment["PATH"] = search_path;
  result.environment["HOME"] = "/root";
  result.environment["SHELL"] = "/bin/sh";
  result.environment["LC_ALL"] = "C";
  // Debian's scripts would hand the call to systemd, which then owns the daemon: it must be born in our cgroup.
  result.environment["_SYSTEMCTL_SKIP_REDIRECT"] = "true";
  result.environment["SYSTEMCTL_SKIP_REDIRECT"] = "1";
  return result;
}

}  // namespace

Invocation invocation(const config::Step& step, const Request& request, const Roots& roots) {
  return step.standard == "lsb" ? lsb_invocation(step, request, roots.init) : ocf_invocation(step, request, roots.ocf);
}

}  // namespace bascule::agents
