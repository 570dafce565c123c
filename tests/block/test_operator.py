"""A volume with authority "operator": no manager, no lease; everything by `bascule volume` and `bascule drbdsetup`."""

import json
import os
import random
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import runner
from block_pair import MIB, NAMES, Pair, wait_for
from test_replication import NbdWriter

TRIM, WRITE_ZEROES, NO_HOLE = 4, 6, 2


class Load:
    """An application that writes without a pause, and remembers what it wrote."""

    def __init__(self, client, size, seed=3):
        self.client, self.size, self.random = client, size, random.Random(seed)
        self.content, self.written, self.error, self.running = {}, 0, None, True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            while self.running and self.error is None:
                block = self.random.randrange(self.size // 4096)
                data = self.random.randbytes(4096)
                self.error = self.client.write(block * 4096, data) or None
                self.content[block] = data
                self.written += 1
        except OSError as error:
            self.error = error

    def goes_on(self, writes=50):
        wanted = self.written + writes
        wait_for(lambda: self.error or self.written >= wanted, "the application to go on")

    def stop(self):
        self.running = False
        self.thread.join()
        return self.content


class OperatorPair(Pair):
    def write_config(self, file, size_mib):
        path = super().write_config(file, size_mib)
        with open(path, "a") as config:
            config.write('authority = "operator"\n[volume.data.net]\nverify-alg = "crc32c"\n')
        return path


class Operator(unittest.TestCase):
    def setUp(self):
        self.pair = OperatorPair(runner.programs, size_mib=32)
        self.addCleanup(self.pair.close)
        self.addCleanup(self.down)

    def down(self):
        for name in NAMES:
            self.bascule(name, "volume", "down", "data", "--force")

    def bascule(self, name, *words, code=None, stdin=""):
        done = subprocess.run([f"{runner.programs}/bascule", *words, "--run-dir", self.pair.nodes[name].run_dir],
                              capture_output=True, text=True, timeout=120, input=stdin)
        if code is not None:
            self.assertEqual(done.returncode, code, f"{name}: {' '.join(words)}\n{done.stdout}{done.stderr}{self.log(name)}")
        return done

    def log(self, name):
        path = f"{self.pair.nodes[name].run_dir}/blockd.data.log"
        if not os.path.exists(path):
            return ""
        with open(path) as file:
            return file.read()[-3000:]

    def volume(self, name, verb, *words, code=0, **more):
        return self.bascule(name, "volume", verb, "data", *words, code=code, **more).stdout

    def setup_says(self, name, verb, *words):
        return self.bascule(name, "drbdsetup", verb, "data", *words, code=0).stdout.strip()

    def state(self, name):
        return json.loads(self.bascule(name, "volume", "status", "data", "--json", code=0).stdout)

    def until(self, name, verb, wanted, seconds=30):
        wait_for(lambda: self.setup_says(name, verb) == wanted, f"{verb} {wanted} on {name}; it is "
                 f"{self.setup_says(name, verb)}\n{self.log(name)}", seconds)

    def create_and_up(self):
        for name in NAMES:
            self.volume(name, "create", "--node", name, "--config", self.pair.config)
            said = self.volume(name, "up", "--node", name, "--config", self.pair.config)
            self.assertIn("blockd.data.log", said)
        for name in NAMES:
            self.until(name, "cstate", "Connected")

    def in_step(self):
        for name in NAMES:
            self.until(name, "cstate", "Connected")
            self.until(name, "dstate", "UpToDate/UpToDate")

    def both(self):
        self.create_and_up()
        self.volume("alice", "primary", "--force")
        self.in_step()

    def writer(self, name):
        client = NbdWriter(self.pair.nodes[name])
        self.addCleanup(client.close)
        return client

    def write(self, name, offset, data):
        client = NbdWriter(self.pair.nodes[name])
        self.assertEqual(client.write(offset, data, fua=True), 0)
        client.close()

    def read_disk(self, name, offset, length):
        with open(self.pair.nodes[name].disk, "rb") as disk:
            disk.seek(offset)
            return disk.read(length)

    def change_config(self, before, after):
        with open(self.pair.config) as file:
            text = file.read()
        self.assertIn(before, text)
        with open(self.pair.config, "w") as file:
            file.write(text.replace(before, after))

    def adjust(self, *words, code=0):
        return self.volume("alice", "adjust", "--config", self.pair.config, *words, code=code)

    def test_a_running_volume_is_adjusted_to_its_configuration(self):
        self.both()
        self.assertIn("is as", self.adjust())
        self.change_config('verify-alg = "crc32c"\n', 'verify-alg = "crc32c"\nmax-buffers = 4000\nprotocol = "A"\n')
        self.assertIn("max-buffers: 2048 -> 4000, would change now", self.adjust("--dry-run"))
        said = self.adjust(code=1)
        self.assertIn("net.max-buffers: 2048 -> 4000, changed", said)
        self.assertIn("net.protocol: C -> A, not changed: both nodes have agreed on it", said)
        told = json.loads(self.adjust("--json", code=1))
        self.assertEqual([(one["option"], one["done"]) for one in told["changes"]], [("net.protocol", False)])
        for name in NAMES:
            self.volume(name, "disconnect", code=None)
        for name in NAMES:
            self.assertIn("net.protocol: C -> A, changed",
                          self.volume(name, "adjust", "--config", self.pair.config))
            self.volume(name, "connect")
        self.in_step()
        self.assertIn("is as", self.adjust())
        self.change_config('protocol = "A"', 'protocol = "Z"')
        self.assertIn("protocol", self.bascule("alice", "volume", "adjust", "data", "--config", self.pair.config,
                                               code=2).stderr)

    def test_a_new_pair_is_made_synced_and_changes_its_roles(self):
        self.create_and_up()
        self.assertEqual(self.setup_says("alice", "dstate"), "Inconsistent/Inconsistent")
        refused = self.bascule("alice", "volume", "primary", "data", code=1)
        self.assertIn("cannot be promoted", refused.stderr)
        self.volume("alice", "primary", "--force")
        self.in_step()
        self.assertEqual(self.setup_says("bob", "role"), "Secondary/Primary")
        self.write("alice", 4096, b"x" * 4096)
        self.assertEqual(self.read_disk("bob", 4096, 4096), b"x" * 4096)
        self.assertEqual(self.bascule("bob", "volume", "primary", "data").returncode, 1)
        self.volume("alice", "secondary")
        self.volume("bob", "primary")
        self.write("bob", 8192, b"y" * 4096)
        self.assertEqual(self.read_disk("alice", 8192, 4096), b"y" * 4096)

    def test_what_was_written_alone_is_brought_over_by_the_bitmap(self):
        self.both()
        self.volume("bob", "disconnect")
        self.until("bob", "cstate", "StandAlone")
        self.write("alice", 0, b"z" * 8192)
        self.assertGreater(self.state("alice")["out_of_sync_bytes"], 0)
        self.volume("bob", "connect")
        self.in_step()
        self.assertTrue(self.pair.images_equal())
        self.assertLess(self.state("bob")["resync_total_bytes"], 4 * MIB)

    def test_drbdsetup_shows_the_pair_as_drbds_tool_does(self):
        self.both()
        self.assertEqual(self.setup_says("alice", "status"),
                         "data role:Primary\n  disk:UpToDate\n  peer role:Secondary\n"
                         "    replication:Established peer-disk:UpToDate")
        shown = json.loads(self.setup_says("alice", "status", "--json"))
        self.assertEqual(shown[0]["connections"][0]["peer_devices"][0]["peer-disk-state"], "UpToDate")
        events = self.setup_says("alice", "events2", "--now").splitlines()
        self.assertEqual(events[0], "exists resource name:data role:Primary suspended:no")
        self.assertEqual(events[-1], "exists -")
        self.assertRegex(self.setup_says("alice", "get-gi"), "^([0-9A-F]{16}:){4}1:1:1:1:0:0:0$")
        self.assertEqual(self.bascule("alice", "drbdsetup", "role", "other").returncode, 10)

    def test_down_lets_go_of_the_disk_and_up_takes_it_again(self):
        self.both()
        self.volume("bob", "down")
        self.assertIn("TearDown", self.log("alice"))  # told, not lost
        self.assertEqual(self.bascule("bob", "volume", "connect", "data").returncode, 3)
        self.write("alice", 0, b"w" * 4096)
        self.volume("bob", "up", "--node", "bob", "--config", self.pair.config)
        self.in_step()
        self.assertTrue(self.pair.images_equal())
        self.volume("bob", "up", "--node", "bob", "--config", self.pair.config, code=1)
        self.volume("bob", "disconnect")
        self.volume("bob", "down")  # also what has no peer

    def test_discards_and_zeroes_reach_both_disks(self):
        self.both()
        client = self.writer("alice")
        self.assertEqual(client.write(0, b"d" * MIB), 0)
        for command, at, flags in ((TRIM, 0, 0), (WRITE_ZEROES, MIB // 4, 0), (WRITE_ZEROES, MIB // 2, NO_HOLE)):
            client.send(command, at, MIB // 4, flags=flags)
            self.assertEqual(client.reply(), 0)
        client.send(3, 0, 0)
        self.assertEqual(client.reply(), 0)
        for name in NAMES:
            self.assertEqual(self.read_disk(name, 0, MIB * 3 // 4), bytes(MIB * 3 // 4))
            self.assertEqual(self.read_disk(name, MIB * 3 // 4, MIB // 4), b"d" * (MIB // 4))

    def test_verify_finds_what_differs(self):
        self.both()
        self.assertIn("the same", self.volume("alice", "verify", "--wait"))
        with open(self.pair.nodes["bob"].disk, "r+b") as disk:
            disk.seek(MIB)
            disk.write(b"rot" * 100)
        self.assertIn("differ", self.volume("alice", "verify", "--wait", code=1))
        self.assertEqual(self.state("alice")["out_of_sync_bytes"], 4096)
        self.assertEqual(self.state("bob")["out_of_sync_bytes"], 4096)
        self.volume("bob", "disconnect")
        self.volume("bob", "connect")
        self.in_step()
        self.assertEqual(self.read_disk("bob", MIB, MIB), self.read_disk("alice", MIB, MIB))

    @runner.needs("blkdiscard", root=True)
    def test_the_loop_device_discards_and_zeroes_on_both_disks(self):
        self.both()
        device = self.state("alice")["device"]
        if not device:
            self.skipTest(self.state("alice")["why"])
        self.write("alice", 0, b"l" * MIB)
        subprocess.run(["blkdiscard", "--offset", "0", "--length", f"{MIB // 4}", device], check=True)
        subprocess.run(["blkdiscard", "--zeroout", "--offset", f"{MIB // 4}", "--length", f"{MIB // 4}", device], check=True)
        for name in NAMES:
            self.assertEqual(self.read_disk(name, 0, MIB // 2), bytes(MIB // 2))
            self.assertEqual(self.read_disk(name, MIB // 2, MIB // 2), b"l" * (MIB // 2))

    def grow_disk(self, name, more_bytes):
        os.truncate(self.pair.nodes[name].disk, os.path.getsize(self.pair.nodes[name].disk) + more_bytes)

    def test_both_disks_grow(self):
        self.both()
        before = self.state("alice")["size_bytes"]
        self.write("alice", MIB, b"o" * 4096)
        device = self.state("alice")["device"]
        for name in NAMES:
            self.grow_disk(name, 8 * MIB)
        said = self.volume("alice", "resize", "--size", f"{before + 4 * MIB}")
        self.assertIn(f"{before + 4 * MIB} bytes now", said)
        self.in_step()
        for name in NAMES:
            self.assertEqual(self.state(name)["size_bytes"], before + 4 * MIB)
        self.write("alice", before + 2 * MIB, b"n" * 4096)
        for name in NAMES:
            self.assertEqual(self.read_disk(name, before + 2 * MIB, 4096), b"n" * 4096)
            self.assertEqual(self.read_disk(name, MIB, 4096), b"o" * 4096)
        if device:
            self.assertEqual(int(subprocess.check_output(["blockdev", "--getsize64", device])), before + 4 * MIB)
        # Its metadata are where they belong: it comes up again with the size that it has, and grows on from there.
        self.volume("bob", "down")
        self.volume("bob", "up", "--node", "bob", "--config", self.pair.config)
        self.in_step()
        self.assertEqual(self.state("bob")["size_bytes"], before + 4 * MIB)
        self.volume("alice", "resize")
        self.in_step()
        self.assertEqual(self.state("alice")["size_bytes"], self.state("alice")["capacity_bytes"])
        self.assertEqual(self.state("bob")["size_bytes"], self.state("alice")["size_bytes"])
        self.assertTrue(self.pair.images_equal())

    def test_one_disk_that_grows_is_not_enough_and_the_answer_says_so(self):
        self.both()
        before = self.state("alice")["size_bytes"]
        self.grow_disk("alice", 8 * MIB)
        self.assertIn("the peer's has only", self.volume("alice", "resize"))
        self.assertEqual(self.state("alice")["size_bytes"], before)
        self.assertGreater(self.state("alice")["capacity_bytes"], before)
        refused = self.bascule("alice", "volume", "resize", "data", "--size", f"{before + 64 * MIB}", code=1)
        self.assertIn("do not fit", refused.stderr)
        self.grow_disk("bob", 8 * MIB)
        self.volume("bob", "resize")
        self.in_step()
        self.assertEqual(self.state("alice")["size_bytes"], self.state("bob")["capacity_bytes"])

    def test_a_disk_that_grew_while_its_node_was_down_is_found(self):
        self.both()
        before = self.state("alice")["size_bytes"]
        self.volume("bob", "down")
        self.grow_disk("bob", 8 * MIB)
        self.volume("bob", "up", "--node", "bob", "--config", self.pair.config)
        self.in_step()
        self.assertEqual(self.state("bob")["size_bytes"], before)
        self.assertGreater(self.state("bob")["capacity_bytes"], before)

    def changes_disks_under_writes(self, name):
        """`name` detaches and attaches while alice, the Primary, is written to without a pause."""
        self.both()
        load = Load(self.writer("alice"), 24 * MIB)
        for _ in range(3):
            load.goes_on()
            self.volume(name, "detach")
            self.until(name, "dstate", "Diskless/UpToDate")
            load.goes_on()
            self.volume(name, "attach")
            self.in_step()
        self.assertEqual(self.setup_says("alice", "role"), "Primary/Secondary")
        load.goes_on()
        content = load.stop()
        self.assertIsNone(load.error)
        for block, data in content.items():
            self.assertEqual(self.read_disk("alice", block * 4096, 4096), data)
        self.assertTrue(self.pair.images_equal())
        self.assertEqual(self.state("alice")["out_of_sync_bytes"], 0)

    def test_a_connected_primary_detaches_and_attaches_under_writes(self):
        self.changes_disks_under_writes("alice")

    def test_a_connected_secondary_detaches_and_attaches_under_writes(self):
        self.changes_disks_under_writes("bob")

    def test_a_disk_with_a_strangers_data_is_refused_while_connected(self):
        self.both()
        self.volume("alice", "detach")
        with open(self.pair.nodes["alice"].disk, "r+b") as disk:
            end = disk.seek(0, os.SEEK_END) // 4096 * 4096
            disk.seek(end - 4096 + 8)
            disk.write(random.Random(7).randbytes(32))  # current, bitmap and history UUIDs
        refused = self.bascule("alice", "volume", "attach", "data", code=1)
        self.assertIn("unrelated", refused.stderr)
        self.assertEqual(self.setup_says("alice", "dstate"), "Diskless/UpToDate")
        self.assertEqual(self.setup_says("bob", "dstate"), "UpToDate/Diskless")
        self.assertEqual(self.setup_says("alice", "cstate"), "Connected")
        self.write("alice", 0, b"s" * 4096)
        self.assertEqual(self.read_disk("bob", 0, 4096), b"s" * 4096)

    def test_a_split_brain_is_explained_and_one_side_gives_way(self):
        self.both()
        self.volume("bob", "disconnect")
        self.volume("bob", "primary", "--force")
        self.write("alice", 0, b"a" * 4096)
        self.write("bob", 4096, b"b" * 4096)
        self.volume("bob", "secondary")
        self.volume("bob", "connect")
        self.until("bob", "cstate", "StandAlone")
        self.assertIn("Both nodes wrote alone", self.volume("bob", "split-brain"))
        self.volume("bob", "split-brain", "--discard-my-data", code=1, stdin="no\n")
        self.volume("alice", "connect")
        self.volume("bob", "split-brain", "--discard-my-data", stdin="data\n")
        self.in_step()
        self.assertTrue(self.pair.images_equal())


if __name__ == "__main__":
    runner.main()
