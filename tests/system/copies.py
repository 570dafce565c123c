"""Apache as copies on two hosts with an address `with` and `after` them, and ocf:pacemaker:Stateful as a promotable service, by
Debian's own agents on three hosts with the real programs. `copies.py --programs DIR`."""

import os
import sys
import time

from chapters import arguments, asked, expect, history, play
from bascule_story.cluster import ADDRESSES, DATA_NODES, Cluster

AGENTS = ("/usr/sbin/apache2", "/usr/lib/ocf/resource.d/heartbeat/apache", "/usr/lib/ocf/resource.d/pacemaker/Stateful")
CONFIG = "/etc/bascule/apache.conf"
APACHE = """\
ServerRoot /etc/apache2
ServerName shop
Listen 80
PidFile /run/shop/apache.pid
User www-data
Group www-data
ErrorLog /run/shop/apache.log
LogLevel warn
LoadModule mpm_prefork_module /usr/lib/apache2/modules/mod_mpm_prefork.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
StartServers 2
DocumentRoot /etc/bascule/www
<Directory /etc/bascule/www>
  Require all granted
</Directory>
"""
NODES = "".join(f'[node.{name}]\naddress = "{address}"\n' + ('' if name in DATA_NODES else 'role = "witness"\n')
                for name, address in ADDRESSES.items())
SERVICES = f"""
[service.web]
copies = "all"
run = {{ agent = "ocf:heartbeat:apache", httpd = "/usr/sbin/apache2", configfile = "{CONFIG}", \
statusurl = "http://127.0.0.1/index.html", testregex = "Bascule", client = "curl", monitor_interval = "1s" }}
[service.vip]
with = "web"
after = "web"
prefer = "alice"
address = "10.77.0.10/24"
[service.db]
promotable = true
prefer = "alice"
run = {{ agent = "ocf:pacemaker:Stateful", state = "/run/shop/stateful", monitor_interval = "1s" }}
[service.dbvip]
with = "db"
after = "db"
address = "10.77.0.11/24"
"""


class CopiesCluster(Cluster):
    def __init__(self, directory, programs, timeline):
        super().__init__(directory, programs, "web", timeline)

    def make_hosts(self):
        super().make_hosts()
        for name in ADDRESSES:
            host = self.hosts[name]
            host.write("/etc/bascule/cluster.toml", f'[cluster]\nname = "copies"\n{NODES}{SERVICES}')
            host.write(CONFIG, APACHE)
            host.write("/etc/bascule/www/index.html", f"Bascule {name}\n")

    def one(self, service):
        status = self.any_status() or {}
        return next((each for each in status.get("services", []) if each["name"] == service), {})

    def runs(self, service, owner):
        one = self.one(service)
        return one.get("state") == "Started" and one.get("owner") == owner

    def wait_runs(self, service, owner, patience_s=30):
        self.wait_for(f"{service} on {owner}", lambda: self.runs(service, owner), patience_s)

    def owner_of(self, service):
        return self.wait_for(f"{service} has an owner", lambda: self.one(service).get("owner"), 30)

    def answer(self, address="10.77.0.10"):
        return self.hosts["client"].run(["curl", "-s", "-m", "1", f"http://{address}/index.html"], check=False).out.strip()

    def role(self, name):
        return self.hosts[name].read("/run/shop/stateful").strip().lower()

    def told(self, kind, subject, since_ms):
        return [each for each in history(self, "carol") if each["kind"] == kind and each["subject"] == subject
                and each["wall_ms"] >= since_ms]


def now_ms():
    return int(time.time() * 1000)


def everywhere_at_once(cluster):
    cluster.start_all_programs()
    for name in DATA_NODES:
        cluster.wait_runs(f"web@{name}", name)
        cluster.wait_runs(f"db@{name}", name)
    cluster.wait_runs("vip", cluster.owner_of("vip"))
    for service in ("vip", "db"):  # the first copy that is there gets it
        if cluster.owner_of(service) != "alice":
            asked(cluster, "carol", "move", service, "--to", "alice")
        cluster.wait_runs(service, "alice")
    cluster.wait_runs("dbvip", "alice")
    expect(cluster.answer() == "Bascule alice", f"alice does not answer: {cluster.answer()}")
    expect((cluster.role("alice"), cluster.role("bob")) == ("promoted", "unpromoted"),
           f"roles {cluster.role('alice')} {cluster.role('bob')}")
    wanted = {"name": "web@bob", "copy_of": "web", "owner": "bob", "state": "Started"}
    one = cluster.one("web@bob")
    expect({key: one.get(key) for key in wanted} == wanted, f"status says {one}")


def one_copy_fails(cluster):
    """Recovered in place; the address goes away for that time and comes back; the other copy hears nothing of it."""
    began = now_ms()
    cluster.hosts["alice"].run(["sh", "-c", "p=$(cat /run/shop/apache.pid); kill -9 $p $(ps -o pid= --ppid $p)"])
    cluster.wait_for("The copy is back", lambda: cluster.told("service-started", "vip", began), 30)
    cluster.wait_runs("web@alice", "alice")
    expect(cluster.answer() == "Bascule alice", "alice does not answer")
    expect(not cluster.told("service-stopped", "web@bob", began), "bob's copy was stopped too")
    asked(cluster, "bob", "clear", "web")


def standby_and_stop(cluster):
    began = now_ms()
    asked(cluster, "carol", "standby", "alice")
    cluster.wait_runs("vip", "bob")
    cluster.wait_runs("db", "bob")
    cluster.wait_for("Nothing on alice", lambda: not cluster.one("web@alice").get("owner"), 30)
    expect(cluster.told("service-stopped", "vip", began)[0]["wall_ms"] <=
           cluster.told("service-stopped", "web@alice", began)[0]["wall_ms"], "the copy stopped under its address")
    expect(cluster.answer() == "Bascule bob", "bob does not answer")
    asked(cluster, "carol", "online", "alice")
    cluster.wait_runs("web@alice", "alice")
    asked(cluster, "carol", "stop", "web")
    expect(not cluster.one("vip").get("owner"), "the address is there without a copy")
    expect("no copy of web" in cluster.one("vip")["why"], f"it does not say why: {cluster.one('vip')['why']}")
    asked(cluster, "carol", "start", "web")
    cluster.wait_runs("vip", cluster.owner_of("vip"))
    asked(cluster, "carol", "restart", "web", timeout_s=90)


def a_node_dies(cluster):
    """Apache runs already where the address goes."""
    for service in ("vip", "db"):
        if cluster.one(service).get("owner") != "alice":
            asked(cluster, "carol", "move", service, "--to", "alice")
        cluster.wait_runs(service, "alice")
    began = now_ms()
    cluster.hosts["alice"].kill()
    cluster.wait_for("bob answers", lambda: cluster.answer() == "Bascule bob", 20)
    took = now_ms() - began
    cluster.wait_runs("db", "bob")
    cluster.wait_runs("dbvip", "bob")
    print(f"alice died: bob answered after {took} ms")
    expect(not cluster.told("service-started", "web@bob", began), "Apache was started anew")
    expect(cluster.role("bob") == "promoted", f"bob is {cluster.role('bob')}")
    cluster.boot("alice")
    cluster.wait_runs("web@alice", "alice", 60)
    cluster.wait_runs("db@alice", "alice", 60)
    expect(cluster.role("alice") == "unpromoted", f"alice is {cluster.role('alice')}")


def a_node_is_cut_off(cluster):
    """It demotes and stops what it has; nothing of it answers."""
    owner = cluster.one("db")["owner"]
    other = "alice" if owner == "bob" else "bob"
    cluster.hosts[owner].link_down()
    cluster.wait_for(f"{other} is promoted", lambda: cluster.role(other) == "promoted", 20)
    cluster.wait_for(f"{owner} is not", lambda: cluster.role(owner) != "promoted", 20)
    cluster.wait_for(f"{owner} has stopped its copy", lambda: cluster.hosts[owner].run(
        ["pgrep", "-f", "apache2"], check=False).code != 0, 30)
    cluster.hosts[owner].link_up()
    cluster.wait_runs(f"web@{owner}", owner, 60)


if __name__ == "__main__":
    sys.exit(play(arguments("copies", __doc__).parse_args(), CopiesCluster,
                  (everywhere_at_once, one_copy_fails, standby_and_stop, a_node_dies, a_node_is_cut_off),
                  "root, apache2, resource-agents and pacemaker-resource-agents", all(map(os.path.exists, AGENTS))))
