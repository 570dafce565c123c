"""The test hosts do what they say: each operation is observed from another host, never from the object's own state."""

import os
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)
from bascule_hosts import AddressAsker, Footprint, HostError, WireWatch, World, find_overlaps, kernel  # noqa: E402
from bascule_hosts.leftovers import namespaces_of, parent_of  # noqa: E402
from bascule_hosts.wire import Segment  # noqa: E402

DIRECTORY = os.path.join(ROOT, "out", f"test-hosts-{os.getpid()}")
SKIP = 77


def reaches(host, address):
    return host.run(["arping", "-q", "-f", "-c", "1", "-w", "1", "-I", "eth0", address], check=False).code == 0


def wait_until(condition, timeout_s=10.0):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Hosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(DIRECTORY, watchdog_ms=700)
        cls.alice = cls.world.add("alice", "10.77.0.1", [(DIRECTORY + "/alice/disk", "/var/lib/bascule")])
        cls.bob = cls.world.add("bob", "10.77.0.2")
        cls.carol = cls.world.add("carol", "10.77.0.3")

    @classmethod
    def tearDownClass(cls):
        cls.world.close()
        left = cls.world.footprint.leftovers()
        subprocess.run(["rm", "-rf", DIRECTORY], check=True)
        assert not left, left

    def setUp(self):
        for host in (self.alice, self.bob, self.carol):
            if host.dying or not host.up():  # the last processes of a killed host may still be going
                host.boot()

    def test_hosts_have_their_own_name_processes_and_run(self):
        self.assertEqual(self.alice.run(["hostname"]).out, "alice\n")
        self.bob.run(["touch", "/run/only-bob"])
        self.assertNotEqual(self.alice.run(["test", "-e", "/run/only-bob"], check=False).code, 0)
        self.assertFalse(os.path.exists("/run/only-bob"))
        self.assertLess(len(self.alice.run(["ps", "ax"]).out.splitlines()), 8)

    def test_a_command_fails_loudly_and_ends_in_time(self):
        with self.assertRaises(HostError) as caught:
            self.alice.run(["sh", "-c", "echo why >&2; exit 3"])
        self.assertIn("ended with 3: why", str(caught.exception))
        with self.assertRaises(HostError):
            self.alice.run(["sleep", "30"], timeout_s=0.2)

    def test_a_host_may_run_out_of_processes_and_no_other_one_does(self):
        if not kernel.limits_processes_of_namespaces():
            self.skipTest("this kernel limits the processes of the whole machine only")
        before = kernel.read_file(kernel.PID_MAX)
        bomb = ["python3", "-c", "import os, signal\nwhile True:\n try:\n  os.fork() or signal.pause()\n except OSError:\n  signal.pause()"]
        self.alice.limit_processes(20)
        self.alice.start(bomb).abandon()
        self.assertTrue(wait_until(lambda: not self.can_run(self.alice)))
        self.assertTrue(self.can_run(self.bob))
        self.assertEqual(kernel.read_file(kernel.PID_MAX), before)
        self.assertLess(len(kernel.cgroup_processes(self.alice.cgroup)), 1000)
        self.alice.limit_processes(None)
        self.assertTrue(self.can_run(self.alice))
        self.alice.kill()

    @staticmethod
    def can_run(host):
        try:
            return host.run(["true"], check=False).code == 0
        except HostError:
            return False

    def test_a_cut_pair_is_silent_both_ways_and_the_others_are_not(self):
        self.assertTrue(reaches(self.alice, self.bob.address))
        self.world.cut(self.alice, self.bob)
        self.assertFalse(reaches(self.alice, self.bob.address))
        self.assertFalse(reaches(self.bob, self.alice.address))
        self.assertTrue(reaches(self.alice, self.carol.address))
        self.world.heal(self.alice, self.bob)
        self.assertTrue(reaches(self.alice, self.bob.address))

    def test_a_link_goes_down_and_comes_back(self):
        self.alice.link_down()
        self.assertFalse(reaches(self.carol, self.alice.address))
        self.alice.link_up()
        self.assertTrue(wait_until(lambda: reaches(self.carol, self.alice.address)))

    def test_a_frozen_host_counts_no_further_but_its_kernel_answers(self):
        self.alice.run(["sh", "-c", "setsid -f sh -c 'while :; do echo x >>/run/count; sleep 0.02; done'"])
        count = self.alice.path("/run/count")
        self.assertTrue(wait_until(lambda: os.path.exists(count)))
        self.alice.freeze()
        self.assertTrue(wait_until(
            lambda: "frozen 1" in kernel.read_file(os.path.join(self.alice.cgroup, "cgroup.events"))))
        size = os.path.getsize(count)
        self.assertTrue(reaches(self.bob, self.alice.address))
        self.assertEqual(os.path.getsize(count), size)
        self.alice.thaw()
        self.assertTrue(wait_until(lambda: os.path.getsize(count) > size))

    def test_a_program_cannot_leave_the_host_by_its_cgroup(self):
        root = kernel.cgroup2_root()
        self.alice.run(["sh", "-ec", f"mkdir {root}/service; setsid -f sh -c 'echo $$ >{root}/service/cgroup.procs; "
                        "while :; do echo x >>/run/escaped; sleep 0.02; done'"])
        self.assertTrue(os.path.isdir(os.path.join(self.alice.cgroup, "service")))
        count = self.alice.path("/run/escaped")
        self.assertTrue(wait_until(lambda: os.path.exists(count)))
        self.alice.freeze()
        self.assertTrue(wait_until(
            lambda: "frozen 1" in kernel.read_file(os.path.join(self.alice.cgroup, "cgroup.events"))))
        size = os.path.getsize(count)
        time.sleep(0.1)  # five turns of its loop
        self.assertEqual(os.path.getsize(count), size)
        self.alice.thaw()
        self.alice.kill()
        self.assertTrue(wait_until(lambda: not self.alice.up()))

    def test_a_killed_host_loses_all_but_its_disk(self):
        self.alice.write("/var/lib/bascule/kept", "kept")
        self.alice.write("/run/lost", "lost")
        self.alice.run(["sh", "-c", "setsid -f sleep 1000"])
        self.alice.kill()
        self.assertTrue(wait_until(lambda: not self.alice.up()))
        self.assertFalse(reaches(self.bob, self.alice.address))
        self.alice.boot()
        self.assertEqual(self.alice.read("/var/lib/bascule/kept"), "kept")
        self.assertFalse(os.path.exists(self.alice.path("/run/lost")))
        self.assertNotIn("sleep", self.alice.run(["ps", "ax"]).out)

    def test_a_loop_device_goes_with_its_host(self):
        image = os.path.join(DIRECTORY, "alice", "image")
        os.makedirs(os.path.dirname(image), exist_ok=True)
        with open(image, "wb") as file:
            file.truncate(1 << 20)
        device = self.alice.run(["losetup", "-f", "--show", image]).out.strip()
        self.assertIn(device, kernel.loops())
        self.alice.kill()
        self.alice.boot()
        self.assertFalse(image in kernel.loops().values())

    def test_a_supervised_program_is_restarted_and_ended_for_good(self):
        self.bob.supervise("ticker", ["sh", "-c", "echo tick; exec sleep 1000"])
        log = os.path.join(self.world.logs, "bob.ticker.log")
        self.assertTrue(wait_until(lambda: kernel.read_file(log) == "tick\n"))
        self.bob.crash("ticker")
        self.assertTrue(wait_until(lambda: self.bob.programs()["ticker"]["starts"] == 2))
        self.assertTrue(wait_until(lambda: kernel.read_file(log) == "tick\ntick\n"))
        self.bob.crash("ticker")
        self.bob.crash("ticker")  # mostly while it is down: that must not end it for good
        self.assertTrue(wait_until(lambda: self.bob.programs()["ticker"]["pid"] and
                                   self.bob.programs()["ticker"]["starts"] >= 3))
        self.bob.end("ticker")
        self.assertIsNone(self.bob.programs()["ticker"]["pid"])

    def test_the_watchdog_bites_when_it_is_no_longer_petted(self):
        pet = "exec 3>/run/watchdog; for i in 1 2 3 4 5 6 7 8; do printf . >&3; sleep 0.2; done; exec sleep 1000"
        self.carol.start(["sh", "-c", pet]).abandon()
        time.sleep(1.2)  # longer than the watchdog's 0.7 s: only petting keeps the host up
        self.assertTrue(self.carol.up())
        self.assertTrue(wait_until(lambda: not self.carol.up()))
        self.assertTrue(wait_until(lambda: any(
            note["kind"] == "watchdog-bite" and note["host"] == "carol" for note in self.world.notes)))

    def test_the_watchdog_is_disarmed_by_v(self):
        self.bob.run(["sh", "-c", "exec 3>/run/watchdog; printf . >&3; sleep 0.1; printf V >&3"])
        time.sleep(1.0)  # the watchdog would have bitten after 0.7 s
        self.assertTrue(self.bob.up())

    def test_the_wire_shows_who_answers(self):
        watch = WireWatch(self.world, "10.77.0.10")
        for host in (self.alice, self.bob):
            host.run(["ip", "address", "add", "10.77.0.10/24", "dev", "eth0"])
            self.assertTrue(reaches(self.carol, "10.77.0.10"))
            host.run(["ip", "address", "del", "10.77.0.10/24", "dev", "eth0"])
        watch.settle()
        watch.stop()
        self.assertEqual([segment.mac for segment in watch.segments], [self.alice.mac, self.bob.mac])

    def test_the_asker_hears_every_holder_and_changes_nobodys_table(self):
        table = ["ip", "neighbour", "show", "10.77.0.10"]
        before = self.carol.run(table).out
        watch, asker = WireWatch(self.world, "10.77.0.10"), AddressAsker(self.world, "10.77.0.10")
        add = ["sh", "-ec", "echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_notify; ip address add 10.77.0.10/24 dev eth0"]
        self.alice.run(add)
        self.assertTrue(wait_until(lambda: watch.packets))
        self.bob.run(add)
        self.alice.freeze()  # its kernel still answers, and that is what a client would meet
        self.assertTrue(wait_until(lambda: len(watch.segments) > 4))
        self.assertEqual({segment.mac for segment in watch.segments}, {self.alice.mac, self.bob.mac})
        self.alice.thaw()
        for host in (self.alice, self.bob):
            host.run(["ip", "address", "del", "10.77.0.10/24", "dev", "eth0"])
        asker.stop()
        watch.settle()
        watch.stop()
        self.assertEqual(self.carol.run(table).out, before)


class Overlaps(unittest.TestCase):
    def test_only_moves_explain_a_change(self):
        one, two = Segment("a", 100, 200), Segment("b", 300, 400)
        self.assertEqual(find_overlaps([one, two], [(250, "b")]), [])
        self.assertEqual(find_overlaps([one, two], []), [(one, two)])
        self.assertEqual(find_overlaps([one, two], [(350, "b")]), [(one, two)])  # it answered before it was allowed
        back = Segment("a", 410, 420)
        self.assertEqual(find_overlaps([one, two, back], [(250, "b")]), [(two, back)])  # the old owner answers again
        self.assertEqual(find_overlaps([one, two, back], [(250, "b"), (405, "a")]), [])


class Ending(unittest.TestCase):
    """The harness is ended from outside in the middle of its work; nothing may be left."""

    SCRIPT = """
import os, sys, time
sys.path.insert(0, {here!r})
from bascule_hosts import World
world = World({directory!r})
with world:
    alice = world.add("alice", "10.77.0.1")
    image = os.path.join({directory!r}, "image")
    open(image, "wb").truncate(1 << 20)
    alice.run(["sh", "-ec", "losetup -f " + image + "; setsid -f sleep 1000"])
    alice.freeze()
    alice._fuse_devices()
    print(repr(world.footprint), flush=True)
    time.sleep(60)
"""

    def end_with(self, number):
        directory = f"{DIRECTORY}-ending-{number}"
        script = self.SCRIPT.format(here=HERE, directory=directory)
        process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        footprint = eval(process.stdout.readline().decode(), {"Footprint": Footprint})  # our own script's repr
        there = " ".join(footprint.leftovers(0))
        for what in ("cgroup", "loop device", "process"):
            self.assertIn(what, there)  # else the check at the end would see nothing either
        process.send_signal(number)
        process.wait(30)
        process.stdout.close()
        left = footprint.leftovers(20)
        subprocess.run(["rm", "-rf", directory], check=True)
        self.assertEqual(left, [])

    def test_somebody_elses_namespace_with_an_old_number_is_not_ours(self):
        stranger = subprocess.Popen(["sh", "-c", "unshare --net sh -c 'echo; exec sleep 60' & wait"],
                                    stdout=subprocess.PIPE, start_new_session=True)
        try:
            stranger.stdout.readline()  # it is in its namespace now
            sleeper = next(pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                           if parent_of(pid) == stranger.pid)
            footprint = Footprint("/nowhere", "/sys/fs/cgroup/nowhere", namespaces=namespaces_of(sleeper)
                                  - namespaces_of(os.getpid()))
            self.assertTrue(footprint.namespaces)
            self.assertEqual(footprint.leftovers(0), [])
        finally:
            os.killpg(stranger.pid, signal.SIGKILL)
            stranger.wait()
            stranger.stdout.close()

    def test_interrupted(self):
        self.end_with(signal.SIGINT)

    def test_killed(self):
        self.end_with(signal.SIGKILL)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("the test hosts need root: skipped")
        sys.exit(SKIP)
    unittest.main(verbosity=1)
