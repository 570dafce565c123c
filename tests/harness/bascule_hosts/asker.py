"""Asks on the wire, again and again, who has the service's address.

A client talks only to the host that its own neighbour table names, so a second holder of the address would stay unseen.
This asks everybody: an ARP probe (RFC 5227: no sender address, so nobody's table changes) from the switch, with a
hardware address that no host has, so that each answer is flooded to all ports, where `WireWatch` records it.
"""

import socket
import struct
import threading

from . import kernel

ASKER_MAC = b"\x02\x00\x00\x00\x00\xfe"
ETH_P_ARP = 0x0806


def arp_probe(address):
    """The frame that asks everybody on the link for this IPv4 address."""
    return (b"\xff" * 6 + ASKER_MAC + struct.pack("!H", ETH_P_ARP) + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) +
            ASKER_MAC + bytes(4) + bytes(6) + socket.inet_aton(address))


class AddressAsker:
    """Asks every `every_s` until `stop()`; the answers are heard by a WireWatch of the same world."""

    def __init__(self, world, address, every_s=0.025):
        self.asked = 0
        self._frame = arp_probe(address)
        self._every_s = every_s
        self._stop = threading.Event()
        self._socket = kernel.in_network_of(world.switch.pid, self._open)
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()
        world.at_close(self.stop)

    @staticmethod
    def _open():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # protocol 0: it never receives
        made.bind(("br0", 0))
        return made

    def _loop(self):
        while not self._stop.wait(self._every_s):
            try:
                self._socket.send(self._frame)
                self.asked += 1
            except OSError:
                return

    def stop(self):
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(2)
        self._socket.close()
