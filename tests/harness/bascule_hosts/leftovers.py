"""What a world could leave on the machine: what it made is written down while it lives and looked for afterwards.

Only its own things count. A machine has a life of its own, and somebody else's new namespace is not ours.
"""

import os
import re
import subprocess
import time
from dataclasses import dataclass, field

from . import kernel

WORLD = re.compile(r"/(bascule-[0-9]+-[0-9]+)")
NAMESPACE_KINDS = ("net", "mnt", "pid", "uts", "ipc")


def namespaces_of(pid):
    found = set()
    for kind in NAMESPACE_KINDS:
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/{kind}"))
        except OSError:
            pass
    return found


def parent_of(pid):
    # The name before it may hold anything, also a closing bracket.
    fields = kernel.read_file(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _worlds_now():
    """{pid: cgroup of the world it lives in} of all processes in worlds, this one's and others that run beside it."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        world = WORLD.search(kernel.read_file(f"/proc/{pid}/cgroup"))
        if world:
            found[int(pid)] = world.group(1)
    return found


def _belongs_to_somebody_else(pid, namespaces):
    """Numbers of namespaces are used again: who holds one of ours below a living process of another program, holds a
    new one with an old number. What we left behind hangs below us, or below init.
    """
    while (parent := parent_of(pid)) > 1 and parent != os.getpid():
        if not namespaces_of(parent) & namespaces:
            return True
        pid = parent
    return False


def _fuse_connections():
    """Every FUSE file system that is not wholly gone, a loop device on it included."""
    listing = subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t fusectl none /sys/fs/fuse/connections; "
                              "ls /sys/fs/fuse/connections"], capture_output=True, text=True, check=False)
    return {os.makedev(0, int(word)) for word in listing.stdout.split() if word.isdigit()}


@dataclass
class Footprint:
    """Everything that a world has made outside of its directory."""

    directory: str
    cgroup: str
    interfaces: set = field(default_factory=set)
    namespaces: set = field(default_factory=set)
    fuse_devices: set = field(default_factory=set)

    def leftovers(self, settle_s=5.0):
        """What of it is still there; whatever is only just going away gets `settle_s` for it."""
        end = time.monotonic() + settle_s
        while (left := self._present()) and time.monotonic() < end:
            time.sleep(0.1)
        return left

    def _present(self):
        left = [f"cgroup {self.cgroup}"] if os.path.isdir(self.cgroup) else []
        left += [f"loop device {device} on {backing}" for device, backing in kernel.loops().items()
                 if backing.startswith(self.directory + "/")]
        worlds = _worlds_now()
        left += [f"FUSE connection {os.minor(device)}" for device in self._fuse_devices_left(worlds)]
        left += [f"mount {line.split()[4]}" for line in kernel.read_file("/proc/self/mountinfo").splitlines()
                 if line.split()[4].startswith(self.directory + "/") or "bascule" in line.split(" - ")[1]]
        left += [f"interface {name}" for name in os.listdir("/sys/class/net") if name in self.interfaces]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            left += self._of_process(int(pid), worlds)
        return left

    def _fuse_devices_left(self, worlds):
        """Their numbers are used again, too: what a process of another world has mounted is that world's."""
        left = self.fuse_devices & _fuse_connections()
        for pid, world in worlds.items() if left else ():
            if world != os.path.basename(self.cgroup):
                left -= kernel.fuse_devices(pid)
        return left

    def _of_process(self, pid, worlds):
        if pid == os.getpid() or worlds.get(pid, os.path.basename(self.cgroup)) != os.path.basename(self.cgroup):
            return []
        command = kernel.read_file(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
        held = namespaces_of(pid) & self.namespaces
        mine = self.cgroup in command or os.path.basename(self.cgroup) in kernel.read_file(f"/proc/{pid}/cgroup")
        if not mine and (not held or _belongs_to_somebody_else(pid, self.namespaces)):
            return []
        return [f"process {pid} {command[:100]} {sorted(held)}"]
