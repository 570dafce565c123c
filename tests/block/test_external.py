"""Metadata on a device of their own: alice's flexible, bob's in the second piece of a file that others may share."""

import os
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import runner
import test_operator
from block_pair import MIB, NAMES, wait_for

PIECE_BYTES = 128 * MIB
# What the pair with internal metadata does holds here too.
ALSO_HERE = ("test_a_new_pair_is_made_synced_and_changes_its_roles",
             "test_what_was_written_alone_is_brought_over_by_the_bitmap",
             "test_down_lets_go_of_the_disk_and_up_takes_it_again", "test_both_disks_grow",
             "test_one_disk_that_grows_is_not_enough_and_the_answer_says_so",
             "test_a_disk_that_grew_while_its_node_was_down_is_found",
             "test_a_connected_primary_detaches_and_attaches_under_writes",
             "test_a_connected_secondary_detaches_and_attaches_under_writes")


class ExternalPair(test_operator.OperatorPair):
    def write_config(self, file, size_mib):
        self.metadata = {"alice": f"{self.directory}/alice.meta", "bob": f"{self.directory}/shared.meta[1]"}
        path = super().write_config(file, size_mib)
        places = ", ".join(f'{name} = "{place}"' for name, place in self.metadata.items())
        with open(path) as config:
            text = config.read()
        with open(path, "w") as config:
            config.write(text.replace("[volume.data]\n", f"[volume.data]\nmetadata = {{ {places} }}\n"))
        return path

    def meta_image(self, name):
        return self.metadata[name].split("[")[0]


class External(test_operator.Operator):
    def setUp(self):
        self.pair = ExternalPair(runner.programs, size_mib=32)
        self.addCleanup(self.pair.close)
        self.addCleanup(self.down)
        with open(self.pair.meta_image("bob"), "wb") as file:
            file.truncate(2 * PIECE_BYTES)

    def drbdmeta(self, name, *words, image=None):
        placement = "flex-external" if name == "alice" else "1"
        done = subprocess.run(["drbdmeta", "--force", "0", "v08", image or self.pair.meta_image(name), placement, *words],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def metadata(self, name):
        with open(self.pair.meta_image(name), "rb") as file:
            return file.read()

    def test_all_of_the_disk_is_the_volumes(self):
        self.both()
        for name in NAMES:
            self.assertEqual(os.path.getsize(self.pair.nodes[name].disk), 32 * MIB)
            self.assertEqual(self.state(name)["size_bytes"], 32 * MIB)
            self.assertEqual(self.state(name)["meta_disk"], self.pair.metadata[name])
        self.write("alice", 32 * MIB - 4096, b"e" * 4096)
        self.write("alice", 0, b"b" * 4096)
        self.assertTrue(self.pair.images_equal())
        self.assertEqual(self.metadata("bob")[:PIECE_BYTES], bytes(PIECE_BYTES))  # somebody else's piece

    def test_a_node_that_was_killed_comes_back_as_a_crashed_primary(self):
        self.both()
        load = test_operator.Load(self.writer("alice"), 24 * MIB)
        load.goes_on(200)
        pid = int(re.search(r"\d+", subprocess.run(["pgrep", "-f", self.pair.alice.run_dir], capture_output=True,
                                                   text=True, check=True).stdout).group())
        os.kill(pid, signal.SIGKILL)
        load.stop()
        wait_for(lambda: self.setup_says("bob", "cstate") != "Connected", "bob to miss alice")
        self.volume("alice", "up", "--node", "alice", "--config", self.pair.config)
        self.in_step()
        self.assertIn("was Primary when it stopped", self.log("alice"))
        self.assertTrue(self.pair.images_equal())

    @runner.needs("drbdmeta")
    def test_they_are_created_as_drbdmeta_creates_them(self):
        for name in NAMES:
            said = self.volume(name, "create", "--node", name, "--config", self.pair.config)
            self.assertIn(self.pair.metadata[name], said)
            image = f"{self.pair.directory}/drbdmeta.{name}"
            ours = self.metadata(name)
            with open(image, "wb") as file:
                file.truncate(len(ours))
            self.drbdmeta(name, "create-md", image=image)
            with open(image, "rb") as file:
                self.assertEqual(ours, file.read(), name)

    @runner.needs("drbdmeta")
    def test_drbdmeta_reads_them_after_a_run(self):
        self.both()
        self.write("alice", MIB, b"r" * 4096)
        self.volume("alice", "secondary")
        generations = {name: self.setup_says(name, "get-gi").split(":")[0][:15] for name in NAMES}
        for name in NAMES:
            self.volume(name, "down")
            self.drbdmeta(name, "apply-al")
            dump = self.drbdmeta(name, "dump-md")
            self.assertIn(f"la-size-sect {32 * MIB // 512};", dump)
            self.assertIn(generations[name], dump.upper())
            ours = subprocess.run([f"{runner.programs}/bascule", "drbdmeta", "0", "v08", self.pair.meta_image(name),
                                   "flex-external" if name == "alice" else "1", "dump-md"], capture_output=True, text=True)
            self.assertEqual(self.without_comments(ours.stdout), self.without_comments(dump), ours.stderr)
        self.assertEqual(generations["alice"], generations["bob"])

    @staticmethod
    def without_comments(dump):
        return [line for line in dump.splitlines() if not line.startswith("#")]

    def test_a_bitmap_without_room_says_so_and_a_larger_device_helps(self):
        with open(self.pair.meta_image("alice"), "wb") as file:
            file.truncate(68 * 1024)  # covers 1 GiB
        self.both()
        for name in NAMES:
            self.grow_disk(name, 2048 * MIB)
        refused = self.bascule("alice", "volume", "resize", "data", "--size", f"{1280 * MIB}", code=1)
        self.assertIn("metadata device is too small", refused.stderr)
        os.truncate(self.pair.meta_image("alice"), 96 * 1024)
        self.volume("alice", "resize", "--size", f"{1280 * MIB}", "--assume-clean")
        self.in_step()
        for name in NAMES:
            self.assertEqual(self.state(name)["size_bytes"], 1280 * MIB)

    def test_create_refuses_a_metadata_device_with_something_on_it(self):
        with open(self.pair.meta_image("alice"), "wb") as file:
            file.write(bytes(8192) + b"somebody wrote this".ljust(65536, b"."))
        before = self.metadata("alice")
        refused = self.bascule("alice", "volume", "create", "data", "--node", "alice", "--config", self.pair.config, code=1)
        self.assertIn("--force", refused.stderr)
        self.assertEqual(self.metadata("alice"), before)
        self.assertFalse(os.path.exists(self.pair.alice.disk))
        self.volume("alice", "create", "--node", "alice", "--config", self.pair.config, "--force")


def load_tests(loader, _, pattern):
    own = [name for name in vars(External) if name.startswith("test_")]
    return unittest.TestSuite(External(name) for name in [*own, *ALSO_HERE])


if __name__ == "__main__":
    runner.main()
