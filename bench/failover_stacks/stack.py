"""One cluster manager on test hosts: what the bench asks of each of them."""

import os
import shutil
import threading
import time

from bascule_hosts import AddressAsker, HostError, WireWatch, World, kernel

from . import service as shop
from .answers import Answers

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = ("alice", "bob")
ADDRESSES = {"alice": "10.77.0.1", "bob": "10.77.0.2", "carol": "10.77.0.3"}
CLIENT_ADDRESS = "10.77.0.100"
COME_UP_TIMEOUT_S = 90


class StackError(Exception):
    """The stack does not do what it is for; the text says what was waited for."""


def wait_for(what, condition, timeout_s, every_s=0.05):
    """The first true value of the condition; StackError when it never is. `what` may be a function that says why."""
    end = time.monotonic() + timeout_s
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise StackError(f"not within {timeout_s:.0f} s: {what() if callable(what) else what}")
        time.sleep(every_s)


class Stack:
    """Two hosts that can serve, carol, and the client. A stack says how its programs are configured, started and asked.

    carol is our witness; the peers here are two-node clusters and leave her idle. The agents are timed by hand on her.
    """

    title = ""
    services = shop.SERVICES
    has_leader = False
    packages = {}  # Debian package -> a file of it
    programs_named = ()  # how the names of its processes begin, as the kernel cuts them to 15 characters

    def __init__(self, name, service, directory, programs):
        self.name, self.service, self.programs = name, service, programs
        self.directory = os.path.realpath(directory)
        self.world = self.client = None

    # --- to be said by each stack -----------------------------------------------------------------------------------

    def binds(self, base):
        """[(outside, inside)]: what lies on a host's disk."""
        return [(f"{base}/etc", "/etc/bascule")]

    def configure(self, host):
        """Its configuration on the host's disk, once."""

    def start_programs(self, name):
        """What the init system starts of it at each boot."""

    def why_unhealthy(self):
        """Empty when every member is there and nothing is under way; else why not."""
        return ""

    def leader(self):
        """The node that decides, if the stack has one."""
        return None

    def move(self, to):
        """A planned move of the service to this host, as an administrator asks for it."""
        raise NotImplementedError

    def after_move(self):
        """What the administrator does when the service has moved."""

    # --- the same for all -------------------------------------------------------------------------------------------

    @classmethod
    def missing(cls):
        found = shop.installed()
        return found + [package for package, path in cls.packages.items() if not os.path.exists(path)]

    @property
    def hosts(self):
        return self.world.hosts

    def make_world(self):
        self.world = World(self.directory)
        for name, address in ADDRESSES.items():
            self.world.add(name, address, self.binds(os.path.join(self.directory, name)))

    def make_watchers(self):
        answers = os.path.join(self.directory, "client")
        if "client" not in self.hosts:
            self.world.add("client", CLIENT_ADDRESS, [(answers, "/client")])
        self.wire = WireWatch(self.world, shop.ADDRESS)
        self.asker = AddressAsker(self.world, shop.ADDRESS)
        self.answers = Answers(os.path.join(answers, "probe.jsonl"))

    def start_all(self):
        for name in ADDRESSES:
            self.boot_programs(name)

    def come_up(self):
        """From nothing to a service that answers and a cluster that is whole."""
        self.make_world()
        for name in ADDRESSES:
            shop.configure(self.hosts[name])
            self.configure(self.hosts[name])
        self.make_watchers()
        self.start_all()
        self.client = self.hosts["client"].start(["/usr/bin/python3", "-B", os.path.join(HERE, "probe.py"), shop.URL,
                                                  "/client/probe.jsonl"])
        self.wait_steady(COME_UP_TIMEOUT_S)

    def be_quiet(self):
        """Nobody asks any more: the stack is left alone."""
        self.asker.stop()
        self.wire.stop()
        self.hosts["client"].run(["kill", "-TERM", str(self.client.pid)], check=False)
        self.client.wait(20)

    def boot_programs(self, name):
        if name in DATA:
            shop.at_boot(self.hosts[name], self.service)
        else:
            shop.at_boot(self.hosts[name], "by hand")
        self.start_programs(name)

    def boot(self, name):
        self.hosts[name].boot()
        self.boot_programs(name)

    def members(self):
        """The hosts that run something of the stack."""
        return DATA

    def holders(self):
        """The hosts whose kernel has the service's address."""
        return [name for name in DATA if self.hosts[name].pid and holds_address(self.hosts[name].pid, shop.ADDRESS)]

    def owner(self):
        """Who has answered last, if he did so just now."""
        self.answers.poll()
        recent = self.answers.after(kernel.boottime_ns() - 500_000_000)
        return recent[-1].host if recent else None

    def why_not_steady(self):
        owner, holders = self.owner(), self.holders()
        if owner is None:
            return "nobody answers the client"
        if holders != [owner]:
            return f"the client is answered by {owner}, the address is held by {' and '.join(holders) or 'nobody'}"
        return self.why_unhealthy()

    def wait_steady(self, timeout_s):
        """Until one host answers and holds the address and the stack is whole, for a second without a break."""
        said, since = [""], [None]

        def steady():
            said[0] = self.why_not_steady()
            if said[0]:
                since[0] = None
                return False
            since[0] = since[0] or time.monotonic()
            return time.monotonic() - since[0] > 1

        wait_for(lambda: f"a whole cluster, because {said[0]}", steady, timeout_s, 0.25)

    def place(self, leads):
        """Moves the service so that its host leads, or does not, if the stack has a leader. True when it is so."""
        if not self.has_leader:
            return not leads
        for _ in range(8):  # a witness that is preferred as leader takes the lead again soon
            owner, leader = self.owner(), self.leader()
            if owner and leader and (owner == leader) == leads:
                return True
            target = leader if leads else other(owner)
            if target not in DATA:
                self.choose_another_leader()
                continue
            self.move(target)
            wait_for(f"{target} answers", lambda target=target: self.owner() == target, 60)
            self.after_move()
            self.wait_steady(60)
        return False

    def choose_another_leader(self):
        """Makes somebody else lead, if the stack can be told to."""
        raise StackError(f"{self.leader()} leads, and it cannot be told otherwise")

    def close(self):
        if self.world is None:
            return
        self.world.close()
        for name in (*ADDRESSES, "client", "switch"):
            shutil.rmtree(os.path.join(self.directory, name), ignore_errors=True)


def other(name):
    return DATA[1] if name == DATA[0] else DATA[0]


def holds_address(pid, address):
    """Whether the network namespace of this process has the address, as its routing table tells."""
    lines = kernel.read_file(f"/proc/{pid}/net/fib_trie").splitlines()
    return any(f"|-- {address}" in line and "/32 host LOCAL" in following for line, following in zip(lines, lines[1:]))


class Background:
    """A command that runs while the client is watched; what became of it is asked afterwards."""

    def __init__(self, function):
        self.error = None
        self._thread = threading.Thread(target=self._run, args=(function,), daemon=True)
        self._thread.start()

    def _run(self, function):
        try:
            function()
        except (HostError, StackError) as error:
            self.error = error

    def join(self, timeout_s=60):
        self._thread.join(timeout_s)
        if self.error:
            raise StackError(str(self.error))
