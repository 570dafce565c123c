"""bench/footprint: what a cluster manager costs a node that does nothing, ours and its peers in the same run."""

import argparse
import json
import os
import platform
import time

from bascule_hosts import HostError, kernel
from bascule_story.cluster import StoryError

from . import common, processes
from .faults import load_now
from .keepalived import Keepalived, KeepalivedFast
from .ours import Bascule, BasculeWithVolume
from .pacemaker import Pacemaker, PacemakerTuned
from .stack import StackError

STACKS = {"bascule": Bascule, "bascule-volume": BasculeWithVolume, "pacemaker": Pacemaker,
          "pacemaker-tuned": PacemakerTuned, "keepalived": Keepalived, "keepalived-fast": KeepalivedFast}
SETTLE_S = 5


def arguments(argv=None):
    parser = argparse.ArgumentParser(prog="bench/footprint", description=__doc__)
    parser.add_argument("--stacks", type=common.words_of(STACKS), default=list(STACKS), metavar="A,B",
                        help=", ".join(STACKS))
    parser.add_argument("--seconds", type=float, default=30, help="how long the idle stack is watched")
    parser.add_argument("--json", metavar="FILE", help="write the rows")
    parser.add_argument("--programs", default=common.PROGRAMS, metavar="DIR",
                        help="where our programs are (default: build/release/bin)")
    parser.add_argument("--directory", default=os.path.join(common.ROOT, "out/bench-footprint"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def _mb(kib):
    return round(kib * 1024 / 1e6, 1)


def make_row(stack, node, serves, measured, took_s):
    """`measured`: [(name of the process, Memory, ns of its own, ns of the agents that it called)]."""
    memories = [memory for _, memory, _, _ in measured]

    def percent(ns):
        return round(100 * ns / 1e9 / took_s, 3)

    by_process = {}
    for name, memory, own, _ in measured:
        sums = by_process.setdefault(name, {"pss_mb": 0, "cpu_percent": 0})
        sums["pss_mb"] = round(sums["pss_mb"] + _mb(memory.pss), 1)
        sums["cpu_percent"] = round(sums["cpu_percent"] + percent(own), 3)
    return {"stack": stack, "node": node, "serves": serves, "processes": len(measured),
            "pss_mb": _mb(sum(one.pss for one in memories)), "rss_mb": _mb(sum(one.rss for one in memories)),
            "alone_pss_mb": _mb(processes.alone_kib(memories)), "cpu_percent": percent(sum(one[2] for one in measured)),
            "agents_cpu_percent": percent(sum(one[3] for one in measured)), "by_process": by_process}


def table(rows):
    lines = [f"{'stack':<16} {'node':<6} {'serves':<6} {'processes':>9} {'PSS MB':>8} {'alone MB':>9} {'RSS MB':>8} "
             f"{'CPU %':>8} {'agents %':>9}"]
    for row in rows:
        if "error" in row:
            lines.append(f"{row['stack']:<16} {row['error']}")
            continue
        lines.append(f"{row['stack']:<16} {row['node']:<6} {'yes' if row['serves'] else 'no':<6} {row['processes']:>9} "
                     f"{row['pss_mb']:>8.1f} {row['alone_pss_mb']:>9.1f} {row['rss_mb']:>8.1f} "
                     f"{row['cpu_percent']:>8.2f} {row['agents_cpu_percent']:>9.2f}")
    return "\n".join(lines)


class Bench:
    def __init__(self, options):
        self.options = options
        self.rows = []
        self.broken = common.find_missing({name: STACKS[name] for name in options.stacks}, options.programs)

    def run(self):
        for name in self.options.stacks:
            if name in self.broken:
                self.rows.append({"stack": name, "error": self.broken[name]})
                continue
            kind = STACKS[name]
            stack = kind(name, kind.services[0], os.path.join(self.options.directory, name), self.options.programs)
            try:
                common.say(f"{name} comes up and is watched for {self.options.seconds:.0f} s (load {load_now():.1f})")
                stack.come_up()
                self.rows += self._watch(stack)
            except (HostError, StackError, StoryError) as error:
                self.rows.append({"stack": name, "error": str(error)})
            finally:
                stack.close()

    def _watch(self, stack):
        owner = stack.owner()
        stack.be_quiet()
        time.sleep(SETTLE_S)
        before, began = {name: processes.used(pids_of(stack, name)) for name in stack.members()}, time.monotonic()
        time.sleep(self.options.seconds)
        return [make_row(stack.name, name, name == owner, measure(pids_of(stack, name), before[name]),
                         time.monotonic() - began) for name in stack.members()]

    def report(self):
        print(table(self.rows))
        if self.options.json:
            with open(self.options.json, "w") as file:
                json.dump({"machine": {"processors": os.cpu_count(), "kernel": platform.release(), "load": load_now()},
                           "seconds": self.options.seconds, "rows": self.rows}, file, indent=1)
                file.write("\n")


def pids_of(stack, name):
    """The stack's own processes on this host: not the harness's first process, nor the service's."""
    return [pid for pid in kernel.cgroup_processes(stack.hosts[name].cgroup)
            if processes.command_name(pid).startswith(stack.programs_named)]


def measure(pids, before):
    """What make_row wants to know of these processes, since `before`."""
    after = processes.used(pids)
    return [(processes.command_name(pid), processes.parse_smaps(kernel.read_file(f"/proc/{pid}/smaps")),
             after.own[pid] - before.own.get(pid, 0), after.children[pid] - before.children.get(pid, 0))
            for pid in pids if pid in after.own and pid in after.children]


def main():
    return common.run_alone("bench/footprint", arguments(), Bench)
