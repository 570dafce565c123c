"""Wireshark's DRBD dissector understands every packet of a run: handshake, sync, writes, lost peer, resync."""

import os
import random
import socket
import struct
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import runner
from block_pair import MIB, NAMES, Pair

PACKET_OUTGOING = 4
# What such a run must contain, else the capture proves nothing (drbd.command).
EXPECTED = {"P_DATA": 0x00, "P_RS_DATA_REPLY": 0x02, "P_BARRIER": 0x03, "P_PROTOCOL": 0x0B, "P_UUIDS": 0x0C,
            "P_SIZES": 0x0D, "P_STATE": 0x0E, "P_SYNC_UUID": 0x0F, "P_WRITE_ACK": 0x16, "P_RS_WRITE_ACK": 0x17,
            "P_BARRIER_ACK": 0x1C, "P_INITIAL_META": 0xFFF1, "P_INITIAL_DATA": 0xFFF2, "P_CONNECTION_FEATURES": 0xFFFE}


class Capture:
    """Every packet of one TCP port on lo, into a pcap file."""

    def __init__(self, path, port):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 256 * MIB)  # SO_RCVBUFFORCE
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.2)
        self.port = struct.pack("!H", port)
        self.file = open(path, "wb")
        self.file.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))
        self.running, self.count = True, 0
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        while self.running:
            try:
                data, address = self.socket.recvfrom(1 << 18)
            except TimeoutError:
                continue
            if address[2] == PACKET_OUTGOING or self.port not in (data[34:36], data[36:38]):
                continue
            self.count += 1
            self.file.write(struct.pack("=IIII", self.count // 1000000, self.count % 1000000, len(data), len(data)) + data)

    def stop(self):
        self.running = False
        self.thread.join()
        self.lost = struct.unpack("II", self.socket.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS
        self.socket.close()
        self.file.close()


@runner.needs("tshark", "nbdcopy", root=True)
class Decode(unittest.TestCase):
    def test_every_packet_is_understood(self):
        with Pair(runner.programs, size_mib=16) as pair:
            path = f"{pair.directory}/run.pcap"
            capture = Capture(path, pair.port)
            try:
                self.story(pair)
            finally:
                capture.stop()
            self.assertEqual(capture.lost, 0, "the capture itself lost packets")
            self.judge(pair, path)

    def story(self, pair):
        pair.create_and_start().connect().initial()
        with open(f"{pair.directory}/source", "wb") as file:
            file.write(random.Random(1).randbytes(4 * MIB))
        self.write(pair)
        pair.bob.kill()
        pair.alice.wait_state(wants_shrink=True)
        pair.alice.in_sync(3, ["alice"])
        self.write(pair)
        pair.bob.start()
        pair.bob.in_sync(3, ["alice"])
        pair.alice.wait_state(wants_grow=True)
        pair.commit(4, NAMES)
        pair.wait_in_step()
        self.write(pair)

    def write(self, pair):
        subprocess.run(["nbdcopy", "--flush", f"{pair.directory}/source", pair.alice.nbd], check=True, timeout=60)

    def fields(self, path, condition, *names):
        command = ["tshark", "-r", path, "--enable-heuristic", "drbd_tcp", "-Y", condition, "-T", "fields"]
        for name in names:
            command += ["-e", name]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return shown.stdout.splitlines()

    def judge(self, pair, path):
        # What TCP sends again on a busy machine repeats bytes that were decoded before.
        again = "tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.out_of_order"
        bad = self.fields(path, "(_ws.malformed || (drbd && _ws.expert.severity == error) || "
                          f"(tcp.port == {pair.port} && data)) && !({again})", "frame.number", "_ws.col.Info",
                          "_ws.expert.message")
        self.assertEqual(bad[:5], [])
        seen = {int(word, 16) for line in self.fields(path, "drbd", "drbd.command") for word in line.split(",")}
        self.assertEqual([name for name, command in EXPECTED.items() if command not in seen], [],
                         sorted(hex(command) for command in seen))


if __name__ == "__main__":
    runner.main()
