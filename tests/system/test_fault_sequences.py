"""The fault sequences: what is drawn makes sense, and each demand of the judge is shown a good run and a wrong one."""

import http.client
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/harness"), os.path.join(ROOT, "tests/story")]
from bascule_hosts.wire import Segment  # noqa: E402
from bascule_story.activity import Writing  # noqa: E402
from fault_sequences import run  # noqa: E402
from fault_sequences.plan import State, WEIGHTS, make_plan  # noqa: E402
from fault_sequences.verdict import Evidence, judge, passed  # noqa: E402

MS = 1_000_000


class Plans(unittest.TestCase):
    def test_the_same_seed_draws_the_same_and_another_one_something_else(self):
        self.assertEqual(make_plan(7, 3, 15), make_plan(7, 3, 15))
        self.assertNotEqual(make_plan(7, 3, 15).steps, make_plan(7, 4, 15).steps)
        self.assertNotEqual(make_plan(7, 3, 15).steps, make_plan(8, 3, 15).steps)

    def test_every_step_is_possible_where_it_stands_and_in_time(self):
        for number in range(300):
            plan, state, at_ms = make_plan("x", number, 15), State(), 0
            self.assertTrue(plan.steps)
            for step in plan.steps:
                self.assertIn((step.action, step.target), state.possible(), plan)
                self.assertTrue(at_ms <= step.at_ms < 15_000, plan)
                state.apply(step.action, step.target)
                at_ms = step.at_ms
            if plan.left_broken:
                self.assertIn(plan.left_broken, state.dead | state.cut)

    def test_everything_is_drawn_on_everybody(self):
        drawn = Counter((step.action, step.target) for number in range(300)
                        for step in make_plan("x", number, 15).steps)
        self.assertEqual({action for action, _ in drawn}, set(WEIGHTS))
        self.assertEqual(len(drawn), 8 * 3 + 2 * 2 + 4 * 3 + 2 * 6 + 2)  # of hosts, data nodes, pairs, ways; moves
        left = Counter(make_plan("x", number, 15).left_broken for number in range(300))
        self.assertEqual(set(left), {None, "alice", "bob", "carol"})

    def test_a_dead_host_is_neither_frozen_nor_cut(self):
        state = State(frozen={"alice"}, cut={"alice"})
        state.apply("kill", ("alice",))
        self.assertEqual((state.dead, state.frozen, state.cut), ({"alice"}, set(), set()))
        self.assertNotIn(("thaw", ("alice",)), state.possible())


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

    def test_a_healthy_majority_that_does_not_serve_is_found(self):
        self.assertEqual(self.found(good(served_after_s=None)), {"majority_serves"})
        self.assertEqual(self.found(good(served_after_s=10.5)), {"majority_serves"})
        self.assertEqual(self.found(good(served_after_s=None, rightly_refused="only alice has the data")), set())


class Resuming(unittest.TestCase):
    class Fake(run.Run):
        """Plays nothing; the odd ones go wrong."""

        def _one(self, number):
            played.append(number)
            self.results.add({"sequence": number, "passed": number % 2 == 0})
            return number % 2 == 0

    def go(self, directory, *more):
        played.clear()
        options = run.arguments(["--directory", directory, "--seed", "s", *more])
        with unittest.mock.patch("builtins.print"):
            return self.Fake(options).run(), list(played)

    def test_what_was_played_is_not_played_again_and_still_counts(self):
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual(self.go(directory, "--sequences", "1", "--first", "2"), (True, [2]))
            self.assertEqual(self.go(directory, "--sequences", "3"), (False, [1, 3]))
            self.assertEqual(self.go(directory, "--sequences", "3"), (False, []))
            self.assertEqual(self.go(directory, "--sequences", "1", "--again"), (False, [1]))
            self.assertEqual(self.go(directory, "--sequences", "1", "--seconds", "3"), (False, [1]))  # another sequence

    def test_a_line_that_was_not_finished_is_played_again(self):
        with tempfile.TemporaryDirectory() as directory:
            results = run.Results(directory, "s", 15)
            results.add({"sequence": 2, "passed": True})
            with open(results.path, "a") as file:
                file.write('{"sequence": 4, "pas')
            self.assertEqual(list(results.known()), [2])


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
