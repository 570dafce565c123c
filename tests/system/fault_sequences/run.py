"""Random sequences of faults, judged from outside. README.md says what is demanded and how one is played again."""

import argparse
import fcntl
import json
import os
import shutil
import signal
import sys
import time

from bascule_hosts import HostError, kernel
from bascule_story import judge as story_judge
from bascule_story.cluster import StoryError
from bascule_story.timeline import Timeline

from .cluster import FaultCluster, Watcher
from .plan import make_plan
from .verdict import judge, passed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
ANYTHING = "/usr/lib/ocf/resource.d/heartbeat/anything"
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
    parser.add_argument("--programs", default=os.path.join(ROOT, "build/release/bin"), metavar="DIR")
    parser.add_argument("--directory", default=os.path.join(ROOT, "out/faults"), help=argparse.SUPPRESS)
    return parser.parse_args(argv)


class Results:
    """One line of JSON for each sequence that was played with this seed and these seconds."""

    def __init__(self, directory, seed, seconds):
        self.path = os.path.join(directory, f"seed-{seed}-{seconds:g}s.jsonl")

    def known(self):
        found = {}
        for line in kernel.read_file(self.path).splitlines():
            try:
                entry = json.loads(line)
                found[entry["sequence"]] = entry
            except (ValueError, KeyError):
                continue  # the run was killed while it wrote
        return found

    def add(self, entry):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "a") as file:
            file.write(json.dumps(entry) + "\n")


class Run:
    def __init__(self, options):
        self.options = options
        self.results = Results(options.directory, options.seed, options.seconds)
        self.cluster = self.timeline = None
        self.played_on_cluster = 0
        self.left = []

    # --- the cluster ------------------------------------------------------------------------------------------------

    def _directory(self):
        return os.path.join(self.options.directory, "cluster")

    def _come_up(self):
        self.timeline = Timeline(quiet=True)
        directory = self._directory()
        programs = os.path.join(directory, "programs")  # the hosts see nothing of the machine but the checkout
        self.cluster = FaultCluster(directory, programs, self.timeline)
        shutil.copytree(self.options.programs, programs, ignore=lambda _, names: [
            name for name in names if not name.startswith("bascule")])
        self.cluster.make_hosts()
        self.cluster.start_everything()
        self.cluster.start_client()
        self.played_on_cluster = 0

    def _take_down(self):
        if self.cluster is None:
            return
        self.timeline.stop()
        self.cluster.close()
        shutil.rmtree(os.path.join(self._directory(), "programs"), ignore_errors=True)
        self.left += self.cluster.world.footprint.leftovers()
        self.cluster = None

    # --- one sequence -----------------------------------------------------------------------------------------------

    def _play(self, plan):
        """(evidence, remarks)"""
        cluster = self.cluster
        watcher = Watcher(cluster)
        remarks = self._strike(plan, watcher.from_ns)
        healthy_ns = self._repair(plan)
        served_after_s, refused = self._await_service(plan, healthy_ns)
        repaired_ns = kernel.boottime_ns()
        cluster.repair_all_but(None)
        whole_after_s, why = self._await_order(repaired_ns)
        evidence = watcher.evidence()
        evidence.moves = story_judge.moves(cluster, self.timeline)  # after the wire: none of its answers is without its grant
        evidence.served_after_s, evidence.rightly_refused = served_after_s, refused
        evidence.whole_after_s = whole_after_s
        if why:
            remarks.append(why)
        if not why:
            evidence.present = cluster.orders_present()
        return evidence, remarks

    def _strike(self, plan, from_ns):
        remarks = []
        for step in plan.steps:
            time.sleep(max(0.0, (from_ns + step.at_ms * 1_000_000 - kernel.boottime_ns()) / 1e9))
            said = self.cluster.carry_out(step)
            at_s = (kernel.boottime_ns() - from_ns) / 1e9
            self.timeline.say(f"{step}{': ' + said if said else ''} (done at +{at_s:.3f} s)", "faults")
            if said:
                remarks.append(f"{step}: {said}")
        left_ns = from_ns + int(self.options.seconds * 1e9) - kernel.boottime_ns()
        time.sleep(max(0, left_ns) / 1e9)
        return remarks

    def _repair(self, plan):
        self.timeline.say(f"the faults end; {plan.left_broken or 'nobody'} stays broken", "faults")
        self.cluster.repair_all_but(plan.left_broken)
        return kernel.boottime_ns()

    def _await_service(self, plan, healthy_ns):
        """(seconds until an answer or None, why the majority need not serve)."""
        end = time.monotonic() + self.options.patience
        while time.monotonic() < end:
            answered_ns = self.cluster.answered_since(healthy_ns)
            if answered_ns:
                return (answered_ns - healthy_ns) / 1e9, ""
            time.sleep(0.1)
        if plan.left_broken and self.cluster.only_copy_is_on(plan.left_broken):
            return None, f"only {plan.left_broken} has the data"
        return None, ""

    def _await_order(self, from_ns):
        """(seconds until everything is in order, or None; what is not)."""
        end = time.monotonic() + WHOLE_TIMEOUT_S
        while True:
            why = self.cluster.why_not_in_order()
            if not why and self.cluster.answered_since(from_ns):
                return (kernel.boottime_ns() - from_ns) / 1e9, ""
            if time.monotonic() > end:
                return None, f"after {WHOLE_TIMEOUT_S} s: {why or 'nobody answers the client'}"
            time.sleep(0.2)

    def _entry(self, number, plan, evidence, remarks, took_s):
        verdicts = judge(evidence, self.options.patience)
        return {"sequence": number, "name": plan.name, "passed": passed(verdicts), "verdicts": verdicts,
                "steps": [str(step) for step in plan.steps], "left_broken": plan.left_broken, "remarks": remarks,
                "answered_orders": len(evidence.acknowledged), "grants": len(evidence.moves),
                "served_after_s": evidence.served_after_s, "rightly_refused": evidence.rightly_refused,
                "whole_after_s": evidence.whole_after_s, "took_s": round(took_s, 1)}

    def _keep_failed(self, entry):
        """The story of a failed sequence, beside the results."""
        directory = os.path.join(self.options.directory, f"failed-{entry['name']}")
        shutil.rmtree(directory, ignore_errors=True)
        self.cluster.keep_logs()
        shutil.copytree(self.cluster.world.logs, directory)
        with open(os.path.join(directory, "timeline.json"), "w") as file:
            json.dump(self.timeline.as_json(), file, indent=1)
        with open(os.path.join(directory, "status.json"), "w") as file:
            json.dump({name: self.cluster.status(name) for name in self.cluster.hosts_up()}, file, indent=1)
        return directory

    def _one(self, number):
        if self.cluster is None or self.played_on_cluster >= CLUSTER_LIVES:
            self._take_down()
            self._come_up()
            why = self._await_order(0)[1]
            if why:
                raise StoryError(f"the cluster does not come up: {why}")
        self.played_on_cluster += 1
        plan, began = make_plan(self.options.seed, number, self.options.seconds), time.monotonic()
        self.timeline.fault_ns = kernel.boottime_ns()
        evidence, remarks = self._play(plan)
        entry = self._entry(number, plan, evidence, remarks, time.monotonic() - began)
        self.results.add(entry)
        self._tell(entry)
        if not entry["passed"]:
            self._take_down()  # the next one begins with a cluster that nothing is wrong with
        return entry["passed"]

    def _tell(self, entry):
        good = "ok" if entry["passed"] else "FAILED"
        served = entry["rightly_refused"] or (f"served after {entry['served_after_s']:.1f} s" if entry["served_after_s"]
                                              is not None else "not served")
        print(f"{entry['name']:<10} {good:<6} {len(entry['steps']):>3} faults, {entry['left_broken'] or 'nobody'} left "
              f"broken, {served}, {entry['answered_orders']} orders, {entry['took_s']:.0f} s", flush=True)
        if entry["passed"]:
            return
        for demand, why in entry["verdicts"].items():
            for one in why:
                print(f"    {demand}: {one}")
        for remark in entry["remarks"]:
            print(f"    {remark}")
        print(f"    kept in {os.path.relpath(self._keep_failed(entry), ROOT)}; again: tests/system/faults --seed "
              f"{self.options.seed} --first {entry['sequence']} --sequences 1 --seconds {self.options.seconds:g} "
              "--again", flush=True)

    # --- all --------------------------------------------------------------------------------------------------------

    def run(self):
        options = self.options
        numbers = range(options.first, options.first + options.sequences)
        known = {} if options.again else self.results.known()
        outcomes = [known[number]["passed"] for number in numbers if number in known]
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


def main():
    options = arguments()
    if os.geteuid() != 0 or not os.path.exists(ANYTHING):
        print("needs root and Debian's resource-agents: skipped")
        return SKIP
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.makedirs(options.directory, exist_ok=True)
    lock = open(os.path.join(options.directory, "lock"), "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("tests/system/faults: another one is running in this checkout.", file=sys.stderr)
        return 2
    with lock:
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
