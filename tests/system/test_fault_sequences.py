"""The fault sequences: what is drawn makes sense, and each demand of the judge is shown a good run and a wrong one."""

import http.client
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import unittest.mock
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/harness"), os.path.join(ROOT, "tests/story")]
from bascule_hosts.wire import Segment  # noqa: E402
from bascule_story.activity import Writing  # noqa: E402
from fault_sequences import agent_faults, fork_bomb, grants, leases, run  # noqa: E402
from fault_sequences.figures import longest_gaps, summarise  # noqa: E402
from fault_sequences.layout import LAYOUTS, cluster_toml  # noqa: E402
from fault_sequences.plan import AGENT_FAULTS, VERSION, State, WEIGHTS, make_plan, name_of  # noqa: E402
from fault_sequences.verdict import Evidence, has_led_or_followed, judge, judge_all, passed  # noqa: E402

MS = 1_000_000


class Plans(unittest.TestCase):
    def test_the_same_seed_draws_the_same_and_another_one_something_else(self):
        self.assertEqual(make_plan(7, 3, 15), make_plan(7, 3, 15))
        self.assertNotEqual(make_plan(7, 3, 15).steps, make_plan(7, 4, 15).steps)
        self.assertNotEqual(make_plan(7, 3, 15).steps, make_plan(8, 3, 15).steps)
        self.assertNotEqual(make_plan(7, 3, 15, 2).steps, make_plan(7, 3, 15, 3).steps)

    def test_every_step_is_possible_where_it_stands_and_in_time(self):
        for nodes, number in [(nodes, number) for nodes in LAYOUTS for number in range(100)]:
            plan, state, at_ms = make_plan("x", number, 15, nodes), State(LAYOUTS[nodes]), 0
            self.assertTrue(plan.steps)
            for step in plan.steps:
                self.assertIn((step.action, step.target), state.possible(), plan)
                self.assertTrue(at_ms <= step.at_ms < 15_000, plan)
                state.apply(step.action, step.target)
                at_ms = step.at_ms
            if plan.left_broken:
                self.assertIn(plan.left_broken, state.dead | state.cut | state.full | state.bombed)
                self.assertNotIn(plan.left_broken, state.frozen)

    def test_everything_is_drawn_on_everybody(self):
        for nodes, layout in LAYOUTS.items():
            drawn = Counter((step.action, step.target) for number in range(400)
                            for step in make_plan("x", number, 15, nodes).steps)
            self.assertEqual({action for action, _ in drawn}, set(WEIGHTS))
            hosts, data = len(layout.hosts), len(layout.data)
            of_data = 2 + 1 + len(AGENT_FAULTS) + 1  # two crashes, the move, the agents' faults and their end
            self.assertEqual(len(drawn), 12 * hosts + of_data * data + 4 * len(layout.pairs) + 2 * len(layout.ways))
            left = Counter(make_plan("x", number, 15, nodes).left_broken for number in range(300))
            self.assertEqual(set(left), {None, *layout.hosts})

    def test_a_dead_host_is_neither_frozen_nor_cut_nor_bombed_but_its_disk_stays_full(self):
        state = State(frozen={"alice"}, cut={"alice"}, bombed={"alice"}, full={"alice"})
        state.apply("kill", ("alice",))
        self.assertEqual((state.dead, state.frozen, state.cut, state.bombed), ({"alice"}, set(), set(), set()))
        self.assertEqual(state.full, {"alice"})
        self.assertNotIn(("thaw", ("alice",)), state.possible())
        self.assertIn(("free", ("alice",)), state.possible())

    def test_an_agent_has_one_fault_until_it_is_mended(self):
        state = State()
        state.apply("agent-hangs", ("bob",))
        self.assertNotIn(("agent-hangs", ("bob",)), state.possible())
        state.apply("agent-says-running", ("bob",))
        self.assertEqual(state.agents, {"bob": "agent-says-running"})
        state.apply("mend-agent", ("bob",))
        self.assertEqual(state.agents, {})
        self.assertNotIn(("mend-agent", ("bob",)), state.possible())
        self.assertEqual(state.may_stay_broken(), [])


class Layouts(unittest.TestCase):
    def test_each_volume_is_on_two_hosts_and_only_two_nodes_alone_have_a_fence_device(self):
        for nodes, layout in LAYOUTS.items():
            text = cluster_toml(layout, "/server.py")
            self.assertEqual(text.count("[node."), nodes)
            self.assertEqual(text.count('role = "witness"'), 1 if layout.witness else 0)
            self.assertEqual(text.count("[fence."), 0 if layout.witness else 1)
            for service in layout.services:
                self.assertEqual(len(service.hosts), 2)
                self.assertTrue(set(service.hosts) <= set(layout.data))
                self.assertIn(f"/server.py {service.mount}/orders", text)
        self.assertEqual(len({service.address for service in LAYOUTS[5].services}), 2)


def good(**changed):
    """Alice answers, bob is given the service and answers; two orders are written."""
    evidence = Evidence(segments=[Segment("a", 0, 100 * MS), Segment("b", 300 * MS, 900 * MS)],
                        moves=[(200 * MS, "b")], writings=[Writing("alice", 1, 1 * MS, 100 * MS, 100 * MS),
                                                           Writing("bob", 2, 250 * MS, 900 * MS, 900 * MS)],
                        acknowledged=["1", "2"], present=["1", "2", "unanswered"], served_after_s=1.0,
                        whole_after_s=3.0, names={"a": "alice", "b": "bob"})
    for name, value in changed.items():
        setattr(evidence, name, value)
    return evidence


class Judge(unittest.TestCase):
    def found(self, evidence):
        verdicts = judge(evidence, 10)
        self.assertEqual(passed(verdicts), not any(verdicts.values()))
        return {demand for demand, why in verdicts.items() if why}

    def test_a_good_run_passes(self):
        self.assertEqual(self.found(good()), set())
        self.assertTrue(passed(judge(good(), 10)))

    def test_an_old_owner_that_answers_again_is_found(self):
        again = good().segments + [Segment("a", 901 * MS, 902 * MS)]
        self.assertEqual(self.found(good(segments=again)), {"one_answers"})
        self.assertFalse(passed(judge(good(segments=again), 10)))

    def test_an_answer_before_the_grant_is_found(self):
        self.assertEqual(self.found(good(moves=[(301 * MS, "b")])), {"one_answers"})
        self.assertEqual(self.found(good(moves=[])), {"one_answers"})

    def test_a_write_that_is_acknowledged_in_the_next_epoch_is_found(self):
        late = [Writing("alice", 1, 1 * MS, 251 * MS, 251 * MS), good().writings[1]]
        self.assertEqual(self.found(good(writings=late)), {"one_writes"})

    def test_a_lost_or_doubled_order_is_found(self):
        self.assertEqual(self.found(good(present=["1"])), {"nothing_lost"})
        self.assertEqual(self.found(good(present=["1", "2", "2"])), {"nothing_lost"})
        self.assertEqual(self.found(good(present=None, whole_after_s=None)), {"gets_in_order"})

    def test_two_hosts_that_believed_at_once_are_found(self):
        held = [(1, "service:shop", {"alice": 1, "bob": 2}), (2, "service:shop", {"alice": 1, "bob": 2})]
        self.assertEqual(self.found(good(believed=held)), {"one_believes"})
        self.assertIn("seen 2 times", judge(good(believed=held), 10)["one_believes"][0])

    def test_each_of_several_services_is_judged(self):
        together = judge_all({"shop": good(), "depot": good(present=["1"])}, 10)
        self.assertEqual([demand for demand, why in together.items() if why], ["nothing_lost"])
        self.assertTrue(together["nothing_lost"][0].startswith("depot: "))
        self.assertTrue(passed(judge_all({"shop": good(), "depot": good()}, 10)))

    def test_who_knew_of_no_leader_since_its_start_may_not_start_alone(self):
        earlier = "leader-elected bob: bob leads\n12:00 bascule-managerd info: alice of boutique is up\n"
        self.assertFalse(has_led_or_followed(earlier + "node-lost bob: nothing was heard\n"))
        self.assertTrue(has_led_or_followed(earlier + "leader-elected alice: alice leads in term 3\n"))
        self.assertFalse(has_led_or_followed(""))

    def test_a_healthy_majority_that_does_not_serve_is_found(self):
        self.assertEqual(self.found(good(served_after_s=None)), {"majority_serves"})
        self.assertEqual(self.found(good(served_after_s=10.5)), {"majority_serves"})
        self.assertEqual(self.found(good(served_after_s=None, rightly_refused="only alice has the data")), set())


def lease_page(slots):
    page = struct.pack("=QII", leases.PAGE_MAGIC, len(slots), 7)
    return page + b"".join(struct.pack("=56sIIQq", name.encode(), 2, 0, epoch, end_ns) for name, epoch, end_ns in slots)


class Leases(unittest.TestCase):
    def test_a_lease_that_two_hosts_hold_at_the_same_moment_is_found(self):
        alice = lease_page([("service:shop", 3, 900), ("volume:data", 2, 500)])
        bob = lease_page([("service:shop", 4, 800), ("volume:data", 3, 800)])
        self.assertEqual(leases.held_twice({"alice": alice, "bob": bob}, 600), [("service:shop", {"alice": 3, "bob": 4})])
        self.assertEqual(leases.held_twice({"alice": alice, "bob": bob}, 900), [])
        self.assertEqual(leases.held_twice({"alice": alice, "bob": b""}, 600), [])
        self.assertEqual(leases.held_twice({"alice": alice, "bob": b"\0" * 8192}, 600), [])


class Grants(unittest.TestCase):
    LINE = "2026-11-23 22:09:38.440 bascule-managerd info: service-granted shop: shop goes to alice (epoch 12): first start"

    def test_a_grant_is_read_from_a_log_too_and_is_not_earlier_than_it_says(self):
        service, node, epoch, at_ns = grants.read_line(self.LINE)
        self.assertEqual((service, node, epoch), ("shop", "alice", "12"))
        self.assertEqual(at_ns % 1_000_000_000, 441 * MS)
        self.assertIsNone(grants.read_line(self.LINE.replace("granted", "released")))


class Figures(unittest.TestCase):
    def test_a_gap_is_charged_to_what_was_done_last_before_it_was_felt(self):
        steps = [(1000 * MS, "kill"), (5000 * MS, "boot"), (9000 * MS, "cut")]
        answered = [at * MS for at in (990, 3000, 3010, 5400, 5410, 9300)]
        self.assertEqual(longest_gaps(answered, steps, 11000 * MS), {"kill": 2390, "boot": 3890, "cut": 1700})

    def entry(self, number, **changed):
        return {"name": f"s-3-{number}", "nodes": 3, "passed": True, "verdicts": {"one_answers": [], "nothing_lost": []},
                "steps": ["+0.100 s kill alice", "+1.000 s boot alice"], "left_broken": None, "rightly_refused": "",
                "served_after_s": {"shop": 1.5}, "answered_orders": 10, "grants": 2, "took_s": 20, "programs": "abc",
                "plan_version": VERSION, "longest_gap_ms": {"kill": 100}, **changed}

    def test_a_run_is_summed_up(self):
        wrong = self.entry(2, passed=False, verdicts={"one_answers": ["two"], "nothing_lost": []}, left_broken="bob",
                           longest_gap_ms={"kill": 700, "cut": 5}, served_after_s={"shop": None})
        found = summarise([self.entry(1), wrong])
        self.assertEqual((found["sequences"], found["passed"], found["failed"]), (2, 1, ["s-3-2"]))
        self.assertEqual(found["failed_by_demand"], {"one_answers": 1, "nothing_lost": 0})
        self.assertEqual(found["by_nodes"], {"3": {"sequences": 2, "failed": 1}})
        self.assertEqual((found["faults"], found["repairs"], found["steps_by_kind"]), (2, 2, {"boot": 2, "kill": 2}))
        self.assertEqual(found["longest_gap_ms_by_kind"], {"cut": 5, "kill": 700})
        self.assertEqual(found["served_after_s"], {"median": 1.5, "longest": 1.5})
        self.assertEqual(summarise([])["sequences"], 0)


class Resuming(unittest.TestCase):
    class Fake(run.Run):
        """Plays nothing; the odd ones go wrong."""

        def _one(self, number):
            played.append(self.name_of(number))
            self.results.add({"sequence": number, "name": self.name_of(number), "plan_version": VERSION,
                              "passed": number % 2 == 0})
            return number % 2 == 0

    def go(self, directory, *more):
        played.clear()
        options = run.arguments(["--directory", directory, "--seed", "s", *more])
        with unittest.mock.patch("builtins.print"):
            return self.Fake(options).run(), list(played)

    def test_what_was_played_is_not_played_again_and_still_counts(self):
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(self.go(directory, "--sequences", "1", "--first", "2"), (True, ["s-3-2"]))
            self.assertEqual(self.go(directory, "--sequences", "3"), (False, ["s-3-1", "s-3-3"]))
            self.assertEqual(self.go(directory, "--sequences", "3"), (False, []))
            self.assertEqual(self.go(directory, "--sequences", "1", "--again"), (False, ["s-3-1"]))
            self.assertEqual(self.go(directory, "--sequences", "1", "--seconds", "3"), (False, ["s-3-1"]))  # another sequence

    def test_other_nodes_and_other_plans_are_other_sequences(self):
        with tempfile.TemporaryDirectory() as directory:
            self.go(directory, "--sequences", "1")
            self.assertEqual(self.go(directory, "--sequences", "1", "--nodes", "5"), (False, ["s-5-1"]))
            with unittest.mock.patch.object(run, "VERSION", VERSION + 1):
                self.assertEqual(self.go(directory, "--sequences", "1"), (False, ["s-3-1"]))

    def test_the_number_alone_says_on_how_many_nodes(self):
        numbered = self.Fake(run.arguments(["--nodes", "2,5", "--seed", "s"]))
        self.assertEqual([numbered.nodes_of(number) for number in (1, 20, 21, 40, 41)], [2, 2, 5, 5, 2])
        self.assertEqual(name_of("s", 21, 5), numbered.name_of(21))

    def test_a_line_that_was_not_finished_is_played_again(self):
        with tempfile.TemporaryDirectory() as directory:
            results = run.Results(directory, "s", 15)
            results.add({"sequence": 2, "name": "s-3-2", "plan_version": VERSION, "passed": True})
            with open(results.path, "a") as file:
                file.write('{"sequence": 4, "name": "s-3-4", "pas')
            self.assertEqual(list(results.known()), ["s-3-2"])


class FaultyAgent(unittest.TestCase):
    """The script with a stand-in for Debian's agent."""

    def run_it(self, directory, operation, fault=None):
        with open(os.path.join(directory, "fault"), "w") as file:
            file.write((fault or "") + "\n")
        with open(os.path.join(os.path.dirname(agent_faults.__file__), "faulty_agent.sh")) as file:
            script = file.read().replace(agent_faults.INSIDE, directory)
        return subprocess.run(["sh", "-c", script, "anything", operation], timeout=20, check=False,
                              env={**os.environ, "OCF_RESKEY_binfile": "/usr/bin/touch",
                                   "OCF_RESKEY_cmdline_options": f"{directory}/left"}).returncode

    def test_it_lies_hangs_and_leaves_children_as_its_file_says(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "anything"), "w") as file:
                file.write("#!/bin/sh\nexit 42\n")
            os.chmod(os.path.join(directory, "anything"), 0o755)
            self.assertEqual([self.run_it(directory, "monitor"), self.run_it(directory, "start", "agent-says-running")], [42, 42])
            self.assertEqual(self.run_it(directory, "monitor", "agent-says-running"), 0)
            self.assertEqual(self.run_it(directory, "monitor", "agent-says-stopped"), 7)
            self.assertEqual(self.run_it(directory, "meta-data", "agent-hangs"), 42)
            self.assertEqual(self.run_it(directory, "stop", "agent-leaves-children"), 42)
            end = time.monotonic() + 10
            while not os.path.exists(os.path.join(directory, "left")) and time.monotonic() < end:
                time.sleep(0.02)
            self.assertTrue(os.path.exists(os.path.join(directory, "left")))


class ForkBomb(unittest.TestCase):
    def test_it_takes_what_there_is_and_tries_again(self):
        forked = []

        def fork():
            forked.append(True)
            if len(forked) == 4:
                raise KeyboardInterrupt
            if len(forked) == 2:
                raise BlockingIOError
            return 1

        with tempfile.TemporaryDirectory() as directory, unittest.mock.patch("os.fork", fork), \
                unittest.mock.patch("signal.signal"), unittest.mock.patch("sys.argv", ["", directory]), \
                self.assertRaises(KeyboardInterrupt):
            fork_bomb.main()
        self.assertEqual(len(forked), 4)


played = []


class Server(unittest.TestCase):
    SCRIPT = ("import sys; sys.path.insert(0, {here!r}); from fault_sequences import order_server as s\n"
              "server = s.Server(('127.0.0.1', 0), s.Orders); server.orders = s.open_orders({path!r})\n"
              "print(server.server_port, flush=True); server.serve_forever()")

    def test_an_order_is_in_the_file_before_it_is_answered_and_a_torn_line_stays_alone(self):
        with tempfile.NamedTemporaryFile("w", suffix=".orders") as file:
            file.write("old\ntor")
            file.flush()
            script = self.SCRIPT.format(here=HERE, path=file.name)
            with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as server:
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", int(server.stdout.readline()), timeout=20)
                    connection.request("POST", "/order.php", body="id=c-17")
                    self.assertEqual(connection.getresponse().read(), b"ok c-17\n")
                    with open(file.name) as written:
                        self.assertEqual(written.read().split(), ["old", "tor", "c-17"])
                    connection.close()
                finally:
                    server.send_signal(signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
