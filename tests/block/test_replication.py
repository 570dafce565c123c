"""A volume on two nodes: first sync, writes, change of roles, leases, garbage on every socket, restarts."""

import os
import random
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import runner
from block_pair import ADDRESSES, MIB, NAMES, ControlError, Pair, wait_for


def random_file(path, size, seed=1):
    with open(path, "wb") as file:
        file.write(random.Random(seed).randbytes(size))
    return path


def nbdcopy(*arguments):
    done = subprocess.run(["nbdcopy", *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError(done.stderr)


class NbdWriter:
    """The simplest NBD client: single writes and reads with their errors."""

    def __init__(self, node):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"{node.run_dir}/nbd.data.sock")
        self.exactly(18)
        self.socket.sendall((3).to_bytes(4, "big") + b"IHAVEOPT" + (1).to_bytes(4, "big") + (4).to_bytes(4, "big") + b"data")
        self.size = int.from_bytes(self.exactly(10)[:8], "big")
        self.cookie = 0

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionError("the export closed the connection")
            data += piece
        return data

    def send(self, command, offset, length, data=b"", flags=0):
        self.cookie += 1
        head = b"\x25\x60\x95\x13" + flags.to_bytes(2, "big") + command.to_bytes(2, "big") + self.cookie.to_bytes(8, "big")
        self.socket.sendall(head + offset.to_bytes(8, "big") + length.to_bytes(4, "big") + data)

    def reply(self, timeout=20):
        self.socket.settimeout(timeout)
        head = self.exactly(16)
        assert head[:4] == b"\x67\x44\x66\x98"
        return int.from_bytes(head[4:8], "big")

    def write(self, offset, data, timeout=20, fua=False):
        self.send(1, offset, len(data), data, 1 if fua else 0)
        return self.reply(timeout)

    def read(self, offset, length):
        self.send(0, offset, length)
        error = self.reply()
        return error, b"" if error else self.exactly(length)

    def close(self):
        self.socket.close()


class Replication(unittest.TestCase):
    def setUp(self):
        self.pair = Pair(runner.programs)
        self.addCleanup(self.pair.close)

    def both(self):
        self.pair.create_and_start().connect()
        return self.pair.initial()

    @runner.needs("nbdcopy")
    def test_both_disks_are_the_same_and_either_node_can_serve(self):
        pair = self.both()
        source = random_file(f"{pair.directory}/source", pair.size)
        nbdcopy("--flush", source, pair.alice.nbd)
        self.assertGreater(pair.alice.state()["writes_acknowledged"], 0)
        self.assertTrue(pair.images_equal())
        pair.alice.demote()
        pair.revoke("alice")
        pair.bob.promote(2)
        nbdcopy(pair.bob.nbd, f"{pair.directory}/copy")
        with open(source, "rb") as a, open(f"{pair.directory}/copy", "rb") as b:
            self.assertEqual(a.read(), b.read())
        self.assertEqual(pair.alice.state()["peer_role"], "Primary")
        self.assertIsNone(pair.alice.state()["promoted_epoch"])

    @runner.needs("nbdinfo")
    def test_the_export_says_what_it_is_and_a_secondary_says_why_not(self):
        pair = self.both()
        shown = subprocess.run(["nbdinfo", pair.alice.nbd], capture_output=True, text=True)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIn(f"{pair.size}", shown.stdout)
        self.assertIn("can_fua: true", shown.stdout)
        self.assertIn("block_size_maximum: 1048576", shown.stdout)
        refused = subprocess.run(["nbdinfo", pair.bob.nbd], capture_output=True, text=True,
                                 env={**os.environ, "LIBNBD_DEBUG": "1"})
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("not Primary on bob", refused.stderr)

    def test_bad_requests_are_answered_and_the_client_stays(self):
        pair = self.both()
        client = NbdWriter(pair.alice)
        self.assertEqual(client.size, pair.size)
        self.assertEqual(client.write(pair.size, bytes(512)), 28)
        self.assertEqual(client.write(100, bytes(512)), 22)
        self.assertEqual(client.write(0, bytes(2 * MIB)), 75)
        client.send(5, 0, 4096)
        self.assertEqual(client.reply(), 22)
        self.assertEqual(client.write(4096, b"x" * 1024, fua=True), 0)
        self.assertEqual(client.read(4096, 1024), (0, b"x" * 1024))
        client.close()

    def test_writes_without_a_lease_are_held_and_go_on_with_it(self):
        pair = self.both()
        client = NbdWriter(pair.alice)
        self.assertEqual(client.write(0, b"a" * 4096), 0)
        pair.revoke("alice")
        pair.alice.wait_state(lease_valid=False)
        client.send(1, 4096, 4096, b"b" * 4096)
        pair.alice.wait_state(writes_held=1)
        with self.assertRaises(TimeoutError):
            client.reply(timeout=0.5)
        pair.grant("alice", 1)
        self.assertEqual(client.reply(), 0)
        client.close()

    def test_held_writes_fail_when_the_grace_is_over(self):
        pair = self.both()
        client = NbdWriter(pair.alice)
        pair.revoke("alice")
        pair.alice.wait_state(lease_valid=False)
        client.send(1, 4096, 4096, b"b" * 4096)
        pair.alice.wait_state(writes_held=1)
        pair.alice.control.ask("fail_io")
        self.assertEqual(client.reply(), 5)
        self.assertEqual(client.write(0, b"c" * 4096), 5)
        client.close()
        pair.alice.demote(force=True)
        self.assertEqual(pair.alice.state()["role"], "Secondary")

    def test_a_lost_peer_holds_writes_until_the_set_shrinks(self):
        pair = self.both()
        client = NbdWriter(pair.alice)
        pair.bob.kill()
        client.send(1, 0, 4096, b"z" * 4096)
        state = pair.alice.wait_state(wants_shrink=True, writes_held=1)
        before = state["uuids"]["current"]
        pair.alice.in_sync(3, ["alice"])
        self.assertEqual(client.reply(), 0)
        self.assertNotEqual(pair.alice.state()["uuids"]["current"], before)
        pair.bob.start()
        pair.bob.in_sync(3, ["alice"])
        with self.assertRaises(ControlError):
            pair.bob.control.ask("promote", epoch=9, initial=False)
        pair.alice.wait_state(wants_grow=True)
        pair.commit(4, NAMES)
        pair.wait_in_step()
        self.assertLess(pair.alice.state()["resync_total_bytes"], pair.size // 4)
        self.assertTrue(pair.images_equal())
        client.close()

    def test_a_replica_that_was_without_its_disk_is_no_member_until_it_is_resynced(self):
        pair = self.both()
        client = NbdWriter(pair.alice)
        self.assertEqual(client.write(0, b"a" * MIB), 0)
        pair.bob.control.ask("detach")
        pair.alice.wait_state(peer_disk="Diskless", wants_shrink=True)
        client.send(1, 0, 4096, b"b" * 4096)
        pair.alice.wait_state(writes_held=1)
        pair.commit(3, ["alice"])
        self.assertEqual(client.reply(), 0)
        pair.bob.control.ask("attach")
        pair.wait_in_step()
        pair.alice.wait_state(wants_grow=True)
        self.assertEqual(pair.bob.state()["resync_total_bytes"], 4096)
        pair.commit(4, NAMES)
        self.assertEqual(client.write(MIB, b"c" * 4096, fua=True), 0)
        self.assertTrue(pair.images_equal())
        client.close()

    def test_a_killed_primary_comes_back_and_nothing_acknowledged_is_lost(self):
        pair = self.both()
        client = NbdWriter(pair.alice)
        for number in range(200):
            self.assertEqual(client.write(number * 8192, bytes([number]) * 4096), 0)
        for number in range(8):  # under way when it dies
            client.send(1, 32 * MIB + number * 65536, 65536, bytes([255 - number]) * 65536)
        pair.alice.kill()
        client.close()
        pair.revoke("alice")
        pair.bob.control.ask("peer_lost", reason="the test killed it")
        pair.bob.in_sync(3, ["bob"])
        pair.bob.promote(2)
        reader = NbdWriter(pair.bob)
        for number in range(200):
            self.assertEqual(reader.read(number * 8192, 4096), (0, bytes([number]) * 4096))
        pair.alice.start()
        pair.alice.in_sync(3, ["bob"])
        pair.bob.wait_state(wants_grow=True)
        pair.commit(4, NAMES)
        pair.wait_in_step()
        self.assertTrue(pair.images_equal())
        reader.close()

    def test_a_connected_client_forbids_the_gentle_demotion_only(self):
        pair = self.both()
        client = NbdWriter(pair.alice)
        with self.assertRaisesRegex(ControlError, "NBD clients"):
            pair.alice.demote()
        self.assertEqual(client.write(0, bytes(512)), 0)
        pair.alice.demote(force=True)
        with self.assertRaises((ConnectionError, BrokenPipeError)):
            client.write(0, bytes(512))
        client.close()

    def test_garbage_and_truncated_packets_do_not_end_it(self):
        pair = self.both()
        generator = random.Random(7)
        greeting = bytes.fromhex("83740267fff20000")
        for number in range(40):
            for name, source in (("alice", "127.0.0.2"), ("bob", "127.0.0.1"), ("alice", "127.0.0.3")):
                with socket.socket() as one:
                    one.bind((source, 0))
                    one.connect((ADDRESSES[name], pair.port))
                    rubbish = generator.randbytes(generator.randrange(200))
                    try:
                        one.sendall(greeting + rubbish if number % 2 else rubbish)
                    except ConnectionError:
                        pass
            for path in ("blockd.data.sock", "nbd.data.sock"):
                with socket.socket(socket.AF_UNIX) as one:
                    one.connect(f"{pair.alice.run_dir}/{path}")
                    try:
                        one.sendall(generator.randbytes(500) + b"\n{}\n[1]\n{\"op\":7}\n{\"op\":\"x\"}\n")
                    except ConnectionError:
                        pass
        client = NbdWriter(pair.alice)
        self.assertEqual(client.write(0, b"q" * 4096), 0)
        client.close()
        pair.wait_in_step()
        self.assertTrue(pair.alice.running() and pair.bob.running())
        self.assertTrue(pair.images_equal())

    def test_every_control_line_is_answered(self):
        pair = self.pair.create_and_start()
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(f"{pair.alice.run_dir}/blockd.data.sock")
            one.settimeout(10)
            lines = one.makefile("r")
            for request in ("nonsense", "{}", '{"op":"promote","id":"p"}', '{"op":"in_sync","version":"x"}', '{"op":"?"}'):
                one.sendall((request + "\n").encode())
                line = lines.readline()
                while '"event"' in line:
                    line = lines.readline()
                self.assertIn('"ok":false', line, request)
            one.sendall(b"x" * 70000)
            self.assertIn("64 KiB", [line for line in lines if '"event"' not in line][0])
        self.assertEqual(pair.alice.state()["role"], "Secondary")

    def test_parallel_clients_see_their_own_writes(self):
        pair = self.both()
        errors = []

        def work(index):
            client, generator = NbdWriter(pair.alice), random.Random(index)
            for _ in range(60):
                size = 512 * generator.randrange(1, 513)
                at = index * 8 * MIB + 512 * generator.randrange((8 * MIB - size) // 512)
                data = generator.randbytes(size)
                if client.write(at, data) or client.read(at, size) != (0, data):
                    errors.append((index, at, size))
            client.close()

        threads = [threading.Thread(target=work, args=(index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])
        self.assertTrue(pair.images_equal())

    def test_it_ends_cleanly_and_idles_quietly(self):
        pair = self.both()

        def cpu():
            with open(f"/proc/{pair.alice.process.pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            return int(fields[11]) + int(fields[12])

        before = cpu()
        time.sleep(2)
        self.assertLess(cpu() - before, 10, "clock ticks of 10 ms in two idle seconds")
        self.assertEqual(pair.alice.stop(), 0)
        self.assertEqual(pair.bob.stop(), 0)
        self.assertFalse(os.path.exists(f"{pair.alice.run_dir}/nbd.data.sock"))
        self.assertFalse(os.path.lexists(f"{pair.alice.run_dir}/device/data"))
        self.assertFalse(os.path.ismount(f"{pair.alice.run_dir}/fuse/data"))


if __name__ == "__main__":
    runner.main()
