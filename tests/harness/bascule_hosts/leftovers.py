"""What a machine holds that a run could leave behind, before and after."""

import os
import time
from dataclasses import dataclass, field

from . import kernel

NAMESPACE_KINDS = ("net", "mnt", "pid", "uts", "ipc")


def _namespaces():
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for kind in NAMESPACE_KINDS:
            try:
                found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
            except OSError:
                pass
    return found


def _mounts():
    return {line.split(" ", 2)[2] for line in kernel.read_file("/proc/self/mountinfo").splitlines()}


def _cgroups():
    root = kernel.cgroup2_root()
    return {directory for directory, _, _ in os.walk(root)} if root else set()


def _interfaces():
    return {line.split(":")[0].strip() for line in kernel.read_file("/proc/net/dev").splitlines()[2:]}


def _processes(word):
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        command = kernel.read_file(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
        if word in command and int(pid) != os.getpid():
            found.add(f"{pid} {command[:120]}")
    return found


@dataclass
class Snapshot:
    """`before = Snapshot.take(directory)` ... `before.leftovers()` names everything that is there now and was not."""

    word: str
    namespaces: set = field(default_factory=set)
    mounts: set = field(default_factory=set)
    loops: set = field(default_factory=set)
    cgroups: set = field(default_factory=set)
    interfaces: set = field(default_factory=set)
    processes: set = field(default_factory=set)

    @classmethod
    def take(cls, word):
        """`word` names the processes of the run: part of their command line, such as the run's directory."""
        return cls(word, _namespaces(), _mounts(), set(kernel.loops()), _cgroups(), _interfaces(), _processes(word))

    def leftovers(self, settle_s=5.0):
        """What is left; whatever is only just going away gets `settle_s` for it."""
        end = time.monotonic() + settle_s
        while (left := self._new()) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def _new(self):
        now = Snapshot.take(self.word)
        left = []
        for kind in ("namespaces", "mounts", "loops", "cgroups", "interfaces", "processes"):
            left += [f"{kind}: {item}" for item in sorted(getattr(now, kind) - getattr(self, kind))]
        return left
