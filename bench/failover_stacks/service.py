"""The service that every stack keeps: an address, and Apache behind it.

`apache`: the stack starts the address and Apache by their OCF agents, Apache on one host only. `address`: Apache runs
on both hosts all the time, as programs of the init system; the stack only moves the address.
"""

import os

from bascule_hosts import HostError

ADDRESS = "10.77.0.10"
URL = f"http://{ADDRESS}/index.html"
BY_HAND_ADDRESS = "10.77.0.20"  # for the agents' own times, beside the running cluster
CONFIG = "/etc/bascule/apache.conf"
RUN_DIRECTORY = "/run/shop"
PID_FILE = f"{RUN_DIRECTORY}/apache.pid"
SERVICES = ("apache", "address")

APACHE = f"""\
ServerRoot /etc/apache2
ServerName shop
Listen 80
PidFile {PID_FILE}
User www-data
Group www-data
ErrorLog {RUN_DIRECTORY}/apache.log
LogLevel warn
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
StartServers 4
DocumentRoot /etc/bascule/www
<Directory /etc/bascule/www>
  Require all granted
</Directory>
"""


def address_parameters(address=ADDRESS):
    return {"ip": address, "cidr_netmask": "24", "nic": "eth0"}


def apache_parameters():
    return {"httpd": "/usr/sbin/apache2", "configfile": CONFIG, "statusurl": "http://127.0.0.1/index.html",
            "testregex": "Bascule", "client": "curl"}


def configure(host):
    """What an administrator puts on each host that may serve; kept over a reboot."""
    host.write(CONFIG, APACHE)
    host.write("/etc/bascule/www/index.html", f"Bascule {host.name}\n")


def at_boot(host, service):
    """What the init system does at each boot, whatever the stack."""
    host.run(["mkdir", "-p", RUN_DIRECTORY, "/run/resource-agents"])
    if service == "address":
        host.supervise("apache", ["/usr/sbin/apache2", "-DFOREGROUND", "-f", CONFIG])


def kill_apache(host):
    """kill -9 of the main process and, in the same breath, of its children: they would answer on."""
    host.run(["sh", "-c", f"main=$(cat {PID_FILE}); kill -9 $main $(ps -o pid= --ppid $main)"])


# --- the agents by hand -----------------------------------------------------------------------------------------------

AGENTS = "/usr/lib/ocf/resource.d/heartbeat"


def _call(agent, action, parameters):
    settings = {"OCF_ROOT": "/usr/lib/ocf", "OCF_RESOURCE_INSTANCE": f"by-hand-{agent}", "OCF_RESOURCE_PROVIDER":
                "heartbeat", "OCF_RESOURCE_TYPE": agent, "OCF_RESKEY_CRM_meta_timeout": "60000",
                "OCF_RESKEY_CRM_meta_interval": "0"}
    settings.update({f"OCF_RESKEY_{name}": value for name, value in parameters.items()})
    words = " ".join(f"{name}='{value}'" for name, value in settings.items())
    return f"env {words} {AGENTS}/{agent} {action} >/dev/null || exit 1"


def _steps(service):
    steps = [("IPaddr2", address_parameters(BY_HAND_ADDRESS))]
    return steps + [("apache", apache_parameters())] if service == "apache" else steps


def by_hand_script(service):
    """A shell script that starts and stops the agents in their order and prints how many seconds each half took."""
    steps = _steps(service)
    lines = ["began=$EPOCHREALTIME", *(_call(agent, "start", parameters) for agent, parameters in steps),
             "started=$EPOCHREALTIME", *(_call(agent, "stop", parameters) for agent, parameters in reversed(steps)),
             "stopped=$EPOCHREALTIME", "echo $began $started $stopped"]
    return "\n".join(lines)


def agents_by_hand(host, service):
    """(start, stop) in seconds of the service's agents, called one after the other by a shell on this host. The script
    is a file: apache's stop kills everything whose command line names both Apache and its configuration."""
    host.write("/run/by-hand", by_hand_script(service))
    done = host.run(["bash", "/run/by-hand"], timeout_s=120, check=False)
    if done.code:
        raise HostError(f"the agents cannot be called by hand on {host.name}: {done.err.strip()[-200:] or done.code}")
    began, started, stopped = map(float, done.out.split())
    return started - began, stopped - started


def installed():
    """What of Debian's packages this service needs and is not there."""
    needed = {"apache2": "/usr/sbin/apache2", "resource-agents": f"{AGENTS}/IPaddr2", "curl": "/usr/bin/curl"}
    return [package for package, path in needed.items() if not os.path.exists(path)]
