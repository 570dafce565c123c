"""What goes between the replicas is encrypted under the cluster's keys: seen on the wire, with other keys, with new keys."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import runner
from block_pair import ADDRESSES, NAMES, Pair, wait_for
from test_replication import NbdWriter

MARK = b"what the customer wrote to the shop "
TCP_PORTS_AT, ETHERTYPE_ALL = 34, 3


def key(*arguments):
    done = subprocess.run([f"{runner.programs}/bascule", "key", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


class Wire:
    """Everything on the loopback device that concerns one TCP port, while the block runs."""

    def __init__(self, port):
        self.port, self.seen, self.stopped = port, bytearray(), False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self._listen)

    def _listen(self):
        while not self.stopped:
            try:
                frame = self.socket.recv(65600)
            except TimeoutError:
                continue
            ports = frame[TCP_PORTS_AT:TCP_PORTS_AT + 4]
            if self.port.to_bytes(2, "big") in (ports[:2], ports[2:]):
                self.seen += frame

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.thread.join()
        self.socket.close()


class Encryption(unittest.TestCase):
    def setUp(self):
        self.keys = tempfile.mkdtemp(prefix="bascule-keys-")
        self.addCleanup(shutil.rmtree, self.keys)
        self.files = {name: f"{self.keys}/{name}.key" for name in NAMES}
        key("create", self.files["alice"])
        shutil.copy(self.files["alice"], self.files["bob"])

    def pair(self, key_files):
        pair = Pair(runner.programs, key_files=key_files)
        self.addCleanup(pair.close)
        return pair

    def write(self, pair):
        with Wire(pair.port) as wire:
            writer = NbdWriter(pair.alice)
            for block in range(64):
                self.assertEqual(writer.write(block << 16, (MARK * 2000)[:1 << 16]), 0)
            writer.close()
        return bytes(wire.seen)

    @runner.needs(root=True)
    def test_nobody_on_the_wire_reads_along(self):
        plain = self.pair(None).create_and_start().connect().initial()
        self.assertEqual(plain.alice.state()["encryption"], "none")
        self.assertIn(MARK, self.write(plain))
        secured = self.pair(self.files).create_and_start().connect().initial()
        self.assertEqual(secured.alice.state()["encryption"], "tls")
        seen = self.write(secured)
        self.assertGreater(len(seen), 64 << 16)
        self.assertNotIn(MARK, seen)
        self.assertTrue(secured.images_equal())

    def test_another_key_is_refused_until_the_file_is_right(self):
        os.remove(self.files["bob"])
        key("create", self.files["bob"])
        pair = self.pair(self.files).create_and_start()
        wait_for(lambda: "belongs to the cluster" in pair.alice.log(), "alice to say why")
        wait_for(lambda: "belongs to the cluster" in pair.bob.log(), "bob to say why")
        self.assertIn("same key file", pair.alice.log())
        self.assertNotIn(pair.alice.state()["connection"], ("Connected", "WFReportParams"))
        shutil.copy(self.files["alice"], self.files["bob"])
        pair.connect()

    def test_keys_are_replaced_without_a_pause(self):
        pair = self.pair(self.files).create_and_start().connect().initial()
        key("add", self.files["alice"])
        shutil.copy(self.files["alice"], self.files["bob"])
        key("use", "2", self.files["alice"])
        self.assertEqual(pair.alice.state()["connection"], "Connected")
        self.reconnect(pair)
        shutil.copy(self.files["alice"], self.files["bob"])
        for file in self.files.values():
            key("drop", "1", file)
        self.reconnect(pair)

    def reconnect(self, pair):
        self.assertEqual(pair.bob.stop(), 0)
        pair.bob.start()
        pair.wait_in_step()

    def test_neither_gives_way_when_only_one_encrypts(self):
        pair = self.pair({"alice": self.files["alice"]}).create_and_start()
        wait_for(lambda: "the same `encryption`" in pair.alice.log(), "alice to say why")
        for node in pair.nodes.values():
            self.assertNotEqual(node.state()["connection"], "Connected")

    def test_who_says_nothing_is_shown_out_and_garbage_harms_nobody(self):
        pair = self.pair(self.files).create_and_start().connect().initial()
        silent = socket.create_connection((ADDRESSES["alice"], pair.port), source_address=(ADDRESSES["bob"], 0))
        silent.settimeout(10)
        self.assertEqual(silent.recv(1), b"")
        silent.close()
        for garbage in (b"\x83\x74\x02\x67" * 20, b"\x16\x03\x01\x00\x05hello", os.urandom(4096)):
            with socket.create_connection((ADDRESSES["alice"], pair.port), source_address=(ADDRESSES["bob"], 0)) as one:
                one.sendall(garbage)
                one.settimeout(10)
                try:
                    while one.recv(4096):
                        continue
                except ConnectionResetError:
                    pass
        for node in pair.nodes.values():
            self.assertEqual(node.state()["connection"], "Connected")

    def test_without_its_key_file_it_does_not_start(self):
        os.remove(self.files["alice"])
        pair = self.pair(self.files)
        pair.alice.create()
        with self.assertRaisesRegex(AssertionError, "bascule key create"):
            pair.alice.start()


if __name__ == "__main__":
    runner.main()
