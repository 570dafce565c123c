"""Who answered at the service's address, as seen on the wire.

A packet socket in the switch hears every frame that the switch delivers to somebody; a filter in the kernel passes
those that carry the service address as their source (IPv4, or the sender of an ARP packet). The kernel's own time
stamps are used, so this process may be slow.
"""

import ctypes
import socket
import struct
import threading
import time
from dataclasses import dataclass

from . import kernel

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
SO_ATTACH_FILTER = 26
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
STEPPED_NS = 60_000_000_000  # a packet that has waited so long to be read is none


@dataclass
class Segment:
    """An unbroken run of answers by one hardware address."""

    mac: str
    first_ns: int
    last_ns: int
    packets: int = 1
    arp: int = 0


def find_overlaps(segments, moves):
    """The changes of the answering host that no change of ownership explains.

    `moves` is a list of (at_ns, mac): from that moment on the host with this hardware address may answer, alone.
    A packet of an earlier owner after a later one's first answer, or an answer before the move, is an overlap.
    """
    found = []
    for before, after in zip(segments, segments[1:]):
        allowed = [at_ns for at_ns, mac in moves if mac == after.mac and before.first_ns < at_ns <= after.first_ns]
        if not allowed:
            found.append((before, after))
    return found


def _filter(address):
    """Classic BPF: accept IPv4 with this source, or ARP with this sender, else drop."""
    value = struct.unpack("!I", socket.inet_aton(address))[0]
    code = [
        (0x28, 0, 0, 12),         # ldh [12]       ethertype
        (0x15, 0, 2, 0x0800),     # jeq ip         else +2
        (0x20, 0, 0, 26),         # ld [26]        source address
        (0x15, 3, 4, value),      # jeq service
        (0x15, 0, 3, 0x0806),     # jeq arp
        (0x20, 0, 0, 28),         # ld [28]        sender protocol address
        (0x15, 0, 1, value),      # jeq service
        (0x06, 0, 0, 64),         # accept 64 bytes
        (0x06, 0, 0, 0),          # drop
    ]
    return b"".join(struct.pack("HBBI", *step) for step in code), len(code)


def _attach(packet_socket, address):
    code, count = _filter(address)
    buffer = ctypes.create_string_buffer(code)
    packet_socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", count, ctypes.addressof(buffer)))


def _packet_socket(address):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    _attach(made, address)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    return made


class WireWatch:
    """Records segments of answers until `stop()`."""

    def __init__(self, world, service_address):
        self.segments = []
        self.packets = 0
        self._newest_ns = 0
        self._stop = threading.Event()
        self._socket = kernel.in_network_of(world.switch.pid, lambda: _packet_socket(service_address))
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()
        world.at_close(self.stop)

    def _loop(self):
        while not self._stop.is_set():
            try:
                data, ancillary, _, address = self._socket.recvmsg(64, 64)
            except TimeoutError:
                continue
            except OSError:
                return
            if address[2] == PACKET_OUTGOING and address[0] != "br0":
                self._record(data, self._stamp(ancillary))

    def _stamp(self, ancillary):
        """The kernel stamps by the wall clock; when that was stepped in between, the moment of reading is nearer."""
        now = kernel.boottime_ns()
        offset = now - time.time_ns()
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(value) >= 16:
                seconds, nanoseconds = struct.unpack_from("qq", value)
                at_ns = seconds * 1_000_000_000 + nanoseconds + offset
                return at_ns if abs(now - at_ns) < STEPPED_NS else now
        return now

    def _record(self, frame, at_ns):
        mac = ":".join(f"{byte:02x}" for byte in frame[6:12])
        arp = 1 if frame[12:14] == b"\x08\x06" else 0
        self.packets += 1
        self._newest_ns = max(self._newest_ns, at_ns)
        if self.segments and self.segments[-1].mac == mac:
            segment = self.segments[-1]
            segment.last_ns = max(segment.last_ns, at_ns)
            segment.packets += 1
            segment.arp += arp
        else:
            self.segments.append(Segment(mac, at_ns, at_ns, 1, arp))

    def settle(self, quiet_s=0.3):
        """Waits until what was on the wire before this call has been recorded: something later has been, or nothing comes."""
        called_ns, end = kernel.boottime_ns(), time.monotonic() + 5
        seen, quiet_at = self.packets, time.monotonic() + quiet_s
        while self._newest_ns <= called_ns and time.monotonic() < min(quiet_at, end):
            time.sleep(0.01)
            if self.packets != seen:
                seen, quiet_at = self.packets, time.monotonic() + quiet_s

    def stop(self):
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(2)
        self._socket.close()
