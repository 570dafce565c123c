"""The cluster of the fault sequences: for each service a volume, a file system on it, an address and a program that writes orders."""

import os
import shutil

from bascule_hosts import AddressAsker, HostError, WireWatch, kernel, read_orders
from bascule_story import shop
from bascule_story.activity import ActivityWatch
from bascule_story.cluster import CLIENT_ADDRESS, CLIENT_PROGRAM, Cluster, StoryError

from .layout import DISKS, LAYOUTS, cluster_toml
from .verdict import Evidence

HERE = os.path.dirname(os.path.abspath(__file__))
PAUSE_S = 0.005  # between an answer and the next order


class Face:
    """A service as it is seen from outside: who answers, who writes, and what its client wrote down."""

    def __init__(self, cluster, service):
        self.service = service
        self.wire = WireWatch(cluster.world, service.address)
        self.asker = AddressAsker(cluster.world, service.address)
        self.activity = ActivityWatch(cluster.world, service.hosts, service.volume)
        self.orders_path = os.path.join(cluster.directory, "client", f"answers.{service.name}.jsonl")

    def answered_since(self, at_ns):
        """The first answer to an order that was sent after this moment."""
        return next((acked for _, sent, acked in read_orders(self.orders_path).acknowledged if sent > at_ns), None)


class FaultCluster(Cluster):
    def __init__(self, directory, programs, timeline, layout=LAYOUTS[3]):
        super().__init__(directory, programs, "volume", timeline)
        self.layout = layout
        self.addresses, self.data_nodes = layout.addresses, layout.data
        self.faces = {}

    def binds_of(self, name):
        base = os.path.join(self.directory, name)
        return [(f"{base}/disk", "/var/lib/bascule"), (f"{base}/etc", "/etc/bascule"), (f"{base}/srv", "/srv")]

    def make_hosts(self):
        text = cluster_toml(self.layout, os.path.join(HERE, "order_server.py"))
        for name, address in self.addresses.items():
            base = os.path.join(self.directory, name)
            host = self.world.add(name, address, self.binds_of(name))
            host.write("/etc/bascule/cluster.toml", text)
            self.give_key(os.path.join(base, "etc", "cluster.key"))
            self.timeline.follow(name, os.path.join(base, "disk", "events.jsonl"))
        self.world.add("client", CLIENT_ADDRESS, [(os.path.join(self.directory, "client"), "/client")])
        self.faces = {service.name: Face(self, service) for service in self.layout.services}
        first = self.faces[self.layout.services[0].name]
        self.wire, self.asker, self.activity, self.orders_path = first.wire, first.asker, first.activity, first.orders_path

    # --- coming up --------------------------------------------------------------------------------------------------

    def make_backing_files(self):
        for service in self.layout.services:
            for name in service.hosts:
                self.hosts[name].run(["mkdir", "-p", DISKS])
                self.bascule(name, "volume", "create", service.volume)

    def start_programs(self, name):
        host = self.hosts[name]
        if name in self.data_nodes:
            shop.runtime_directories(host)
            host.run(["mkdir", "-p", *(service.mount for service in self.layout.services)])
            host.supervise("watchdogd", [self.program("bascule-watchdogd"), "--watchdog", "/run/watchdog"], self.environment)
        for volume in self.layout.volumes_of(name):
            host.supervise("blockd", [self.program("bascule-blockd"), "--volume", volume], self.environment)
        self.start_manager(name)

    def _prepare_volume(self):
        for service in self.layout.services:
            self._prepare_one(service)

    def _prepare_one(self, service):
        owner = service.hosts[0]
        self.wait_connected(service.volume)
        device = self.volume_primary(owner, service.volume)
        self.hosts[owner].run(["mkfs.ext4", "-q", "-F", "-J", "size=4", "-E",
                               "lazy_itable_init=0,lazy_journal_init=0", device], timeout_s=120)
        self.wait_in_sync("initial sync", volume=service.volume)
        self.volume_secondary(owner, service.volume)

    def start_everything(self):
        self.start_all_programs()
        self._prepare_volume()
        for service in self.layout.services:
            self.bascule(service.hosts[0], "start", service.name)
        for service in self.layout.services:
            self.wait_for(f"{service.name} starts", lambda name=service.name: self.service_state(name).get("state") == "Started", 60)

    def start_client(self):
        for face in self.faces.values():
            self._client = self.hosts["client"].start(
                ["/usr/bin/python3", "-B", CLIENT_PROGRAM, "orders", face.service.url, f"/client/{os.path.basename(face.orders_path)}",
                 "0", str(PAUSE_S)])

    # --- asking -----------------------------------------------------------------------------------------------------

    def is_up(self, name):
        return self.hosts[name].up() and not self.hosts[name].dying

    def hosts_up(self):
        return [name for name in self.addresses if self.is_up(name) and not self.hosts[name].frozen]

    def answered_since(self, at_ns):
        """When all services had answered an order that was sent after this moment; None: not yet."""
        answers = [face.answered_since(at_ns) for face in self.faces.values()]
        return max(answers) if all(answers) else None

    def only_copy_is_on(self, name):
        """Whether the majority without this host knows of one of its volumes that nobody else has the data."""
        views = [self.status(one) for one in self.addresses if one != name and self.is_up(one)]
        views = [view for view in views if view and view.get("quorum", {}).get("have")]
        for volume in self.layout.volumes_of(name):
            members = [one.get("in_sync") for view in views for one in view.get("volumes", []) if one["name"] == volume]
            if members and all(one == [name] for one in members):
                return True
        return False

    def others_decide_without(self, name):
        """Whether this host knows that one of two decides alone, and that it is not this one: it is to have a vote again later."""
        quorum = (self.status(name) or {}).get("quorum", {})
        return quorum.get("votes") == 1 and not quorum.get("have")

    def why_not_in_order(self):
        status = self.any_status()
        if not status or not status.get("quorum", {}).get("have"):
            return "no manager knows of a leader"
        away = [node["name"] for node in status.get("nodes", []) if not node.get("online")]
        if away:
            return f"{', '.join(away)} not online"
        for service in self.layout.services:
            state = self.service_state(service.name).get("state")
            if state != "Started":
                return f"{service.name} is {state}"
            if not self.in_sync(service.volume):
                return f"the replicas of {service.volume} are not in sync"
        return ""

    def orders_present(self, service=None):
        """The ids that the volume of the service has, as the owner reads them."""
        service = service or self.layout.services[0]
        owner = self.owner(service.name)
        if owner is None:
            raise StoryError(f"nobody owns {service.name}")
        return self.hosts[owner].run(["cat", service.orders], timeout_s=30).out.split()

    def manager_log(self, name):
        return kernel.read_file(os.path.join(self.world.logs, f"{name}.managerd.log"))

    # --- the end ----------------------------------------------------------------------------------------------------

    def keep_logs(self):
        super().keep_logs()
        for face in self.faces.values():
            if os.path.exists(face.orders_path):
                shutil.copy(face.orders_path, self.world.logs)

    def backing_path(self, name):
        return os.path.join(self.directory, name, "srv", "volumes", f"{self.layout.volumes_of(name)[0]}.img")


class Watcher:
    """What is seen of one service from outside from one moment on."""

    def __init__(self, cluster, face=None):
        self.cluster = cluster
        self.face = face or next(iter(cluster.faces.values()))
        self.face.wire.settle(0.1)
        self.from_ns = kernel.boottime_ns()
        self._segments = max(0, len(self.face.wire.segments) - 1)

    def evidence(self):
        self.face.wire.settle(0.2)
        orders = read_orders(self.face.orders_path)
        answers = [(order, acked) for order, sent, acked in orders.acknowledged if sent >= self.from_ns]
        return Evidence(segments=self.face.wire.segments[self._segments:], writings=self.face.activity.writings(),
                        acknowledged=[order for order, _ in answers], answered_ns=[acked for _, acked in answers],
                        names={host.mac: name for name, host in self.cluster.hosts.items()})


__all__ = ["FaultCluster", "HostError", "Watcher"]
