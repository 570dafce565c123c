"""The block device: FUSE file, loop device, ext4 on it, forced demotion under a mounted file system, kill -9."""

import mmap
import os
import random
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import runner
from block_pair import MIB, NAMES, ControlError, Pair, wait_for


def run(*command, good=(0,)):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode not in good:
        raise AssertionError(f"{command}: {done.returncode} {done.stdout} {done.stderr}")
    return done.stdout


@runner.needs("mkfs.ext4", "losetup", "e2fsck", root=True)
class Device(unittest.TestCase):
    def setUp(self):
        self.pair = Pair(runner.programs, size_mib=96)
        self.addCleanup(self.pair.close)
        self.mount_point = f"{self.pair.directory}/mnt"
        os.mkdir(self.mount_point)
        self.addCleanup(subprocess.run, ["umount", "-l", self.mount_point], capture_output=True)
        self.pair.create_and_start()
        if "no block device" in self.pair.alice.log():
            self.skipTest(self.pair.alice.state()["why"])
        self.pair.connect().initial()

    def device(self, node):
        path = os.path.realpath(f"{node.run_dir}/device/data")
        self.assertEqual(path, node.state()["device"])
        return path

    def mounted(self, device):
        run("mkfs.ext4", "-q", "-b", "4096", device)
        run("mount", device, self.mount_point)

    def test_a_file_system_moves_to_the_other_node(self):
        pair = self.pair
        device = self.device(pair.alice)
        self.assertEqual(int(run("blockdev", "--getsize64", device)), pair.size)
        self.mounted(device)
        contents = {}
        for number in range(40):
            contents[f"file{number}"] = random.Random(number).randbytes(random.Random(number).randrange(1, MIB))
            with open(f"{self.mount_point}/file{number}", "wb", buffering=0) as file:
                file.write(contents[f"file{number}"])
                os.fsync(file.fileno())
        with self.assertRaisesRegex(ControlError, "open"):
            pair.alice.demote()
        self.assertEqual(pair.alice.state()["role"], "Primary")
        run("umount", self.mount_point)
        pair.alice.demote()
        self.assertFalse(os.path.lexists(f"{pair.alice.run_dir}/device/data"))
        self.assertNotIn(device + ":", run("losetup", "-l", "-O", "NAME,BACK-FILE").replace(" ", ":") if
                         pair.alice.run_dir in run("losetup", "-l", "-O", "BACK-FILE") else "")
        pair.revoke("alice")
        pair.bob.promote(2)
        device = self.device(pair.bob)
        run("e2fsck", "-fn", device)
        run("mount", device, self.mount_point)
        for name, data in contents.items():
            with open(f"{self.mount_point}/{name}", "rb") as file:
                self.assertEqual(file.read(), data, name)
        run("umount", self.mount_point)
        pair.bob.demote()
        self.assertTrue(pair.images_equal())

    def test_direct_writes_of_every_size_from_many_threads(self):
        device = self.device(self.pair.alice)
        errors = []

        def work(index):
            generator = random.Random(index)
            descriptor = os.open(device, os.O_RDWR | os.O_DIRECT)
            memory = mmap.mmap(-1, 2 * MIB)
            for _ in range(60):
                size = 512 * generator.choice([1, 7, 8, 9, 64, 256, 2048, 4096])
                at = index * 12 * MIB + 512 * generator.randrange((12 * MIB - size) // 512)
                data = generator.randbytes(size)
                memory[:size] = data
                os.pwrite(descriptor, memoryview(memory)[:size], at)
                memory[:size] = bytes(size)
                os.preadv(descriptor, [memoryview(memory)[:size]], at)
                if memory[:size] != data:
                    errors.append((index, at, size))
            os.fsync(descriptor)
            os.close(descriptor)

        threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.pair.alice.demote()
        self.assertTrue(self.pair.images_equal())

    def test_a_forced_demotion_cuts_off_a_mounted_file_system_for_ever(self):
        pair = self.pair
        old = self.device(pair.alice)
        self.mounted(old)
        pair.alice.demote(force=True)
        state = pair.alice.wait_state(role="Secondary")
        self.assertEqual(state["device"], "")
        pair.grant("alice", 2)
        pair.alice.control.ask("promote", epoch=2, initial=False)
        new = self.device(pair.alice)
        self.assertNotEqual(new, old, "the old one is still held by the mount")
        descriptor = os.open(old, os.O_RDWR | os.O_DIRECT)
        with self.assertRaises(OSError), mmap.mmap(-1, 4096) as memory:
            os.pwrite(descriptor, memory, 8 * MIB)
        os.close(descriptor)
        run("umount", "-l", self.mount_point)
        run("e2fsck", "-fy", new, good=(0, 1))
        wait_for(lambda: old not in run("losetup", "-l", "-O", "NAME").split(), "the old device to go")

    def test_a_killed_blockd_leaves_errors_not_hangs_and_starts_again(self):
        pair = self.pair
        self.mounted(self.device(pair.alice))
        with open(f"{self.mount_point}/kept", "wb", buffering=0) as file:
            file.write(b"kept" * 1000)
            os.fsync(file.fileno())
        pair.alice.kill()
        with self.assertRaises(OSError):
            with open(f"{self.mount_point}/lost", "wb", buffering=0) as file:
                file.write(b"x" * MIB)
                os.fsync(file.fileno())
        run("umount", "-l", self.mount_point)
        pair.alice.start()
        pair.alice.in_sync(2, NAMES)
        pair.wait_in_step()
        pair.grant("alice", 2)
        pair.alice.control.ask("promote", epoch=2, initial=False)
        device = self.device(pair.alice)
        run("mount", device, self.mount_point)
        with open(f"{self.mount_point}/kept", "rb") as file:
            self.assertEqual(file.read(), b"kept" * 1000)
        run("umount", self.mount_point)
        run("e2fsck", "-fn", device)

    def test_a_stop_or_a_kill_while_writes_are_held_does_not_hang(self):
        pair = self.pair
        for number, end in enumerate(("kill", "terminate")):
            device = self.device(pair.alice)
            pair.revoke("alice")
            pair.alice.wait_state(lease_valid=False)
            writer = subprocess.Popen(["dd", "if=/dev/zero", f"of={device}", "bs=4k", "count=1", "oflag=direct"],
                                      stderr=subprocess.DEVNULL)
            pair.alice.wait_state(writes_held=1)
            # Only now: the loop device carries out one flush at a time, and what comes behind a held one never reaches us.
            flusher = subprocess.Popen(["sync", device], stderr=subprocess.DEVNULL)
            getattr(pair.alice.process, end)()
            pair.alice.process.wait(timeout=15)
            pair.alice.drop_control()
            self.assertNotEqual(writer.wait(timeout=15), 0)
            flusher.wait(timeout=15)
            wait_for(lambda: not os.path.lexists(f"{pair.alice.run_dir}/device/data"), "the link to go")
            wait_for(lambda: pair.alice.run_dir not in run("cat", "/proc/mounts"), "the mount to go")
            pair.alice.start()
            pair.alice.in_sync(2, NAMES)
            pair.wait_in_step()
            pair.grant("alice", number + 2)
            pair.alice.control.ask("promote", epoch=number + 2, initial=False)

    @runner.needs("unshare", "nsenter")
    def test_the_last_of_a_mount_namespace_can_be_killed(self):
        pair = self.pair
        pair.alice.demote()
        pair.alice.stop()
        pair.blockd_prefix = ["unshare", "--mount", "--propagation", "private"]
        pair.alice.start()
        pair.alice.in_sync(2, NAMES)
        pair.wait_in_step()
        pair.grant("alice", 2)
        pair.alice.control.ask("promote", epoch=2, initial=False)
        device = self.device(pair.alice)
        children = run("ps", "-o", "pid=", "--ppid", str(pair.alice.process.pid)).split()
        inside = ["nsenter", "--target", children[0], "--mount"]
        run(*inside, "mkfs.ext4", "-q", device)
        run(*inside, "mount", device, self.mount_point)
        run(*inside, "sh", "-c", f"dd if=/dev/zero of={self.mount_point}/dirty bs=64k count=40 2>/dev/null")
        pair.alice.process.kill()
        run("kill", "-9", *children)
        pair.alice.process.wait(timeout=15)
        pair.alice.drop_control()
        wait_for(lambda: not os.path.exists(f"/proc/{children[0]}"), "the helper to end")
        wait_for(lambda: device not in run("losetup", "-l", "-O", "NAME").split(), "the loop device to go")


if __name__ == "__main__":
    runner.main()
