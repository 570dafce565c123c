"""The story of clock_steps, inside the machine: a cluster on test hosts serves while the wall clock jumps.

  clock_story.py --programs DIR --directory DIR
"""

import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", name) for name in ("harness", "story", "system")]
from bascule_hosts import HostError, kernel, read_orders  # noqa: E402
from bascule_story import judge as story_judge, shop  # noqa: E402
from bascule_story.cluster import ADDRESSES, CLIENT_PROGRAM, StoryError  # noqa: E402
from bascule_story.timeline import Timeline  # noqa: E402
from fault_sequences.cluster import FaultCluster, Watcher  # noqa: E402
from fault_sequences.verdict import judge  # noqa: E402

HOUR_S, TEN_YEARS_S = 3600, 3652 * 86400
JUST_AFTER_1970_S = 6 * HOUR_S  # not less than the machine is up: the kernel refuses that
# An emulated processor is ten to thirty times as slow as a real one, so everything may take so much longer.
TIMING = """\
heartbeat_ms = 1000
election_min_ms = 6000
election_max_ms = 12000
lease_ms = 12000
lease_margin_ms = 500
hold_grace_ms = 60000
stop_deadline_ms = 60000
watchdog_deadline_ms = 180000
"""
NET = """\
[volume.data.net]
timeout = 90
ping-timeout = 80
ping-int = 10
connect-int = 10
"""
SLOWER = 6  # than what the harness waits for
FAILURE_TIMEOUT_S, MAINTENANCE_S = 240, 3600
SLACK_S = 40
SERVE_S = 15  # of service after each step
PATIENCE_S = 120
CLIENT_PATIENCE_S = 5
# What nobody may do because of a clock.
FAILOVER = ("node-lost", "lease-ended", "leader-elected", "service-granted", "service-held", "service-stopped",
            "service-failed", "takeover-refused", "watchdog-bite", "peer-lost", "in-sync-shrunk", "host-killed")


def expect(right, sentence):
    if not right:
        raise StoryError(sentence)


class ClockCluster(FaultCluster):
    """The cluster of the fault sequences, with patient timing."""

    def make_hosts(self):
        self.world.watchdog_ms = 120000
        super().make_hosts()
        self.asker.stop()  # forty questions a second are too much for such a processor
        text = self.hosts["alice"].read("/etc/bascule/cluster.toml")
        text = text.replace("[cluster]\n", "[cluster]\n" + TIMING) + f'failure_timeout = "{FAILURE_TIMEOUT_S}s"\n' + NET
        for name in ADDRESSES:
            self.hosts[name].write("/etc/bascule/cluster.toml", text)

    def wait_for(self, what, condition, timeout_s, every_s=0.05):
        return super().wait_for(what, condition, timeout_s * SLOWER, 0.5)

    def why_not_in_order(self):
        """As there; dave is no matter."""
        status = self.any_status() or {}
        away = [one["name"] for one in status.get("nodes", []) if one["name"] in ADDRESSES and not one.get("online")]
        if away or not status.get("quorum", {}).get("have"):
            return f"{', '.join(away) or 'a leader'} is missing"
        state = self.service_state().get("state")
        if state != "Started":
            return f"the service is {state}"
        return "" if self.in_sync() else "the replicas are not in sync"

    def bascule(self, name, *arguments, timeout_s=60.0, check=True):
        return super().bascule(name, *arguments, timeout_s=timeout_s * SLOWER, check=check)

    def status(self, name, timeout_s=2.0):
        return super().status(name, timeout_s * SLOWER)

    def start_client(self):
        self._client = self.hosts["client"].start(["/usr/bin/python3", "-B", CLIENT_PROGRAM, "orders", shop.ORDER_URL,
                                                   f"/client/{os.path.basename(self.orders_path)}", str(CLIENT_PATIENCE_S)])

    def json(self, name, *arguments):
        """The last line that a command prints with --json; and its exit code."""
        done = self.bascule(name, *arguments, "--json", check=False)
        lines = (done.out or done.err).strip().splitlines()
        return done.code, json.loads(lines[-1]) if lines else {}


class ClockStory:
    def __init__(self, directory, programs):
        self.timeline = Timeline(quiet=True)
        self.cluster = ClockCluster(directory, programs, self.timeline)
        self.began = time.monotonic()
        self.marks = []  # names that were written into the history, in this order
        self.token = None

    def say(self, text):
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", flush=True)

    # --- the cluster ------------------------------------------------------------------------------------------------

    def come_up(self):
        self.cluster.make_hosts()
        self.cluster.start_all_programs()
        self.cluster._prepare_volume()
        self.cluster.bascule("alice", "start", "shop")
        self.cluster.wait_started(PATIENCE_S * 2, on="alice")
        self.cluster.start_client()
        self.wait_in_order()
        self.say("a service runs on alice, both replicas are in sync, a client writes orders")

    def wait_in_order(self):
        end = time.monotonic() + 3 * PATIENCE_S
        while (why := self.cluster.why_not_in_order()) or not self.cluster.answered_since(0):
            expect(time.monotonic() < end, f"the cluster is not in order: {why}")
            time.sleep(0.5)

    # --- the clock --------------------------------------------------------------------------------------------------

    def step(self, what, to_s):
        """The wall clock jumps; after a while everything must be as it was, and nobody may have done anything."""
        before_ns, owner = kernel.boottime_ns(), self.cluster.service_state()
        self.mark(f"before {what}")
        quiet_ns = kernel.boottime_ns()
        time.clock_settime(time.CLOCK_REALTIME, to_s)
        time.sleep(SERVE_S)
        for kind in FAILOVER:
            events = [one for one in self.timeline.find(kind, quiet_ns) if one["subject"] != "dave"]
            expect(not events, f"{what}: {events[:1]}")
        now = self.cluster.service_state()
        expect((now.get("owner"), now.get("epoch"), now.get("state")) == ("alice", owner.get("epoch"), "Started"),
               f"{what}: the service is {now}")
        answered = [acked for _, sent, acked in read_orders(self.cluster.orders_path).acknowledged if sent > quiet_ns]
        expect(answered, f"{what}: no order was answered")
        expect(not self.cluster.why_not_in_order(), f"{what}: {self.cluster.why_not_in_order()}")
        self.mark(f"after {what}")
        self.check_history(what)
        self.say(f"{what}: {len(answered)} orders answered, nothing moved ({time.strftime('%F %T', time.gmtime())})")
        return before_ns

    # --- what is written down ---------------------------------------------------------------------------------------

    def mark(self, name):
        """Something that the log agrees on, so that it has its place in the history of all."""
        code, said = self.cluster.json("carol", "maintenance", "on", "--node", "bob", "--for", f"{MAINTENANCE_S}s",
                                       "--reason", name)
        expect(code == 0, f"maintenance: {said}")
        self.maintained_ns = kernel.boottime_ns()
        self.marks.append(name)

    def check_history(self, what):
        """Readable on every node, each node's events in the order of their numbers, the agreed ones in the log's."""
        for name in ADDRESSES:
            done = self.cluster.bascule(name, "history", "--json", "--limit", "5000")
            events = [json.loads(line) for line in done.out.splitlines()]
            indexes = [int(one["fields"]["index"]) for one in events if one["fields"].get("index")]
            expect(indexes == sorted(indexes), f"{what}: {name} tells what was agreed in another order: {indexes}")
            texts = [one["text"] for one in events]
            places = [next((place for place, text in enumerate(texts) if mark in text), None) for mark in self.marks]
            expect(None not in places and places == sorted(places), f"{what}: {name} has the marks at {places}")
            for node in ADDRESSES:
                own = [one["seq"] for one in events if one["node"] == node and not one["fields"].get("index")]
                expect(own == sorted(own), f"{what}: {name} tells the events of {node} in another order")
        expect(self.cluster.bascule("bob", "history", "--since", "1h").out.strip(),
               f"{what}: the last hour is empty")

    # --- what expires -----------------------------------------------------------------------------------------------

    def fail_once(self):
        """A monitor finds the service's program dead: a failure that fades after FAILURE_TIMEOUT_S of real time."""
        alice = self.cluster.hosts["alice"]
        alice.run(["kill", "-9", alice.read("/run/shop/orders.pid").strip()])
        self.cluster.wait_for("The failure is seen", self.failures, PATIENCE_S)
        self.failed_ns = kernel.boottime_ns()
        self.wait_in_order()
        self.say("the service's program was killed once and runs again")

    def failures(self):
        return self.cluster.service_state().get("failures")

    def check_what_runs_out(self, what):
        """By the time that has really passed, whatever the clock says."""
        gone_s = (kernel.boottime_ns() - self.failed_ns) / 1e9
        failures = self.failures()
        if gone_s < FAILURE_TIMEOUT_S - SLACK_S:
            expect(failures, f"{what}: the failure is forgotten after {gone_s:.0f} s")
            left_s = failures[0]["fades_in_ms"] / 1000
            expect(abs(left_s - (FAILURE_TIMEOUT_S - gone_s)) < SLACK_S,
                   f"{what}: the failure of {gone_s:.0f} s ago fades in {left_s:.0f} s")
        status = self.cluster.any_status()
        left_s = status["maintenance"][0]["left_ms"] / 1000
        gone_s = (kernel.boottime_ns() - self.maintained_ns) / 1e9
        expect(abs(left_s - (MAINTENANCE_S - gone_s)) < SLACK_S,
               f"{what}: {left_s:.0f} s are left of a maintenance of {MAINTENANCE_S} s, {gone_s:.0f} s after its beginning")

    def await_forgetting(self):
        self.cluster.wait_for("The failure is forgotten", lambda: not self.failures(), FAILURE_TIMEOUT_S + SLACK_S)
        gone_s = (kernel.boottime_ns() - self.failed_ns) / 1e9
        expect(gone_s > FAILURE_TIMEOUT_S - SLACK_S, f"the failure was forgotten after {gone_s:.0f} s")
        self.say(f"the failure was forgotten after {gone_s:.0f} s")

    # --- a machine that joins -----------------------------------------------------------------------------------------

    def add_dave(self):
        base = os.path.join(self.cluster.directory, "dave")
        self.cluster.world.add("dave", "10.77.0.4", [(f"{base}/disk", "/var/lib/bascule"), (f"{base}/etc", "/etc/bascule"),
                                                     (f"{base}/srv", "/srv")])
        code, said = self.cluster.json("alice", "node", "add", "dave", "--address", "10.77.0.4", "--yes")
        expect(code == 0, f"node add: {said}")
        self.token = said["token"]

    def new_token(self):
        code, said = self.cluster.json("bob", "node", "token", "dave")
        expect(code == 0, f"node token: {said}")
        self.token = said["token"]

    def join(self, refused_because=None):
        done = self.cluster.bascule("dave", "join", self.token, check=False)
        if refused_because is None:
            expect(done.code == 0, f"join: {done.out} {done.err}")
            return
        expect(done.code != 0 and refused_because in done.err, f"join was not refused as it should: {done.code} "
               f"{done.out} {done.err}")
        self.say(f"a token: {done.err.strip().splitlines()[-1][:150]}")

    # --- a node dies --------------------------------------------------------------------------------------------------

    def lose_alice(self):
        self.cluster.json("carol", "maintenance", "off", "--node", "bob")
        died_ns = self.cluster.hosts["alice"].kill()
        self.cluster.wait_for("bob takes over", lambda: self.cluster.owner() == "bob", PATIENCE_S)
        self.cluster.wait_started(PATIENCE_S, on="bob")
        answered_ns = self.cluster.wait_for("bob answers", lambda: self.cluster.answered_since(died_ns), PATIENCE_S)
        self.say(f"alice died, bob answered {(answered_ns - died_ns) / 1e9:.1f} s later")
        self.cluster.boot("alice")
        self.wait_in_order()
        self.say("alice is back and in sync")

    def check_evidence(self, watcher):
        evidence = watcher.evidence()
        self.cluster.stop_client()
        evidence.moves = story_judge.moves(self.cluster, self.timeline)
        evidence.present = self.cluster.orders_present()
        evidence.served_after_s = evidence.whole_after_s = 0.0
        against = [one for why in judge(evidence, PATIENCE_S).values() for one in why]
        expect(not against, "; ".join(against))
        self.say(f"{len(evidence.acknowledged)} answered orders, none lost, none twice; one node answered and wrote at a time")

    # --- all ----------------------------------------------------------------------------------------------------------

    def play(self):
        self.come_up()
        watcher = Watcher(self.cluster)
        truth = time.time() - time.monotonic()
        self.add_dave()
        self.fail_once()
        self.step("one hour ahead", time.time() + HOUR_S + 60)
        self.check_what_runs_out("one hour ahead")
        self.join("expired")
        self.new_token()
        self.step("an hour back", time.time() - HOUR_S)
        self.check_what_runs_out("an hour back")
        self.step("ten years ahead", time.time() + TEN_YEARS_S)
        self.check_what_runs_out("ten years ahead")
        self.new_token()
        self.step("to 1970", JUST_AFTER_1970_S)
        self.check_what_runs_out("to 1970")
        self.join("clock")
        self.await_forgetting()
        self.new_token()
        self.join()
        self.cluster.start_manager("dave")
        self.cluster.wait_for("dave is a member", lambda: any(
            one["name"] == "dave" and one["online"] for one in (self.cluster.status("bob") or {}).get("nodes", [])), PATIENCE_S)
        self.say("in 1970 dave joined by a new token")
        self.lose_alice()
        self.step_back_to(truth)
        self.check_evidence(watcher)

    def step_back_to(self, truth):
        time.clock_settime(time.CLOCK_REALTIME, truth + time.monotonic())
        self.check_history("the true time again")
        self.wait_in_order()
        self.say("the clock is right again")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--directory", required=True)
    options = parser.parse_args()
    story, good = ClockStory(options.directory, options.programs), False
    try:
        story.play()
        good = True
    except (HostError, StoryError, OSError) as error:
        story.say(f"FAILED: {error}")
    finally:
        story.timeline.stop()
        story.cluster.keep_logs()
        story.cluster.world.close()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
