"""Pacemaker and Corosync as Debian packages them: two nodes as in the tutorials (two_node, no fencing), one knet link,
encrypted. `pacemaker` has Corosync's default token and a monitor every 10 s; `pacemaker-tuned` token 500 ms and 1 s."""

import os
import shutil
import xml.etree.ElementTree as ET

from bascule_hosts import HostError

from . import service as shop
from .stack import ADDRESSES, DATA, Stack, StackError, other

COROSYNC = """\
totem {{
  version: 2
  cluster_name: boutique
  transport: knet
  crypto_cipher: aes256
  crypto_hash: sha256
{token}}}
nodelist {{
{nodes}}}
quorum {{
  provider: corosync_votequorum
  two_node: 1
}}
system {{
  move_to_root_cgroup: no
}}
logging {{
  to_syslog: no
  to_stderr: yes
  timestamp: hires
}}
"""
NODE = """\
  node {{
    name: {name}
    nodeid: {number}
    ring0_addr: {address}
  }}
"""


def corosync_conf(token_ms):
    nodes = "".join(NODE.format(name=name, number=number, address=ADDRESSES[name])
                    for number, name in enumerate(DATA, 1))
    return COROSYNC.format(token=f"  token: {token_ms}\n" if token_ms else "", nodes=nodes)


def _primitive(identity, agent, parameters, monitor):
    pairs = "".join(f'<nvpair id="{identity}-{name}" name="{name}" value="{value}"/>'
                    for name, value in parameters.items())
    return (f'<primitive id="{identity}" class="ocf" provider="heartbeat" type="{agent}">'
            f'<instance_attributes id="{identity}-parameters">{pairs}</instance_attributes><operations>'
            f'<op id="{identity}-monitor" name="monitor" interval="{monitor}" timeout="20s"/>'
            f'<op id="{identity}-start" name="start" interval="0" timeout="60s"/>'
            f'<op id="{identity}-stop" name="stop" interval="0" timeout="60s"/></operations></primitive>')


def cib_xml(service, monitor):
    """The configuration that the cluster starts with. dc-deadtime only shortens the wait at the first start."""
    members = _primitive("address", "IPaddr2", shop.address_parameters(), monitor)
    if service == "apache":
        members += _primitive("apache", "apache", shop.apache_parameters(), monitor)
    properties = {"stonith-enabled": "false", "dc-deadtime": "2s", "cluster-name": "boutique"}
    pairs = "".join(f'<nvpair id="p-{name}" name="{name}" value="{value}"/>' for name, value in properties.items())
    nodes = "".join(f'<node id="{number}" uname="{name}"/>' for number, name in enumerate(DATA, 1))
    return ('<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" admin_epoch="1" epoch="1" num_updates="0">'
            f'<configuration><crm_config><cluster_property_set id="cib-bootstrap-options">{pairs}'
            f'</cluster_property_set></crm_config><nodes>{nodes}</nodes>'
            f'<resources><group id="shop">{members}</group></resources><constraints/>'
            '<rsc_defaults><meta_attributes id="defaults"><nvpair id="d-stickiness" name="resource-stickiness" '
            'value="100"/></meta_attributes></rsc_defaults></configuration><status/></cib>\n')


def why_unhealthy_view(text):
    """What `crm_mon --output-as=xml` of one node shows to be missing; empty when nothing is."""
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return "crm_mon shows nothing"
    designated = root.find("./summary/current_dc")
    if designated is None or designated.get("present") != "true":
        return "there is no DC"
    for name in DATA:
        node = root.find(f"./nodes/node[@name='{name}']")
        if node is None or node.get("online") != "true" or node.get("pending") == "true":
            return f"{name} is not online"
    for resource in root.iter("resource"):
        if resource.get("active") != "true" or resource.get("failed") == "true" or resource.get("blocked") == "true":
            return f"{resource.get('id')} is {resource.get('role', '').lower()}" \
                f"{' and failed' if resource.get('failed') == 'true' else ''}"
        if resource.get("nodes_running_on") != "1":
            return f"{resource.get('id')} runs on {resource.get('nodes_running_on')} nodes"
    return ""


class Pacemaker(Stack):
    title = "Pacemaker + Corosync, default"
    has_leader = True
    packages = {"pacemaker": "/usr/sbin/pacemakerd", "corosync": "/usr/sbin/corosync",
                "pacemaker-cli-utils": "/usr/sbin/crm_resource"}
    programs_named = ("corosync", "pacemaker")
    token_ms = None
    monitor = "10s"

    def binds(self, base):
        return super().binds(base) + [
            (f"{base}/corosync", "/etc/corosync"), (f"{base}/pacemaker", "/etc/pacemaker"),
            (f"{base}/corosync-state", "/var/lib/corosync"), (f"{base}/pacemaker-state", "/var/lib/pacemaker")]

    def configure(self, host):
        if host.name not in DATA:
            return
        host.write("/etc/corosync/corosync.conf", corosync_conf(self.token_ms))
        key = os.path.join(self.directory, "cluster.key")
        if not os.path.exists(key):
            with open(key, "wb") as file:
                file.write(os.urandom(256))
        for target, owner in (("/etc/corosync/authkey", "root:root"), ("/etc/pacemaker/authkey", "root:haclient")):
            shutil.copy(key, host.path(target))
            host.run(["sh", "-ec", f"chown {owner} {target}; chmod 440 {target}"])
        state = "/var/lib/pacemaker"
        host.run(["install", "-d", "-o", "hacluster", "-g", "haclient", "-m", "750",
                  *(f"{state}/{name}" for name in ("blackbox", "cib", "cores", "pengine"))])
        host.write(f"{state}/cib/cib.xml", cib_xml(self.service, self.monitor), 0o600)
        host.run(["chown", "hacluster:haclient", f"{state}/cib/cib.xml"])

    def start_programs(self, name):
        if name not in DATA:
            return
        host = self.hosts[name]
        host.run(["install", "-d", "-o", "hacluster", "-g", "haclient", "-m", "770", "/var/log/pacemaker"])
        host.run(["mkdir", "-p", "/var/log/cluster"])
        host.supervise("corosync", ["/usr/sbin/corosync", "-f"])
        # pacemakerd ends when Corosync is not there yet; the init system starts it again.
        host.supervise("pacemakerd", ["/usr/sbin/pacemakerd"],
                       {"PCMK_logfile": "/var/log/pacemaker/pacemaker.log", "PCMK_stderr": "0"})

    def why_unhealthy(self):
        for name in DATA:
            try:
                view = self.hosts[name].run(["crm_mon", "--one-shot", "--output-as=xml", "--inactive"], timeout_s=10,
                                            check=False)
            except HostError as error:
                return str(error)
            why = why_unhealthy_view(view.out)
            if why:
                return f"{name} says that {why}"
        return ""

    def leader(self):
        for name in DATA:
            host = self.hosts[name]
            if host.up() and not host.frozen:
                found = host.run(["crmadmin", "--dc_lookup", "--quiet"], timeout_s=15, check=False).out.split()
                if found and found[-1] in DATA:
                    return found[-1]
        return None

    def move(self, to):
        self.hosts[other(to)].run(["crm_resource", "--resource", "shop", "--move", "--node", to], timeout_s=30)

    def after_move(self):
        self.hosts[DATA[0]].run(["crm_resource", "--resource", "shop", "--clear"], timeout_s=30)

    def choose_another_leader(self):
        raise StackError("no DC is elected")


class PacemakerTuned(Pacemaker):
    title = "Pacemaker + Corosync, token 500 ms"
    token_ms = 500
    monitor = "1s"
