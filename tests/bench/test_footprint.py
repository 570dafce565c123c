"""The pure parts of bench/footprint: memory that is shared is counted once, processor time by process."""

import os
import subprocess
import sys
import time
import tomllib
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "tests/harness"), os.path.join(ROOT, "tests/story")]
from failover_stacks import footprint, ours, processes  # noqa: E402
from failover_stacks.processes import Memory, Used  # noqa: E402

SMAPS = """\
55d0c0000000-55d0c0100000 r-xp 00002000 fe:01 1234                       /usr/sbin/daemon
Rss:                1000 kB
Pss:                 600 kB
Shared_Clean:        800 kB
Shared_Dirty:          0 kB
Private_Clean:       200 kB
Private_Dirty:         0 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [heap]
Rss:                 500 kB
Pss:                 400 kB
Shared_Clean:          0 kB
Shared_Dirty:        200 kB
Private_Clean:         0 kB
Private_Dirty:       300 kB
"""


class Memories(unittest.TestCase):
    def test_every_mapping_is_counted_where_it_belongs(self):
        memory = processes.parse_smaps(SMAPS)
        self.assertEqual((memory.rss, memory.pss, memory.private, memory.unnamed), (1500, 1000, 500, 100))
        self.assertEqual(memory.shared, {("fe:01", "1234", "00002000"): 800})

    def test_a_page_that_two_processes_share_is_there_once(self):
        key, other = ("fe:01", "1", "0"), ("fe:01", "2", "0")
        one = Memory(private=100, shared={key: 800})
        two = Memory(private=50, unnamed=5, shared={key: 700, other: 40})
        self.assertEqual(processes.alone_kib([one, two]), 100 + 50 + 5 + 800 + 40)
        self.assertEqual(processes.alone_kib([]), 0)

    def test_what_the_kernel_says_of_this_process_adds_up(self):
        with open("/proc/self/smaps") as file:
            memory = processes.parse_smaps(file.read())
        self.assertTrue(memory.private <= memory.pss <= memory.rss)
        self.assertTrue(memory.pss <= processes.alone_kib([memory]) <= memory.rss)


class Processor(unittest.TestCase):
    def test_children_are_read_also_when_the_name_has_brackets(self):
        ticks = processes.TICKS_PER_S
        stat = f"12 (a) b (c) S 1 1 1 0 -1 0 0 0 0 0 7 8 {2 * ticks} {ticks} 20 0 1 0 5"
        self.assertEqual(processes.parse_children_ns(stat), 3_000_000_000)

    def test_a_busy_process_is_seen(self):
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
            before = processes.used([busy.pid])
            end = time.monotonic() + 30
            while self.own_ns(busy.pid, before) < 20_000_000 and time.monotonic() < end:
                time.sleep(0.02)
            own = self.own_ns(busy.pid, before)
            self.assertGreaterEqual(footprint.measure([busy.pid], Used())[0][2], own)  # a new one counts whole
            busy.kill()
        self.assertGreaterEqual(own, 20_000_000)
        self.assertEqual(footprint.measure([busy.pid], before), [])  # it is gone

    @staticmethod
    def own_ns(pid, before):
        return footprint.measure([pid], before)[0][2]


class Rows(unittest.TestCase):
    def test_a_row_is_in_mb_and_percent_of_one_processor(self):
        memories = [Memory(rss=2000, pss=1000, private=600), Memory(rss=1000, pss=1000, private=1000)]
        measured = [("a", memories[0], 100_000_000, 60_000_000), ("a", memories[1], 200_000_000, 0)]
        row = footprint.make_row("x", "alice", True, measured, 30.0)
        self.assertEqual((row["pss_mb"], row["rss_mb"], row["alone_pss_mb"]), (2.0, 3.1, 1.6))
        self.assertEqual((row["cpu_percent"], row["agents_cpu_percent"]), (1.0, 0.2))
        self.assertEqual((row["processes"], row["by_process"]), (2, {"a": {"pss_mb": 2.0, "cpu_percent": 1.0}}))
        text = footprint.table([row, {"stack": "y", "error": "it does not come up"}])
        self.assertIn("it does not come up", text)
        self.assertIn("alice", text)

    def test_everything_running_includes_a_volume(self):
        service = tomllib.loads(ours.cluster_toml("apache", volume=True))
        self.assertEqual((service["service"]["shop"]["volume"], list(service["volume"])), ("data", ["data"]))
        self.assertNotIn("volume", tomllib.loads(ours.cluster_toml("apache")))


if __name__ == "__main__":
    unittest.main()
