"""The cluster that is struck: what each step does to it, and how it is repaired."""

import json
import os
import shutil
import socket
import threading

from bascule_hosts import HostError, kernel
from bascule_story.cluster import StoryError

from . import agent_faults, power
from .agent_faults import AgentFault
from .cluster import FaultCluster
from .leases import LeaseWatch
from .plan import AGENT_FAULTS
from .small_disk import SmallDisk

HERE = os.path.dirname(os.path.abspath(__file__))
BOMB_PROCESSES = 150
SWITCHED_OFF = 2  # of the fence agent's status


class StruckCluster(FaultCluster):
    def __init__(self, directory, programs, timeline, layout):
        super().__init__(directory, programs, timeline, layout)
        self.pairs = set()   # that are cut now
        self.ways = set()    # (sender, receiver) that are cut now
        self.lossy = set()   # pairs between which frames are lost
        self.cuts = set()    # hosts whose link is down now
        self.bombed = {}     # host -> its life in which the bomb went off
        self.dark = set()    # hosts that the power board has switched off
        self.disks = {name: SmallDisk(os.path.join(self.directory, name, "disk")) for name in layout.hosts}
        self.agents = {}
        self.board = None
        self._lives = threading.RLock()  # the power board strikes from a thread of its own

    def make_hosts(self):
        if not self.layout.witness:
            self.board = power.PowerBoard(os.path.join(self.directory, "board"), self._switch_power,
                                          lambda text: self.timeline.say(text, "board"))
            self.world.at_close(self.board.stop)
        super().make_hosts()
        for name, disk in self.disks.items():
            if not disk.is_seen_as(self.hosts[name].path("/var/lib/bascule")):
                raise StoryError(f"{name} has its state somewhere else than on its small file system")
        self.leases = LeaseWatch(self.world, [self.hosts[name] for name in self.data_nodes])
        for name in self.data_nodes:
            self.agents[name] = AgentFault(self.hosts[name], os.path.join(self.directory, name, "etc", "agent"))

    def binds_of(self, name):
        return super().binds_of(name) + ([(self.board.directory, power.INSIDE)] if self.board else [])

    def start_programs(self, name):
        if name in self.agents:
            self.agents[name].put_in_place()
        super().start_programs(name)

    def start_manager(self, name):
        board = ["--fence-agents", power.INSIDE] if self.board else []
        self.hosts[name].supervise("managerd", [self.program("bascule-managerd"), *board], self.environment)

    def close(self):
        super().close()
        for disk in self.disks.values():
            disk.unmount()
        for name in self.layout.hosts:
            shutil.rmtree(os.path.join(self.directory, name), ignore_errors=True)

    # --- what a step does -------------------------------------------------------------------------------------------

    def carry_out(self, step):
        """Does it; what cannot be done any more (a watchdog was faster, for example) is said and left."""
        name = "agent_fault" if step.action in AGENT_FAULTS else step.action.replace("-", "_")
        more = (step.action,) if step.action in AGENT_FAULTS else ()
        with self._lives:
            try:
                return getattr(self, "_" + name)(*step.target, *more) or ""
            except (HostError, OSError) as error:
                return str(error)

    def _kill(self, name):
        self.hosts[name].kill()
        self.cuts.discard(name)

    def _boot(self, name):
        if self.is_up(name):
            return f"{name} is up"
        if name in self.dark:
            return f"{name} has no power"
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
        name = next((name for name in self.hosts_up() if name not in self.bombed), None)
        if name is None:
            return "nobody can be asked"
        self.hosts[name].start([self.program("bascule"), "move", self.layout.service_of(to).name, "--to", to],
                               self.environment).abandon()

    # --- inside a host ----------------------------------------------------------------------------------------------

    def _fill(self, name):
        self.disks[name].fill()

    def _free(self, name):
        self.disks[name].free()

    def _bomb(self, name):
        if not self.is_up(name):
            return f"{name} is dead"
        host = self.hosts[name]
        host.limit_processes(BOMB_PROCESSES)
        inside = os.path.join(kernel.cgroup2_root(), "bomb")
        self.bombed[name] = host.boots
        host.start(["/usr/bin/python3", "-B", os.path.join(HERE, "fork_bomb.py"), inside]).abandon()

    def _defuse(self, name):
        if self.bombed.pop(name, None) != self.hosts[name].boots or not self.is_up(name):
            return f"{name} died of it"
        bomb = os.path.join(self.hosts[name].cgroup, "bomb")
        kernel.cgroup_kill(bomb)
        kernel.cgroup_remove(bomb)
        self.hosts[name].limit_processes(None)

    def _agent_fault(self, name, fault):
        self.agents[name].begin(fault)

    def _mend_agent(self, name):
        self.agents[name].end()

    # --- the power board --------------------------------------------------------------------------------------------

    def _switch_power(self, action, name, by):
        with self._lives:
            if action == "status":
                return 0 if self.is_up(name) else SWITCHED_OFF
            self.timeline.say(f"{by} has {name} switched {action}", "board")
            if action == "off":
                self.dark.add(name)
                if self.is_up(name):
                    self._kill(name)
            elif action == "on":
                self.dark.discard(name)
                self._boot(name)
        return 0

    # --- the end of the faults --------------------------------------------------------------------------------------

    def repair(self, name):
        """Makes one host healthy: boots, thaws, links it, ends what eats its processes, makes room on its disk."""
        host = self.hosts[name]
        self.disks[name].free()
        if host.frozen and self.is_up(name):
            host.thaw()
        self.dark.discard(name)
        if not self.is_up(name):
            self._boot(name)
        if name in self.bombed:
            self._defuse(name)
        if name in self.cuts:
            self._heal(name)

    def repair_all_but(self, left):
        with self._lives:
            for name in self.agents:
                self._mend_agent(name)
            for one, other in sorted(self.pairs):
                self._heal_pair(one, other)
            for sender, receiver in sorted(self.ways):
                self._heal_way(sender, receiver)
            for one, other in sorted(self.lossy):
                self._lose_nothing(one, other)
            for name in self.addresses:
                if name != left:
                    self.repair(name)

    def clear_failures(self):
        """As a person who has mended an agent does. True when somebody took it for all services."""
        return all(any(self._ask(name, {"op": "clear_failures", "service": service.name}) for name in self.hosts_up())
                   for service in self.layout.services)

    def _ask(self, name, request):
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(1)
                connection.connect(self.hosts[name].path("/run/bascule/manager.sock"))
                connection.sendall(json.dumps(request).encode() + b"\n")
                return json.loads(connection.makefile().readline()).get("ok", False)
        except (OSError, ValueError):
            return False


def can_be_played():
    return os.geteuid() == 0 and os.path.exists(agent_faults.ANYTHING)
