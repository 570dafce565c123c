"""bench/failover: our cluster and its peers on the same hosts, with the same service and the same faults."""

import argparse
import json
import os
import platform
from dataclasses import asdict

from bascule_hosts import HostError
from bascule_story.cluster import StoryError

from . import common
from . import service as shop
from .faults import FAULTS, Sample, left_out, load_now, play
from .figures import make_row, table
from .keepalived import Keepalived, KeepalivedFast
from .ours import Bascule
from .pacemaker import Pacemaker, PacemakerTuned
from .picture import draw
from .stack import StackError

STACKS = {"bascule": Bascule, "pacemaker": Pacemaker, "pacemaker-tuned": PacemakerTuned, "keepalived": Keepalived,
          "keepalived-fast": KeepalivedFast}


def arguments(argv=None):
    parser = argparse.ArgumentParser(prog="bench/failover", description=__doc__)
    parser.add_argument("--stacks", type=common.words_of(STACKS), default=list(STACKS), metavar="A,B",
                        help=", ".join(STACKS))
    parser.add_argument("--services", type=common.words_of(shop.SERVICES), default=list(shop.SERVICES), metavar="A,B",
                        help=", ".join(shop.SERVICES))
    parser.add_argument("--faults", type=common.words_of(FAULTS), default=list(FAULTS), metavar="A,B",
                        help=", ".join(FAULTS))
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="repetitions (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write rows and samples")
    parser.add_argument("--svg", metavar="FILE", help="draw the distributions")
    parser.add_argument("--programs", default=common.PROGRAMS, metavar="DIR",
                        help="where our programs are (default: build/release/bin)")
    parser.add_argument("--directory", default=os.path.join(common.ROOT, "out/bench-failover"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


class Bench:
    def __init__(self, options):
        self.options = options
        self.samples = {(stack, service, fault): [] for service in options.services for fault in options.faults
                        for stack in options.stacks}
        self.broken = common.find_missing({name: STACKS[name] for name in options.stacks}, options.programs)

    # --- playing ----------------------------------------------------------------------------------------------------

    def run(self):
        """Round by round, so that what the machine does meanwhile hits all stacks; every other round backwards."""
        for number in range(self.options.runs):
            for service in self.options.services:
                stacks = self.options.stacks if number % 2 == 0 else self.options.stacks[::-1]
                for name in stacks:
                    self._round(number + 1, name, service)

    def _round(self, number, name, service):
        """All faults on one cluster; after one that it did not get over, the others on a new one."""
        faults = [fault for fault in self.options.faults if not left_out(STACKS[name], service, fault)]
        while faults and name not in self.broken:
            stack = STACKS[name](name, service, os.path.join(self.options.directory, name), self.options.programs)
            try:
                faults = self._play_on(stack, number, faults)
            finally:
                stack.close()
            left = stack.world.footprint.leftovers() if stack.world else []
            if left:
                common.say(f"left behind by {name}: {'; '.join(left)}")

    def _play_on(self, stack, number, faults):
        """Returns those that are left to play."""
        try:
            stack.come_up()
        except (HostError, StackError, StoryError) as error:
            for fault in faults:
                self._keep(number, stack, fault, Sample(error=f"it does not come up: {error}"))
            return []
        while faults:
            sample = play(stack, faults[0])
            self._keep(number, stack, faults[0], sample)
            faults = faults[1:]
            if sample.error:
                break
        return faults

    def _keep(self, number, stack, fault, sample):
        self.samples[stack.name, stack.service, fault].append(sample)
        text = f"{sample.outage_s:.3f} s" if sample.outage_s is not None else "not measured"
        if sample.two_nodes_answered:
            text += f", two nodes answered for {sample.overlap_s:.2f} s"
        if sample.error:
            text += f"; {sample.error}"
        common.say(f"{number}/{self.options.runs} {stack.name:<16} {stack.service:<8} {fault:<15} {text} "
                 f"(load {load_now():.1f})")

    # --- telling ----------------------------------------------------------------------------------------------------

    def rows(self):
        found = []
        for (name, service, fault), samples in self.samples.items():
            row = make_row(name, service, fault, samples)
            why = left_out(STACKS[name], service, fault)
            if why:
                row["left_out"] = why
            elif name in self.broken:
                row["error"] = self.broken[name]
            found.append(row)
        return found

    def as_json(self):
        samples = [{"stack": name, "service": service, "fault": fault, "run": number, **asdict(sample)}
                   for (name, service, fault), played in self.samples.items()
                   for number, sample in enumerate(played, 1)]
        loads = [sample["load"] for sample in samples if sample["load"]]
        return {"machine": {"processors": os.cpu_count(), "kernel": platform.release(),
                            "load_min": min(loads, default=None), "load_max": max(loads, default=None)},
                "rows": self.rows(), "samples": samples}

    def as_svg(self, described):
        machine = described["machine"]
        subtitle = (f"A client asks every 5 ms who answers; the longest gap after the fault. {machine['processors']} "
                    f"processors, load {machine['load_min']} to {machine['load_max']}. Bar: median.")
        return draw([(one["stack"], one["service"], one["fault"], one["outage_s"]) for one in described["samples"]],
                    {name: STACKS[name].title for name in self.options.stacks}, subtitle)

    def report(self):
        described = self.as_json()
        print(table(described["rows"]))
        if self.options.json:
            with open(self.options.json, "w") as file:
                json.dump(described, file, indent=1)
                file.write("\n")
        if self.options.svg:
            with open(self.options.svg, "w") as file:
                file.write(self.as_svg(described))


def main():
    return common.run_alone("bench/failover", arguments(), Bench)
