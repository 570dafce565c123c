"""Backing files that cannot or must not be used: one clear sentence, exit code 2, nothing overwritten."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import runner
from block_pair import ADDRESSES, MIB, Pair, wait_for


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


class Disks(unittest.TestCase):
    def setUp(self):
        self.pair = Pair(runner.programs, size_mib=16)
        self.addCleanup(self.pair.close)
        self.node = self.pair.alice

    def refused(self, *words):
        """blockd does not start, says why in one line, and touches nothing."""
        before = digest(self.node.disk) if os.path.exists(self.node.disk) else None
        done = subprocess.run([self.pair.blockd, "--config", self.node.config, "--node", "alice", "--volume", "data",
                               "--run-dir", self.node.run_dir], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        if before:
            self.assertEqual(digest(self.node.disk), before)

    def create_refused(self, *words):
        before = digest(self.node.disk)
        done = self.node.create()
        self.assertEqual(done.returncode, 2)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assertEqual(digest(self.node.disk), before)

    def make_file(self, size):
        with open(self.node.disk, "wb") as file:
            file.truncate(size)

    def test_missing(self):
        self.refused(self.node.disk, "does not exist", "bascule volume create")

    def test_no_metadata(self):
        self.make_file(20 * MIB)
        self.refused("no DRBD metadata", "bascule volume create")

    def test_too_small(self):
        self.make_file(10 * MIB)
        self.create_refused("too small", str(self.pair.size))
        self.make_file(8192)
        self.create_refused(self.node.disk)
        self.refused(self.node.disk)

    @runner.needs("mkfs.ext4")
    def test_somebody_elses_file_system(self):
        self.make_file(20 * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.node.disk], check=True, capture_output=True)
        self.create_refused("ext", "--force")
        self.refused("somebody else's", "ext")
        forced = self.node.create("--force")
        self.assertEqual(forced.returncode, 0, forced.stderr)
        self.assertIn("ext", forced.stdout)

    def test_a_volume_is_not_made_twice(self):
        self.assertEqual(self.node.create().returncode, 0)
        self.create_refused("v08 metadata", "--force")

    def test_the_wrong_names(self):
        for arguments, word in ((["--node", "alice", "--volume", "none"], "no volume"),
                                (["--node", "carol", "--volume", "data"], "witness"),
                                (["--node", "eve", "--volume", "data"], "no such node"),
                                (["--node", "alice"], "--volume")):
            done = subprocess.run([self.pair.blockd, "--config", self.node.config, "--run-dir", self.node.run_dir,
                                   *arguments], capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(word, done.stderr)

    def test_a_disk_has_one_blockd(self):
        self.assertEqual(self.node.create().returncode, 0)
        self.node.start()
        done = subprocess.run([self.pair.blockd, "--config", self.node.config, "--node", "alice", "--volume", "data",
                               "--run-dir", f"{self.pair.directory}/second"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 2)
        self.assertIn("another process uses it", done.stderr)
        self.assertEqual(self.node.state()["role"], "Secondary")

    @runner.needs("drbdmeta")
    def test_drbdmeta_reads_the_metadata_and_ours_reads_drbdmetas(self):
        command = ["drbdmeta", "--force", "0", "v08", self.node.disk, "internal"]
        self.assertEqual(self.node.create().returncode, 0)
        ours = subprocess.run([*command, "dump-md"], capture_output=True, text=True)
        self.assertEqual(ours.returncode, 0, ours.stderr)
        self.assertIn('version "v08";', ours.stdout)
        subprocess.run([*command, "create-md"], input="yes\nyes\n", check=True, capture_output=True, text=True)
        self.node.start()
        self.assertTrue(self.node.state()["just_created"])

    @runner.needs("drbdmeta")
    def test_drbdmeta_reads_it_after_a_run(self):
        self.pair.create_and_start().connect().initial()
        uuids = self.pair.alice.state()["uuids"]
        self.pair.alice.demote()
        for node in self.pair.nodes.values():
            self.assertEqual(node.stop(), 0)
            shutil.copy(node.disk, node.disk + ".copy")
            command = ["drbdmeta", "--force", "0", "v08", node.disk + ".copy", "internal"]
            # An engine that ends leaves the activity log to be applied, as a kernel that loses power does.
            subprocess.run([*command, "apply-al"], capture_output=True, text=True)
            dump = subprocess.run([*command, "dump-md"], capture_output=True, text=True)
            self.assertEqual(dump.returncode, 0, dump.stdout + dump.stderr)
            self.assertIn(f"la-size-sect {self.pair.size // 512};", dump.stdout)
            self.assertIn(uuids["current"][:15], dump.stdout.upper())
        self.assertTrue(self.pair.images_equal())


class Stopping(unittest.TestCase):
    def test_it_stops_cleanly_while_the_peer_does_not_answer(self):
        pair = Pair(runner.programs, size_mib=16)
        self.addCleanup(pair.close)
        alice = pair.nodes["alice"]
        alice.create()
        # A listener with a full queue: further connections get no answer, as from a machine that is gone.
        peer = socket.socket()
        self.addCleanup(peer.close)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        peer.bind((ADDRESSES["bob"], pair.port))
        peer.listen(0)
        for _ in range(3):
            filler = socket.socket()
            self.addCleanup(filler.close)
            filler.setblocking(False)
            filler.connect_ex((ADDRESSES["bob"], pair.port))
        alice.start()
        wait_for(lambda: alice.control.state()["connection"] == "WFConnection", "looking for the peer")
        alice.process.terminate()
        self.assertEqual(alice.process.wait(15), 0)


class OtherSize(unittest.TestCase):
    def test_a_peer_with_another_size_is_not_joined(self):
        """Grown to 16 MiB on both; then one side is replaced by a smaller disk."""
        pair = Pair(runner.programs, size_mib=16)
        self.addCleanup(pair.close)
        pair.create_and_start().connect().initial()
        pair.alice.demote()
        pair.bob.stop()
        os.unlink(pair.bob.disk)
        pair.bob.config = pair.write_config("small.toml", 8)
        self.assertEqual(pair.bob.create().returncode, 0)
        pair.bob.start()
        pair.bob.wait_state(connection="StandAlone")
        self.assertIn(f"{8 * MIB} bytes of {16 * MIB} bytes", pair.bob.state()["why"])
        self.assertNotEqual(pair.alice.state()["connection"], "Connected")
        self.assertEqual(pair.alice.state()["size_bytes"], 16 * MIB)
        self.assertTrue(pair.alice.running() and pair.bob.running())


if __name__ == "__main__":
    runner.main()
