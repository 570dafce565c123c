// The parameters that a bundle gives to the containers and addresses that it is made of.
#include "core/policy/detail/bundle_parameters.h"

#include <utility>

#include "core/policy/detail/steps.h"

namespace bascule::policy::detail {
namespace {

struct Mount {
  std::string source, target, options;
  bool own = false;  ///< a folder of the replica's own, made if it is missing
};

struct Port {
  std::string outside, inside;
};

/// How one container runtime is told.
struct Dialect {
  std::string beginning, host_name, environment, another_host;
  bool rkt = false;
};

Dialect dialect_of(const std::string& runtime) {
  if (runtime == "rkt") return {"", " --hostname=", " --environment=", " --hosts-entry=", true};
  return {runtime == "docker" ? " --restart=no" : "", " -h ", " -e ", " --add-host=", false};
}

std::string or_else(std::string text, const std::string& otherwise) { return text.empty() ? otherwise : text; }

std::string control_port(const cib::BundleParts& parts) {
  return or_else(cib::value_of(parts.network, "control-port"), "3121");
}

std::string name_of(const cib::Resource& bundle, std::size_t offset) {
  return bundle.id + "-" + std::to_string(offset);
}

/// What is configured, and for a primitive inside what it takes to reach it.
std::vector<Mount> mounts_of(const cib::Resource& bundle, std::size_t offset) {
  std::vector<Mount> mounts;
  for (const cib::StorageMapping& each : bundle.bundle->storage) {
    const bool own = each.source_dir.empty();
    const std::string source = own ? each.source_dir_root + "/" + name_of(bundle, offset) : each.source_dir;
    mounts.push_back({source, each.target_dir, each.options, own});
  }
  if (bundle.children.empty()) return mounts;
  mounts.push_back({"/etc/pacemaker/authkey", "/etc/pacemaker/authkey", "", false});
  mounts.push_back({"/var/log/pacemaker/bundles/" + name_of(bundle, offset), "/var/log", "", true});
  return mounts;
}

std::vector<Port> ports_of(const cib::Resource& bundle) {
  std::vector<Port> ports;
  for (const cib::PortMapping& each : bundle.bundle->ports) {
    if (each.port.empty())
      ports.push_back({each.range, each.range});
    else
      ports.push_back({each.port, or_else(each.internal_port, each.port)});
  }
  if (!bundle.children.empty()) ports.push_back({control_port(*bundle.bundle), control_port(*bundle.bundle)});
  return ports;
}

std::string mount_option(const Dialect& dialect, const Mount& mount, std::size_t number) {
  const std::string options = mount.options.empty() ? "" : (dialect.rkt ? "," : ":") + mount.options;
  if (!dialect.rkt) return " -v " + mount.source + ":" + mount.target + options;
  const std::string volume = "vol" + std::to_string(number);
  return " --volume " + volume + ",kind=host,source=" + mount.source + options + " --mount volume=" + volume +
         ",target=" + mount.target;
}

std::string port_option(const Dialect& dialect, const Port& port, const std::string& address,
                        const std::string& network) {
  if (address.empty() && network == "host") return "";
  const std::string on = address.empty() ? "" : address + ":";
  if (dialect.rkt) return " --port=" + port.inside + ":" + on + port.outside;
  return " -p " + on + port.outside + ":" + port.inside;
}

std::string other_hosts(const cib::Resource& bundle, const Dialect& dialect,
                        const std::vector<std::string>& addresses) {
  const std::string wanted = cib::value_of(bundle.bundle->network, "add-host");
  std::string all;
  if (!wanted.empty() && !truth(wanted)) return all;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i].empty()) continue;
    const std::string name = name_of(bundle, i);
    all += dialect.another_host + (dialect.rkt ? addresses[i] + "=" + name : name + ":" + addresses[i]);
  }
  return all;
}

std::string run_options(const cib::Resource& bundle, std::size_t offset, const std::vector<std::string>& addresses) {
  const cib::BundleParts& parts = *bundle.bundle;
  const Dialect dialect = dialect_of(parts.runtime);
  const std::string network = cib::value_of(parts.container, "network");
  const std::string own = cib::value_of(parts.container, "options");
  std::string text = dialect.beginning;
  if (!addresses[offset].empty()) text += dialect.host_name + name_of(bundle, offset);
  text += dialect.environment + "PCMK_stderr=1";
  if (!network.empty()) text += " --net=" + network;
  text += dialect.environment + "PCMK_remote_port=" + control_port(parts);
  const std::vector<Mount> mounts = mounts_of(bundle, offset);
  for (std::size_t i = 0; i < mounts.size(); ++i) text += mount_option(dialect, mounts[i], i);
  for (const Port& port : ports_of(bundle)) text += port_option(dialect, port, addresses[offset], network);
  if (!own.empty()) text += " " + own;
  return text + " " + other_hosts(bundle, dialect, addresses);
}

std::string own_folders(const cib::Resource& bundle, std::size_t offset) {
  std::string list;
  for (const Mount& mount : mounts_of(bundle, offset))
    if (mount.own) list += (list.empty() ? "" : ",") + mount.source;
  return list;
}

}  // namespace

cib::NameValueSet container_parameters(const cib::Resource& bundle, int offset,
                                       const std::vector<std::string>& addresses) {
  const cib::BundleParts& parts = *bundle.bundle;
  const auto index = static_cast<std::size_t>(offset);
  std::string command = cib::value_of(parts.container, "run-command");
  if (command.empty() && !bundle.children.empty()) command = "/usr/sbin/pacemaker-remoted";
  cib::NameValueSet set;
  set.pairs = {{"image", cib::value_of(parts.container, "image")},
               {"allow_pull", "true"},
               {"force_kill", "false"},
               {"reuse", "false"},
               {"run_opts", run_options(bundle, index, addresses)},
               {"mount_points", own_folders(bundle, index)},
               {"monitor_cmd", "/bin/true"}};
  if (!command.empty()) set.pairs.push_back({"run_cmd", command});
  return set;
}

cib::NameValueSet address_parameters(const cib::Resource& bundle, const std::string& address) {
  const cib::Attributes& network = bundle.bundle->network;
  cib::NameValueSet set;
  set.pairs = {{"ip", address}, {"cidr_netmask", or_else(cib::value_of(network, "host-netmask"), "32")}};
  const std::string interface = cib::value_of(network, "host-interface");
  if (!interface.empty()) set.pairs.push_back({"nic", interface});
  return set;
}

}  // namespace bascule::policy::detail
