"""Bascule, as the story runs it: alice and bob with data, carol as the witness, the defaults of cluster.toml."""

import os
import shutil

from bascule_story.cluster import Cluster
from bascule_story.timeline import Timeline

from . import service as shop
from .stack import ADDRESSES, DATA, Stack, wait_for

NODES = "".join(f'[node.{name}]\naddress = "{address}"\n' + ('' if name in DATA else 'role = "witness"\n')
                for name, address in ADDRESSES.items())
PROGRAMS = ("bascule", "bascule-blockd", "bascule-managerd", "bascule-watchdogd")


def _agent(agent, parameters, **more):
    values = {"agent": agent, **parameters, **more}
    return "{ " + ", ".join(f'{name} = "{value}"' for name, value in values.items()) + " }"


VOLUME = '[volume.data]\nsize = "64M"\ndisk = "/var/lib/bascule/data.img"\nal_extents = 67\n'


def cluster_toml(service, volume=False):
    """apache: both by their OCF agents, as with the peers. address: the manager's own means, whatever they are."""
    text = (f'[cluster]\nname = "boutique"\n{NODES}{VOLUME if volume else ""}[service.shop]\nprefer = "alice"\n'
            'autostart = false\n') + ('volume = "data"\n' if volume else "")
    if service == "address":
        return f'{text}address = "{shop.ADDRESS}/24"\n'
    agents = [_agent("ocf:heartbeat:IPaddr2", shop.address_parameters()),
              _agent("ocf:heartbeat:apache", shop.apache_parameters(), monitor_interval="1s")]
    return f"{text}run = [\n" + "".join(f"  {agent},\n" for agent in agents) + "]\n"


class BenchCluster(Cluster):
    """The story's cluster with this bench's service, and a volume below it or not."""

    def __init__(self, directory, programs, service, volume, timeline):
        self.bench_service = service
        super().__init__(directory, programs, "volume" if volume else "web", timeline)

    def start_programs(self, name):
        shop.at_boot(self.hosts[name], self.bench_service if name in DATA else "by hand")
        super().start_programs(name)


class Bascule(Stack):
    title = "Bascule"
    has_leader = True
    programs_named = ("bascule-", "blockd-")
    volume = False

    def __init__(self, name, service, directory, programs):
        super().__init__(name, service, directory, programs)
        self.cluster = None
        self.timeline = None

    def make_world(self):
        """The hosts see only the checkout of the machine's files, so the programs are copied into it."""
        self.timeline = Timeline(quiet=True)
        copied = os.path.join(self.directory, "programs")
        self.cluster = BenchCluster(self.directory, copied, self.service, self.volume, self.timeline)
        os.makedirs(copied)
        for name in PROGRAMS:
            shutil.copy(os.path.join(self.programs, name), copied)
        self.world = self.cluster.world
        self.cluster.make_hosts()

    def configure(self, host):
        host.write("/etc/bascule/cluster.toml", cluster_toml(self.service, self.volume))

    def make_watchers(self):
        self.cluster.wire.stop()  # one watcher of the wire is enough
        super().make_watchers()

    def start_all(self):
        self.cluster.start_all_programs()
        if self.volume:
            self.cluster.wait_connected()
            self.cluster.volume_primary("alice")
            self.cluster.wait_in_sync("initial sync")
            self.cluster.volume_secondary("alice")
        self.cluster.bascule("alice", "start", "shop")
        self.cluster.wait_started(60)

    def members(self):
        return tuple(ADDRESSES)

    def boot_programs(self, name):
        self.cluster.start_programs(name)

    def why_unhealthy(self):
        status = self.cluster.any_status()
        if not status or not status.get("quorum", {}).get("leader"):
            return "no manager knows of a leader"
        for node in status.get("nodes", []):
            if not node.get("online"):
                return f"{node['name']} is not online"
        service = self.cluster.service_state()
        return "" if service.get("state") == "Started" else f"the service is {service.get('state')}"

    def leader(self):
        return (self.cluster.any_status() or {}).get("quorum", {}).get("leader")

    def choose_another_leader(self):
        """The witness leads, and it cannot be told to stop: its manager dies, and those who have data elect one."""
        before = self.leader()
        self.hosts[before].crash("managerd")
        wait_for("another leader", lambda: self.leader() in set(ADDRESSES) - {before}, 20)
        self.wait_steady(60)

    def move(self, to):
        self.cluster.bascule(next(name for name in ADDRESSES if self.cluster.status(name)), "move", "shop", "--to", to)

    def close(self):
        if self.timeline is not None:
            self.timeline.stop()
        if self.cluster is not None:
            self.world = self.cluster.world
            self.cluster.keep_logs()
        super().close()
        shutil.rmtree(os.path.join(self.directory, "programs"), ignore_errors=True)

    @classmethod
    def missing_programs(cls, directory):
        return [name for name in PROGRAMS if not os.access(os.path.join(directory, name), os.X_OK)]


class BasculeWithVolume(Bascule):
    """With a replicated volume, as a server has it: one blockd on each data node more."""

    title = "Bascule with a volume"
    volume = True
