"""The cluster of the fault sequences: a volume, a file system on it, an address and a program that writes orders."""

import os

from bascule_hosts import AddressAsker, HostError, kernel, read_orders
from bascule_story import shop
from bascule_story.cluster import ADDRESSES, CLIENT_PROGRAM, DATA_NODES, Cluster, StoryError

from .verdict import Evidence

HERE = os.path.dirname(os.path.abspath(__file__))
ORDERS = "/srv/shop/orders"
SERVICE = f"""\
[service.shop]
volume = "data"
prefer = "alice"
autostart = false
mount = "/srv/shop"
address = "{shop.SERVICE_ADDRESS}/24"
run = {{ agent = "ocf:heartbeat:anything", binfile = "/usr/bin/python3", cmdline_options = "-B {HERE}/order_server.py \
{ORDERS}", pidfile = "/run/shop/orders.pid", logfile = "/run/shop/orders.log", monitor_interval = "1s" }}
"""


class FaultCluster(Cluster):
    def __init__(self, directory, programs, timeline):
        super().__init__(directory, programs, "volume", timeline)
        self.pairs = set()  # that are cut now
        self.ways = set()   # (sender, receiver) that are cut now
        self.lossy = set()  # pairs between which frames are lost
        self.cuts = set()   # hosts whose link is down now

    def make_hosts(self):
        super().make_hosts()
        for name in ADDRESSES:
            self.hosts[name].write("/etc/bascule/cluster.toml", shop.cluster_toml("volume").replace('encryption = "none"\n', "") + SERVICE)
        self.asker = AddressAsker(self.world, shop.SERVICE_ADDRESS)

    def _prepare_volume(self):
        self.wait_connected()
        device = self.volume_primary("alice")
        self.hosts["alice"].run(["mkfs.ext4", "-q", "-F", "-J", "size=4", "-E",
                                 "lazy_itable_init=0,lazy_journal_init=0", device], timeout_s=120)
        self.wait_in_sync("initial sync")
        self.volume_secondary("alice")

    def start_client(self):
        self._client = self.hosts["client"].start(["/usr/bin/python3", "-B", CLIENT_PROGRAM, "orders", shop.ORDER_URL,
                                                   "/client/answers.jsonl"])

    # --- what a step does -------------------------------------------------------------------------------------------

    def carry_out(self, step):
        """Does it; what cannot be done any more (a watchdog was faster, for example) is said and left."""
        try:
            return getattr(self, "_" + step.action.replace("-", "_"))(*step.target) or ""
        except (HostError, OSError) as error:
            return str(error)

    def _kill(self, name):
        self.hosts[name].kill()
        self.cuts.discard(name)

    def _boot(self, name):
        if self.is_up(name):
            return f"{name} is up"
        self.boot(name)
        self.cuts.discard(name)

    def _freeze(self, name):
        if not self.is_up(name):
            return f"{name} is dead"
        self.hosts[name].freeze()

    def _thaw(self, name):
        if not self.is_up(name):
            return f"{name} was killed by its watchdog"
        self.hosts[name].thaw()

    def _cut(self, name):
        self.hosts[name].link_down()
        self.cuts.add(name)

    def _heal(self, name):
        self.hosts[name].link_up()
        self.cuts.discard(name)

    def _cut_pair(self, one, other):
        self.world.cut(self.hosts[one], self.hosts[other])
        self.pairs.add((one, other))

    def _heal_pair(self, one, other):
        self.world.heal(self.hosts[one], self.hosts[other])
        self.pairs.discard((one, other))

    def _cut_way(self, sender, receiver):
        self.world.cut_way(self.hosts[sender], self.hosts[receiver])
        self.ways.add((sender, receiver))

    def _heal_way(self, sender, receiver):
        self.world.heal_way(self.hosts[sender], self.hosts[receiver])
        self.ways.discard((sender, receiver))

    def _lose(self, one, other):
        self.world.lose(self.hosts[one], self.hosts[other])
        self.lossy.add((one, other))

    def _lose_nothing(self, one, other):
        self.world.lose_nothing(self.hosts[one], self.hosts[other])
        self.lossy.discard((one, other))

    def _crash(self, name, program):
        if not self.is_up(name):
            return f"{name} is dead"
        self.hosts[name].crash(program)

    def _crash_manager(self, name):
        return self._crash(name, "managerd")

    def _crash_blockd(self, name):
        return self._crash(name, "blockd")

    def _crash_watchdogd(self, name):
        return self._crash(name, "watchdogd")

    def _hog(self, name):
        """Both cores are busy for a while, all hosts feel it."""
        if not self.is_up(name):
            return f"{name} is dead"
        for _ in range(4):
            self.hosts[name].start(["timeout", "1", "sh", "-c", "while :; do :; done"]).abandon()

    def _move(self, to):
        """Asked of the first manager that could answer; nobody waits for what becomes of it."""
        name = next((name for name in ADDRESSES if self.is_up(name) and not self.hosts[name].frozen), None)
        if name is None:
            return "nobody can be asked"
        self.hosts[name].start([self.program("bascule"), "move", "shop", "--to", to], self.environment).abandon()

    def is_up(self, name):
        return self.hosts[name].up() and not self.hosts[name].dying

    def hosts_up(self):
        return [name for name in ADDRESSES if self.is_up(name) and not self.hosts[name].frozen]

    # --- the end of the faults --------------------------------------------------------------------------------------

    def repair(self, name):
        """Makes one host healthy: boots, thaws, links it."""
        host = self.hosts[name]
        if host.frozen and self.is_up(name):
            host.thaw()
        if not self.is_up(name):
            self._boot(name)
        if name in self.cuts:
            self._heal(name)

    def repair_all_but(self, left):
        for one, other in sorted(self.pairs):
            self._heal_pair(one, other)
        for sender, receiver in sorted(self.ways):
            self._heal_way(sender, receiver)
        for one, other in sorted(self.lossy):
            self._lose_nothing(one, other)
        for name in ADDRESSES:
            if name != left:
                self.repair(name)

    def answered_since(self, at_ns):
        """The first answer to an order that was sent after this moment."""
        orders = read_orders(self.orders_path)
        return next((acked for _, sent, acked in orders.acknowledged if sent > at_ns), None)

    def only_copy_is_on(self, name):
        """Whether the majority without this host knows that nobody else has the data."""
        if name not in DATA_NODES:
            return False
        views = [self.status(one) for one in ADDRESSES if one != name and self.is_up(one)]
        members = [volume.get("in_sync") for view in views if view and view.get("quorum", {}).get("have")
                   for volume in view.get("volumes", [])]
        return bool(members) and all(one == [name] for one in members)

    def why_not_in_order(self):
        status = self.any_status()
        if not status or not status.get("quorum", {}).get("have"):
            return "no manager knows of a leader"
        away = [node["name"] for node in status.get("nodes", []) if not node.get("online")]
        if away:
            return f"{', '.join(away)} not online"
        if self.service_state().get("state") != "Started":
            return f"the service is {self.service_state().get('state')}"
        return "" if self.in_sync() else "the replicas are not in sync"

    def orders_present(self):
        """The ids that the volume has, as the owner reads them."""
        owner = self.owner()
        if owner is None:
            raise StoryError("nobody owns the service")
        return self.hosts[owner].run(["cat", ORDERS], timeout_s=30).out.split()


class Watcher:
    """What is seen from outside from one moment on."""

    def __init__(self, cluster):
        self.cluster = cluster
        cluster.wire.settle(0.1)
        self.from_ns = kernel.boottime_ns()
        self._segments = max(0, len(cluster.wire.segments) - 1)

    def evidence(self):
        self.cluster.wire.settle(0.2)
        acknowledged = [order for order, sent, _ in read_orders(self.cluster.orders_path).acknowledged
                        if sent >= self.from_ns]
        return Evidence(segments=self.cluster.wire.segments[self._segments:],
                        writings=self.cluster.activity.writings(), acknowledged=acknowledged,
                        names={host.mac: name for name, host in self.cluster.hosts.items()})
