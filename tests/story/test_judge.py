"""The judge must see what it is there for: each check is shown a good run and a bad one."""

import json
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "harness"), HERE]
from bascule_hosts import LoadResult, read_orders  # noqa: E402
from bascule_story.activity import Writing, find_double_writers  # noqa: E402
from bascule_story.faults import Seen  # noqa: E402
from bascule_story.judge import (agent_start_ms, compare_files, count_rows, detection_ms, milestones,  # noqa: E402
                                 resync_bytes)
from bascule_story.timeline import Timeline  # noqa: E402


def timeline_of(*events):
    timeline = Timeline(quiet=True)
    for at_ms, host, kind, subject, fields in events:
        timeline.note({"at_ns": int(at_ms * 1e6), "host": host, "kind": kind, "subject": subject, "text": "",
                       "fields": fields})
    return timeline


class Rows(unittest.TestCase):
    def test_lost_and_doubled_rows_are_counted(self):
        orders = LoadResult(acknowledged=[("a", 0, 1), ("b", 1, 2), ("c", 2, 3)])
        self.assertEqual(count_rows(orders, ["a", "b", "c", "unanswered"]), (3, 3, 0, 0))
        self.assertEqual(count_rows(orders, ["a", "c"]), (3, 2, 1, 0))
        self.assertEqual(count_rows(orders, ["a", "b", "c", "c", "c"]), (3, 3, 0, 2))


class Client(unittest.TestCase):
    def test_the_outage_is_the_longest_gap_that_ends_after_the_fault(self):
        orders = LoadResult(acknowledged=[("1", 0, 0), ("2", 0, 900), ("3", 0, 1000), ("4", 0, 1500), ("5", 0, 1510)])
        self.assertEqual(orders.outage(1100), (500, 1000, 1500))  # the gap of 900 was over before
        self.assertIsNone(orders.outage(2000))

    def test_a_half_written_last_line_is_not_an_answer(self):
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
            file.write(json.dumps({"id": "1", "sent_ns": 1, "acked_ns": 2}) + "\n")
            file.write(json.dumps({"id": "2", "sent_ns": 3, "lost": "timed out"}) + "\n")
            file.write('{"id": "3", "sent_ns": 4, "ack')
            file.flush()
            found = read_orders(file.name)
        self.assertEqual([one[0] for one in found.acknowledged], ["1"])
        self.assertEqual([one[0] for one in found.unanswered], ["2"])


class Replicas(unittest.TestCase):
    def test_one_different_byte_is_one_different_block_and_the_metadata_is_not_compared(self):
        with tempfile.TemporaryDirectory() as directory:
            one, other = os.path.join(directory, "one"), os.path.join(directory, "other")
            for path in (one, other):
                with open(path, "wb") as file:
                    file.truncate(9 << 20)
            self.assertEqual(compare_files(one, other, 8 << 20), 0)
            with open(other, "r+b") as file:
                file.seek((8 << 20) + 5)
                file.write(b"x")
            self.assertEqual(compare_files(one, other, 8 << 20), 0)
            with open(other, "r+b") as file:
                file.seek((5 << 20) + 4096 + 7)
                file.write(b"x")
            self.assertEqual(compare_files(one, other, 8 << 20), 1)
            with self.assertRaises(OSError):
                compare_files(one, other, 10 << 20)


class Events(unittest.TestCase):
    def test_what_all_nodes_tell_is_told_once_with_its_first_moment(self):
        timeline = timeline_of((120, "alice", "service-granted", "shop", {"node": "bob", "epoch": "2"}),
                               (100, "bob", "service-granted", "shop", {"node": "bob", "epoch": "2"}))
        self.assertEqual([event["at_ns"] for event in timeline.find("service-granted")], [100_000_000])


class Writers(unittest.TestCase):
    def test_a_write_of_the_old_owner_after_the_new_one_was_primary_is_found(self):
        old = Writing("alice", 1, since_ns=10, last_acknowledged_ns=100)
        new = Writing("bob", 2, since_ns=150, last_acknowledged_ns=400)
        self.assertEqual(find_double_writers([old, new]), [])
        old.last_acknowledged_ns = 160
        self.assertEqual(find_double_writers([old, new]), [(old, new)])


class Events(unittest.TestCase):
    def setUp(self):
        self.timeline = timeline_of(
            (900, "bob", "step-started", "shop", {"step": "mysql", "ms": "50"}),
            (1500, "carol", "node-lost", "alice", {}), (1490, "bob", "node-lost", "alice", {}),
            (1501, "bob", "service-granted", "shop", {"node": "bob", "epoch": "2"}),
            (1700, "bob", "step-started", "shop", {"step": "mount", "ms": "120"}),
            (5700, "bob", "step-started", "shop", {"step": "mysql", "ms": "4000"}),
            (9000, "bob", "resync-finished", "data", {"bytes": "4096"}),
            (9001, "alice", "resync-finished", "data", {"bytes": "4096"}))
        self.seen = Seen(1_000_000_000, "alice", answered_ns=5_800_000_000, returned_ns=8_000_000_000)

    def test_figures_come_from_events_after_the_fault_only(self):
        self.assertEqual(detection_ms(self.timeline, self.seen), 490)
        self.assertEqual(agent_start_ms(self.timeline, self.seen), {"mount": 120, "mysql": 4000})
        self.assertEqual(resync_bytes(self.timeline, self.seen.fault_ns), 4096)
        self.assertIsNone(resync_bytes(self.timeline, 10_000_000_000))

    def test_milestones_are_in_order(self):
        found = [(what, round(at)) for what, at, _ in milestones(self.timeline, self.seen)]
        self.assertEqual(found, [("detected", 490), ("granted to the new owner", 501), ("mounted", 700),
                                 ("database", 4700), ("first answered request", 4800)])


if __name__ == "__main__":
    unittest.main()
