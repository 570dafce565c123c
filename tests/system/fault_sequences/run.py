"""Random sequences of faults, judged from outside. README.md says what is demanded and how one is played again."""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import time

from bascule_hosts import HostError, kernel
from bascule_story.cluster import StoryError
from bascule_story.timeline import Timeline

from . import small_disk
from .cluster import Watcher
from .figures import longest_gaps, summarise
from .grants import grants_of
from .layout import LAYOUTS
from .plan import VERSION, make_plan, name_of
from .struck import StruckCluster, can_be_played
from .verdict import has_led_or_followed, judge_all, passed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CLUSTER_LIVES = 20        # sequences on one cluster
START_TIMEOUT_S = 90
WHOLE_TIMEOUT_S = 60
SKIP = 77


def arguments(argv=None):
    parser = argparse.ArgumentParser(prog="tests/system/faults", description=__doc__)
    parser.add_argument("--sequences", type=int, default=10, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", default="1", metavar="S", help="draws everything that is done (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=15, metavar="S",
                        help="of faults in each (default: %(default)s)")
    parser.add_argument("--first", type=int, default=1, metavar="I", help="number of the first sequence")
    parser.add_argument("--again", action="store_true", help="play also what an earlier run has played already")
    parser.add_argument("--patience", type=float, default=10, metavar="S",
                        help="how soon a healthy majority has to serve (default: %(default)s)")
    parser.add_argument("--nodes", default="3", metavar="N[,N]", type=clusters,
                        help="how many nodes, 2, 3 or 5; of several each is played for %d sequences in its turn "
                        "(default: 3)" % CLUSTER_LIVES)
    parser.add_argument("--summary", nargs="+", metavar="DIR", help="play nothing: print what the runs below these directories came to")
    parser.add_argument("--programs", default=os.path.join(ROOT, "build/release/bin"), metavar="DIR")
    parser.add_argument("--directory", default=os.path.join(ROOT, "out/faults"), metavar="DIR",
                        help="results and logs; below the checkout. Each of several runs side by side has its own")
    return parser.parse_args(argv)


def clusters(text):
    found = [int(word) for word in text.split(",")]
    if not all(nodes in LAYOUTS for nodes in found):
        raise argparse.ArgumentTypeError(f"a cluster has {', '.join(map(str, LAYOUTS))} nodes")
    return found


def read_results(path):
    """{name of a sequence: what became of it}, the last time that it was played."""
    found = {}
    for line in kernel.read_file(path).splitlines():
        try:
            entry = json.loads(line)
            found[entry["name"]] = entry
        except (ValueError, KeyError):
            continue  # the run was killed while it wrote
    return found


class Results:
    """One line of JSON for each sequence that was played with this seed and these seconds, and what they come to."""

    def __init__(self, directory, seed, seconds):
        self.path = os.path.join(directory, f"seed-{seed}-{seconds:g}s.jsonl")

    def known(self):
        """What another plan drew from the same seed is another sequence."""
        return {name: entry for name, entry in read_results(self.path).items() if entry.get("plan_version") == VERSION}

    def add(self, entry):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "a") as file:
            file.write(json.dumps(entry) + "\n")

    def summarise(self):
        path = self.path.removesuffix(".jsonl") + ".summary.json"
        with open(path, "w") as file:
            json.dump(summarise(list(self.known().values())), file, indent=1)
        return path


class Run:
    def __init__(self, options):
        self.options = options
        self.results = Results(options.directory, options.seed, options.seconds)
        self.cluster = self.timeline = None
        self.played_on_cluster = 0
        self.left = []
        self.programs = ""  # which ones, in a few letters

    # --- the cluster ------------------------------------------------------------------------------------------------

    def _directory(self):
        return os.path.join(self.options.directory, "cluster")

    def nodes_of(self, number):
        """By the number alone, so that a run can be cut into several."""
        return self.options.nodes[(number - 1) // CLUSTER_LIVES % len(self.options.nodes)]

    def name_of(self, number):
        return name_of(self.options.seed, number, self.nodes_of(number))

    def _copy_programs(self):
        """Once, so that a build beside this run changes nothing; the hosts see nothing of the machine but the checkout."""
        copy = os.path.join(self.options.directory, "programs")
        if not self.programs:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.options.programs, copy, symlinks=True, ignore=lambda _, names: [
                name for name in names if not name.startswith("bascule")])
            digest = hashlib.sha256()
            for name in sorted(os.listdir(copy)):
                with open(os.path.join(copy, name), "rb") as file:
                    digest.update(file.read())
            self.programs = digest.hexdigest()[:12]
        return copy

    def _come_up(self, nodes):
        programs = self._copy_programs()
        self.timeline = Timeline(quiet=True)
        self.cluster = StruckCluster(self._directory(), programs, self.timeline, LAYOUTS[nodes])
        self.cluster.make_hosts()
        self.cluster.start_everything()
        self.cluster.start_client()
        self.played_on_cluster = 0

    def _take_down(self):
        if self.cluster is None:
            return
        self.timeline.stop()
        self.cluster.close()
        self.left += self.cluster.world.footprint.leftovers()
        self.cluster = None

    # --- one sequence -----------------------------------------------------------------------------------------------

    def _play(self, plan):
        """({service: evidence}, remarks, when something was done and what)"""
        cluster = self.cluster
        watchers = {name: Watcher(cluster, face) for name, face in cluster.faces.items()}
        from_ns = kernel.boottime_ns()
        remarks, done = self._strike(plan, from_ns)
        healthy_ns = self._repair(plan)
        served = self._await_service(plan, healthy_ns)
        repaired_ns = kernel.boottime_ns()
        cluster.repair_all_but(None)
        whole_after_s, why = self._await_order(plan, repaired_ns)
        evidence = {name: watcher.evidence() for name, watcher in watchers.items()}
        for name, one in evidence.items():
            service = cluster.faces[name].service
            one.moves = grants_of(service, cluster, self.timeline)  # after the wire: none of its answers is without its grant
            one.served_after_s, one.rightly_refused = served[name]
            one.whole_after_s = whole_after_s
            one.believed = [held for held in cluster.leases.found_since(from_ns)
                            if held[1] in (f"service:{name}", f"volume:{service.volume}")]
            one.present = cluster.orders_present(service) if not why else None
        return evidence, remarks + ([why] if why else []), (done, healthy_ns)

    def _strike(self, plan, from_ns):
        remarks, done = [], []
        for step in plan.steps:
            time.sleep(max(0.0, (from_ns + step.at_ms * 1_000_000 - kernel.boottime_ns()) / 1e9))
            done.append((kernel.boottime_ns(), step.action))
            said = self.cluster.carry_out(step)
            at_s = (kernel.boottime_ns() - from_ns) / 1e9
            self.timeline.say(f"{step}{': ' + said if said else ''} (done at +{at_s:.3f} s)", "faults")
            if said:
                remarks.append(f"{step}: {said}")
        left_ns = from_ns + int(self.options.seconds * 1e9) - kernel.boottime_ns()
        time.sleep(max(0, left_ns) / 1e9)
        return remarks, done

    def _repair(self, plan):
        self.timeline.say(f"the faults end; {plan.left_broken or 'nobody'} stays broken", "faults")
        self.cluster.repair_all_but(plan.left_broken)
        return kernel.boottime_ns()

    def _await_service(self, plan, healthy_ns):
        """{service: (seconds until an answer or None, why the majority need not serve)}"""
        end, served = time.monotonic() + self.options.patience, {}
        clear_at = time.monotonic() if plan.has_agent_faults() else end
        while time.monotonic() < end and len(served) < len(self.cluster.faces):
            for name, face in self.cluster.faces.items():
                answered_ns = face.answered_since(healthy_ns)
                if name not in served and answered_ns:
                    served[name] = ((answered_ns - healthy_ns) / 1e9, "")
            if time.monotonic() >= clear_at:  # whoever mended the agents tells the cluster
                self.cluster.clear_failures()
                clear_at = time.monotonic() + 1
            time.sleep(0.1)
        return {name: served.get(name) or (None, self._rightly_refused(plan, face.service))
                for name, face in self.cluster.faces.items()}

    def _rightly_refused(self, plan, service):
        left = plan.left_broken
        if left in service.hosts and self.cluster.only_copy_is_on(left):
            return f"only {left} has the data"
        if left and not self.cluster.layout.witness:
            survivor = next(name for name in self.cluster.addresses if name != left)
            if self.cluster.others_decide_without(survivor):
                return f"{survivor} has no vote: {left} went on alone"
            if not has_led_or_followed(self.cluster.manager_log(survivor)):
                return f"{survivor} may not start alone: {left} may have newer data"
        return ""

    def _await_order(self, plan, from_ns):
        """(seconds until everything is in order, or None; what is not)."""
        end = time.monotonic() + WHOLE_TIMEOUT_S
        while True:
            why = self.cluster.why_not_in_order()
            if not why and self.cluster.answered_since(from_ns):
                return (kernel.boottime_ns() - from_ns) / 1e9, ""
            if time.monotonic() > end:
                return None, f"after {WHOLE_TIMEOUT_S} s: {why or 'nobody answers the client'}"
            if plan.has_agent_faults():
                self.cluster.clear_failures()
            time.sleep(0.2)

    def _entry(self, number, plan, evidence, remarks, gaps):
        verdicts = judge_all(evidence, self.options.patience)
        ones = evidence.values()
        longest = {}
        for one in ones:
            for kind, gap_ms in longest_gaps(one.answered_ns, *gaps).items():
                longest[kind] = max(longest.get(kind, 0), gap_ms)
        return {"sequence": number, "name": plan.name, "nodes": self.nodes_of(number), "plan_version": VERSION,
                "programs": self.programs, "passed": passed(verdicts), "verdicts": verdicts,
                "steps": [str(step) for step in plan.steps], "left_broken": plan.left_broken, "remarks": remarks,
                "answered_orders": sum(len(one.acknowledged) for one in ones), "grants": sum(len(one.moves) for one in ones),
                "served_after_s": {name: one.served_after_s for name, one in evidence.items()},
                "rightly_refused": "; ".join(one.rightly_refused for one in ones if one.rightly_refused),
                "whole_after_s": next(iter(ones)).whole_after_s, "longest_gap_ms": longest}

    def _keep_failed(self, entry, evidence):
        """The story of a failed sequence, beside the results."""
        directory = os.path.join(self.options.directory, f"failed-{entry['name']}")
        shutil.rmtree(directory, ignore_errors=True)
        self.cluster.keep_logs()
        shutil.copytree(self.cluster.world.logs, directory)
        with open(os.path.join(directory, "timeline.json"), "w") as file:
            json.dump(self.timeline.as_json(), file, indent=1)
        with open(os.path.join(directory, "status.json"), "w") as file:
            json.dump({name: self.cluster.status(name) for name in self.cluster.hosts_up()}, file, indent=1)
        for name, one in evidence.items():
            kernel.write_file(os.path.join(directory, f"{name}.present"), "\n".join(one.present or []))
        return directory

    def _one(self, number):
        nodes = self.nodes_of(number)
        if self.cluster is None or self.played_on_cluster >= CLUSTER_LIVES or self.cluster.layout is not LAYOUTS[nodes]:
            self._take_down()
            self._come_up(nodes)
        self.played_on_cluster += 1
        plan, began = make_plan(self.options.seed, number, self.options.seconds, nodes), time.monotonic()
        why = self._await_order(plan, 0)[1]
        if why:
            raise StoryError(f"the cluster does not come up: {why}")
        self.timeline.fault_ns = kernel.boottime_ns()
        looks = self.cluster.leases.looks
        evidence, remarks, gaps = self._play(plan)
        entry = self._entry(number, plan, evidence, remarks, gaps)
        entry["looks_at_lease_pages"] = self.cluster.leases.looks - looks
        entry["took_s"] = round(time.monotonic() - began, 1)
        self.results.add(entry)
        self.results.summarise()
        self._tell(entry, evidence)
        if not entry["passed"]:
            self._take_down()  # the next one begins with a cluster that nothing is wrong with
        return entry["passed"]

    def _tell(self, entry, evidence):
        good = "ok" if entry["passed"] else "FAILED"
        after = entry["served_after_s"].values()
        served = entry["rightly_refused"] or (f"served after {max(after):.1f} s" if None not in after else "not served")
        print(f"{entry['name']:<10} {good:<6} {len(entry['steps']):>3} steps, {entry['left_broken'] or 'nobody'} left "
              f"broken, {served}, {entry['answered_orders']} orders, {entry['took_s']:.0f} s", flush=True)
        if entry["passed"]:
            return
        for demand, why in entry["verdicts"].items():
            for one in why:
                print(f"    {demand}: {one}")
        for remark in entry["remarks"]:
            print(f"    {remark}")
        print(f"    kept in {os.path.relpath(self._keep_failed(entry, evidence), ROOT)}; again: tests/system/faults --seed "
              f"{self.options.seed} --first {entry['sequence']} --sequences 1 --seconds {self.options.seconds:g} "
              f"--nodes {entry['nodes']} --again", flush=True)

    # --- all --------------------------------------------------------------------------------------------------------

    def run(self):
        options = self.options
        numbers = range(options.first, options.first + options.sequences)
        known = {} if options.again else self.results.known()
        known = {number: known[name] for number in numbers if (name := self.name_of(number)) in known}
        outcomes = [entry["passed"] for entry in known.values()]
        if outcomes:
            print(f"{len(outcomes)} of them were played before ({os.path.relpath(self.results.path, ROOT)})",
                  flush=True)
        try:
            for number in numbers:
                if number not in known:
                    outcomes.append(self._one(number))
        finally:
            self._take_down()
        print(f"{sum(outcomes)} of {len(outcomes)} sequences went as promised (seed {options.seed})")
        return all(outcomes)


def interrupt(number, _frame):
    raise SystemExit(128 + number)


def summarise_all(directories):
    """Of all results below these directories."""
    entries = []
    for directory in directories:
        for name in sorted(os.listdir(directory)):
            if name.startswith("seed-") and name.endswith(".jsonl"):
                entries += [entry for entry in read_results(os.path.join(directory, name)).values() if "plan_version" in entry]
    print(json.dumps(summarise(entries), indent=1))
    return 0 if entries and all(entry["passed"] for entry in entries) else 1


def main():
    options = arguments()
    if options.summary:
        return summarise_all(options.summary)
    if not can_be_played():
        print("needs root and Debian's resource-agents: skipped")
        return SKIP
    options.directory = os.path.realpath(options.directory)
    if not options.directory.startswith(ROOT + os.sep):
        print(f"tests/system/faults: {options.directory} is not below {ROOT}: the hosts would not see it", file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.makedirs(options.directory, exist_ok=True)
    lock = open(os.path.join(options.directory, "lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("tests/system/faults: another one is running in this directory.", file=sys.stderr)
        return 2
    with lock:
        small_disk.enter_namespace()
        return play(Run(options))


def play(run):
    good = False
    try:
        good = run.run()
    except (HostError, StoryError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted; everything is taken down. The same command goes on where it was.", file=sys.stderr)
        return 130
    if run.left:
        print(f"left behind: {'; '.join(run.left)}", file=sys.stderr)
    return 0 if good and not run.left else 1
