"""What the processes of a host cost: memory by /proc/PID/smaps, processor time by the scheduler's counters."""

import os
import re
from dataclasses import dataclass, field

from bascule_hosts import kernel

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ ([0-9a-f]+) (\S+) (\d+)")


@dataclass
class Memory:
    """One process, in KiB."""

    rss: int = 0
    pss: int = 0
    private: int = 0
    shared: dict = field(default_factory=dict)  # (device, inode, offset) of a file's mapping -> pages shared of it
    unnamed: int = 0                            # this process's part of shared pages that belong to no file


def parse_smaps(text):
    """The content of /proc/PID/smaps."""
    memory, key, pss, shared, private = Memory(), None, 0, 0, 0

    def close():
        if key and key[1] != "0":
            memory.shared[key] = memory.shared.get(key, 0) + shared
        else:
            memory.unnamed += max(0, pss - private)

    for line in text.splitlines():
        match = MAPPING.match(line)
        if match:
            close()
            key, pss, shared, private = (match.group(2), match.group(3), match.group(1)), 0, 0, 0
            continue
        name, _, rest = line.partition(":")
        if name == "Rss":
            memory.rss += int(rest.split()[0])
        elif name == "Pss":
            pss = int(rest.split()[0])
            memory.pss += pss
        elif name in ("Private_Clean", "Private_Dirty"):
            private += int(rest.split()[0])
            memory.private += int(rest.split()[0])
        elif name in ("Shared_Clean", "Shared_Dirty"):
            shared += int(rest.split()[0])
    close()
    return memory


def alone_kib(memories):
    """What these processes would have as PSS together if nobody else on the machine mapped the same files: each
    shared page once. The nodes of the bench share one kernel, and with it the pages of programs and libraries."""
    shared = {}
    for memory in memories:
        for key, size in memory.shared.items():
            shared[key] = max(shared.get(key, 0), size)
    return sum(memory.private + memory.unnamed for memory in memories) + sum(shared.values())


def command_name(pid):
    return kernel.read_file(f"/proc/{pid}/comm").strip()


def processor_ns(pid):
    """What all threads of the process have used, those that have ended excepted."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        words = kernel.read_file(f"/proc/{pid}/task/{thread}/schedstat").split()
        total += int(words[0]) if words else 0
    return total


def parse_children_ns(stat):
    """The processor time of the children that the process has waited for, from /proc/PID/stat."""
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[13:15])) * 1_000_000_000 // TICKS_PER_S if len(fields) > 14 else 0


@dataclass
class Used:
    """Processor time so far, in ns."""

    own: dict = field(default_factory=dict)       # pid -> ns
    children: dict = field(default_factory=dict)


def used(pids):
    found = Used()
    for pid in pids:
        try:
            found.own[pid] = processor_ns(pid)
            found.children[pid] = parse_children_ns(kernel.read_file(f"/proc/{pid}/stat"))
        except OSError:
            continue  # it has ended
    return found
