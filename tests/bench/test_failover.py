"""The pure parts of bench/failover: each is shown something good and something bad."""

import io
import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import unittest
import unittest.mock
import xml.etree.ElementTree as ET
from http.server import BaseHTTPRequestHandler, HTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "tests/harness"), os.path.join(ROOT, "tests/story")]
from bascule_hosts.wire import Segment  # noqa: E402
from failover_stacks import keepalived, main, ours, pacemaker, picture, probe, service  # noqa: E402
from failover_stacks.answers import Answer, Answers  # noqa: E402
from failover_stacks.faults import FAULTS, Sample, left_out  # noqa: E402
from failover_stacks.figures import beyond_agents_s, find_alternation, make_row, percentile, table  # noqa: E402

MS = 1_000_000


def answers_at(*moments):
    """[(ms, host)]"""
    made = Answers()
    made.all = [Answer(ms * MS, (ms - 1) * MS, host) for ms, host in moments]
    return made


class Gaps(unittest.TestCase):
    def test_the_gap_that_holds_the_fault_counts_from_the_last_answer_before_it(self):
        seen = answers_at((0, "alice"), (5, "alice"), (905, "bob"), (910, "bob"))
        self.assertAlmostEqual(seen.longest_gap_s(7 * MS, 910 * MS), 0.9)

    def test_a_gap_before_the_fault_does_not_count_and_one_that_is_still_open_does(self):
        seen = answers_at((0, "alice"), (900, "alice"), (905, "alice"), (910, "bob"))
        self.assertAlmostEqual(seen.longest_gap_s(906 * MS, 912 * MS), 0.005)
        self.assertAlmostEqual(seen.longest_gap_s(906 * MS, 2910 * MS), 2.0)

    def test_without_any_answer_there_is_no_figure(self):
        self.assertIsNone(answers_at().longest_gap_s(0, 10 * MS))

    def test_an_answer_to_an_old_question_is_not_an_answer_after_the_fault(self):
        seen = answers_at((5, "alice"), (10, "alice"), (20, "bob"))
        self.assertEqual(seen.first(9_500_000).acked_ns, 20 * MS)  # the one of 10 ms was asked at 9 ms
        self.assertEqual(seen.first(3 * MS, not_by="alice").host, "bob")
        self.assertIsNone(seen.first(20 * MS))

    def test_answers_are_read_while_they_are_written(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            whole = json.dumps({"id": 1, "sent_ns": 1, "acked_ns": 2, "host": "alice"}) + "\n"
            file.write(whole + whole[:20])
            file.flush()
            seen = Answers(file.name).poll()
            self.assertEqual(len(seen.all), 1)
            file.write(whole[20:] + "nonsense\n")
            file.flush()
            self.assertEqual(len(seen.poll().all), 2)
        self.assertEqual(Answers(file.name).poll().all, [])


class Alternation(unittest.TestCase):
    @staticmethod
    def run_of(*parts):
        return [Segment(mac, first * MS, last * MS) for mac, first, last in parts]

    def test_one_change_is_a_takeover(self):
        self.assertIsNone(find_alternation(self.run_of(("a", 0, 100), ("b", 900, 2000)), 50 * MS, 1500 * MS))

    def test_a_host_that_answers_again_was_there_all_the_time(self):
        seen = self.run_of(("a", 0, 100), ("b", 900, 950), ("a", 955, 960), ("b", 965, 2000), ("a", 2100, 2200))
        self.assertEqual(find_alternation(seen, 50 * MS, 5000 * MS), 1300 * MS)
        self.assertEqual(find_alternation(seen, 50 * MS, 1000 * MS), 60 * MS)

    def test_what_lies_outside_of_the_time_does_not_count(self):
        seen = self.run_of(("a", 0, 100), ("b", 900, 950), ("a", 955, 960))
        self.assertIsNone(find_alternation(seen, 952 * MS, 2000 * MS))
        self.assertIsNone(find_alternation(seen, 0, 952 * MS))


class Rows(unittest.TestCase):
    def test_percentile_is_the_nearest_rank(self):
        self.assertEqual(percentile([5, 1, 4, 2, 3], 0.5), 3)
        self.assertEqual(percentile(list(range(1, 11)), 0.9), 9)
        self.assertEqual(percentile([7], 0.9), 7)

    def test_a_row_has_what_was_seen(self):
        samples = [Sample(outage_s=value, agents_start_s=0.5, agents_stop_s=2.0) for value in (1.0, 2.0, 4.0)]
        samples[1].two_nodes_answered, samples[1].overlap_s = True, 0.25
        row = make_row("bascule", "apache", "node-killed", samples)
        self.assertEqual((row["n"], row["median_s"], row["p90_s"], row["max_s"]), (3, 2.0, 4.0, 4.0))
        self.assertEqual((row["two_nodes_answered"], row["overlap_max_s"]), (True, 0.25))
        self.assertEqual((row["agents_start_s"], row["agents_stop_s"]), (0.5, 2.0))
        self.assertEqual(row["beyond_agents_median_s"], 1.5)
        self.assertNotIn("error", row)

    def test_only_a_planned_stop_is_taken_off(self):
        sample = Sample(outage_s=3.0, agents_start_s=0.5, agents_stop_s=2.0)
        self.assertEqual(beyond_agents_s("move", sample), 0.5)
        self.assertEqual(beyond_agents_s("link-cut", sample), 2.5)

    def test_errors_are_told_and_not_counted(self):
        row = make_row("x", "apache", "move", [Sample(error="it does not come up: no"), Sample(
            outage_s=1.0, agents_start_s=0, agents_stop_s=0)])
        self.assertEqual((row["n"], row["median_s"], row["error"]), (1, 1.0, "it does not come up: no"))
        text = table([row, make_row("y", "apache", "move", [Sample(error="broken")])])
        self.assertIn("it does not come up: no", text)
        self.assertIn("broken", text)


class Plan(unittest.TestCase):
    def test_what_makes_no_sense_is_left_out_and_nothing_else(self):
        def played(kind, service):
            return [fault for fault in FAULTS if not left_out(main.STACKS[kind], service, fault)]

        self.assertEqual(played("bascule", "apache"), list(FAULTS))
        self.assertEqual(played("pacemaker", "address"), [one for one in FAULTS if one != "service-killed"])
        self.assertEqual(played("keepalived", "apache"), [])
        self.assertEqual(played("keepalived-fast", "address"), ["node-killed", "link-cut", "node-frozen", "move"])

    def test_words_that_nobody_knows_are_refused(self):
        for words in (["--stacks", "heartbeat"], ["--faults", "move,flood"], ["--services", ""]):
            with self.assertRaises(SystemExit), unittest.mock.patch("sys.stderr", io.StringIO()):
                main.arguments(words)
        self.assertEqual(main.arguments(["--stacks", "keepalived,bascule"]).stacks, ["keepalived", "bascule"])

    def test_every_stack_is_played_in_every_round_and_a_broken_one_does_not_stop_the_others(self):
        class Fake:
            services, has_leader, played = ("apache",), True, []
            world = None

            def __init__(self, name, service, *_):
                self.name, self.service = name, service

            @staticmethod
            def missing():
                return []

            def come_up(self):
                Fake.played.append(self.name)
                if self.name == "keepalived":
                    raise main.StackError("no")

            def close(self):
                pass

        with unittest.mock.patch.dict(main.STACKS, {"keepalived": Fake, "pacemaker": Fake}), \
                unittest.mock.patch.object(main, "play", lambda stack, fault: Sample(
                    outage_s=1.0, agents_start_s=0, agents_stop_s=0)), \
                unittest.mock.patch.object(main.common, "say", lambda *_: None):
            bench = main.Bench(main.arguments(["--stacks", "keepalived,pacemaker", "--services", "apache", "--runs",
                                               "2", "--faults", "move,link-cut"]))
            bench.run()
        self.assertEqual(Fake.played, ["keepalived", "pacemaker", "pacemaker", "keepalived"])
        rows = {(row["stack"], row["fault"]): row for row in bench.rows()}
        self.assertEqual(rows["keepalived", "move"]["error"], "it does not come up: no")
        self.assertEqual((rows["pacemaker", "link-cut"]["n"], rows["pacemaker", "link-cut"].get("error")), (2, None))


class Picture(unittest.TestCase):
    def test_there_is_a_dot_for_each_run_and_longer_lies_further_right(self):
        samples = [("bascule", "apache", "move", 0.5), ("bascule", "apache", "move", 0.7),
                   ("pacemaker", "apache", "move", 7.0), ("pacemaker", "apache", "move", None)]
        root = ET.fromstring(picture.draw(samples, {"bascule": "Bascule", "pacemaker": "A & B <1>"}, "load"))
        dots = [float(one.get("cx")) for one in root.iter() if one.tag.endswith("circle")]
        self.assertEqual(len(dots), 3)
        self.assertTrue(picture.LEFT <= dots[0] < dots[1] < dots[2] <= picture.WIDTH - picture.RIGHT, dots)
        words = " ".join(one.text for one in root.iter() if one.tag.endswith("text"))
        for word in ("Address + Apache: planned move", "A & B <1>", "0.60 s", "7.00 s"):
            self.assertIn(word, words)

    def test_nothing_to_draw_is_a_picture_too(self):
        ET.fromstring(picture.draw([], {}, ""))

    def test_the_axis_holds_everything(self):
        self.assertEqual(picture.axis([0.07, 7.6]), (0.05, 10))
        self.assertEqual(picture.axis([1]), (0.5, 2))


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"Bascule bob\n"
        self.send_response(200 if self.path == "/good" else 503)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Client(unittest.TestCase):
    def test_only_a_whole_good_page_names_a_host(self):
        self.assertEqual(probe.answering_host(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nBascule bob\n"), "bob")
        for bad in (b"", b"HTTP/1.1 200 OK\r\nA: b", b"HTTP/1.1 503 no\r\n\r\nBascule bob", b"HTTP/1.1 200 OK\r\n\r\n"):
            self.assertIsNone(probe.answering_host(bad))

    def ask(self, path):
        server = HTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        written = io.StringIO()
        asking = probe.Probe(f"http:" f"//127.0.0.1:{server.server_port}{path}", written)
        end = time.monotonic() + 10
        asking.ask()
        while asking.open and time.monotonic() < end:
            for key, events in asking.selector.select(0.1):
                asking.ready(key.data, events)
        server.shutdown()
        server.server_close()
        return written.getvalue()

    def test_an_answer_is_written_down_with_its_host(self):
        entry = json.loads(self.ask("/good"))
        self.assertEqual((entry["id"], entry["host"]), (1, "bob"))
        self.assertLessEqual(entry["sent_ns"], entry["acked_ns"])
        self.assertEqual(self.ask("/bad"), "")

    def test_a_question_that_nobody_answers_is_forgotten(self):
        asking = probe.Probe("http:" "//127.0.0.1:9/", io.StringIO())
        question = probe.Question.__new__(probe.Question)
        question.number, question.sent_ns, question.data = 1, probe.now_ns() - 2 * probe.GIVE_UP_NS, b""
        question.socket = probe.socket.socket()
        asking.selector.register(question.socket, selectors.EVENT_READ, question)
        asking.open[1] = question
        asking.forget_old()
        self.assertEqual(asking.open, {})


class Configurations(unittest.TestCase):
    VIEW = """<pacemaker-result><summary><current_dc present="true" name="bob"/></summary><nodes>
        <node name="alice" online="{online}" pending="false"/><node name="bob" online="true" pending="false"/></nodes>
        <resources><group id="shop"><resource id="address" role="{role}" active="{active}" failed="false"
        blocked="false" nodes_running_on="1"/></group></resources></pacemaker-result>"""

    def test_what_crm_mon_says_is_understood(self):
        whole = {"online": "true", "role": "Started", "active": "true"}
        self.assertEqual(pacemaker.why_unhealthy_view(self.VIEW.format(**whole)), "")
        lost = pacemaker.why_unhealthy_view(self.VIEW.format(**{**whole, "online": "false"}))
        self.assertIn("alice is not online", lost)
        stopped = pacemaker.why_unhealthy_view(self.VIEW.format(**{**whole, "active": "false", "role": "Stopped"}))
        self.assertIn("address is stopped", stopped)
        self.assertIn("there is no DC", pacemaker.why_unhealthy_view("<pacemaker-result><summary/></pacemaker-result>"))
        self.assertIn("nothing", pacemaker.why_unhealthy_view("Error: cluster is not available"))

    def test_the_configuration_of_pacemaker_is_valid_by_its_own_schema(self):
        if not shutil.which("crm_verify"):
            self.skipTest("needs Debian's pacemaker-cli-utils")
        for one in service.SERVICES:
            checked = subprocess.run(["crm_verify", "--xml-pipe", "-V"], input=pacemaker.cib_xml(one, "1s"), text=True,
                                     capture_output=True, env={**os.environ, "PCMK_logfile": "none"}, check=False)
            self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertEqual(ET.fromstring(pacemaker.cib_xml("address", "1s")).findall(".//primitive[@id='apache']"), [])

    def test_the_token_is_only_written_where_it_is_tuned(self):
        self.assertNotIn("token", pacemaker.corosync_conf(None))
        self.assertIn("token: 500\n", pacemaker.corosync_conf(500))

    def test_adverts_of_less_than_a_second_need_vrrp_3(self):
        self.assertIn("vrrp_version 2", keepalived.keepalived_conf("alice", 1))
        self.assertIn("vrrp_version 3", keepalived.keepalived_conf("bob", 0.1))

    def test_our_configuration_has_the_agents_of_the_service(self):
        steps = [one["agent"] for one in tomllib.loads(ours.cluster_toml("apache"))["service"]["shop"]["run"]]
        self.assertEqual(steps, ["ocf:heartbeat:IPaddr2", "ocf:heartbeat:apache"])
        alone = tomllib.loads(ours.cluster_toml("address"))["service"]["shop"]
        self.assertEqual((alone["address"], "run" in alone), (f"{service.ADDRESS}/24", False))

    def test_the_agents_by_hand_are_stopped_in_the_reverse_order(self):
        calls = re.findall(r"heartbeat/(\S+) (\w+) ", service.by_hand_script("apache"))
        self.assertEqual(calls, [("IPaddr2", "start"), ("apache", "start"), ("apache", "stop"), ("IPaddr2", "stop")])


if __name__ == "__main__":
    unittest.main()
