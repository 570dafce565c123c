"""What each host itself believes that it may do: the lease pages of all of them, read at the same moments."""

import os
import struct
import threading

from bascule_hosts import kernel

PAGE_MAGIC = 0x6261736C65617365  # "baslease", src/runtime/watchdog/lease_page.h
HEAD = struct.Struct("=QII")
SLOT = struct.Struct("=56sIIQq")
INSIDE = "/run/bascule/lease"


def valid_slots(page, now_ns):
    """{name: epoch} of what the page says its host may act on at this moment."""
    if len(page) < HEAD.size or HEAD.unpack_from(page)[0] != PAGE_MAGIC:
        return {}
    found = {}
    for offset in range(HEAD.size, len(page) - SLOT.size + 1, SLOT.size):
        name, _, _, epoch, end_ns = SLOT.unpack_from(page, offset)
        if name[0] and end_ns > now_ns:
            found[name.rstrip(b"\0").decode(errors="replace")] = epoch
    return found


def held_twice(pages, now_ns):
    """[(name, {host: epoch})] of the leases that more than one of these hosts holds. `pages`: host -> bytes."""
    holders = {}
    for host, page in pages.items():
        for name, epoch in valid_slots(page, now_ns).items():
            holders.setdefault(name, {})[host] = epoch
    return [(name, hosts) for name, hosts in sorted(holders.items()) if len(hosts) > 1]


class LeaseWatch:
    """Compares the pages every 20 ms until `stop()`."""

    def __init__(self, world, hosts):
        self._hosts = hosts
        self._found = []  # (at_ns, name, {host: epoch})
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()
        world.at_close(self.stop)

    def _loop(self):
        while not self._stop.wait(0.02):
            self.look()

    def look(self):
        read = {host: (host.boots, self._page(host)) for host in self._hosts if host.pid}
        now_ns = kernel.boottime_ns()
        # Who died after its page was read holds nothing any more; whoever lives now lived through all of the reading.
        pages = {host.name: page for host, (boots, page) in read.items()
                 if not host.dying and host.boots == boots and host.up()}
        self._found += [(now_ns, name, holders) for name, holders in held_twice(pages, now_ns)]
        self.looks += 1

    @staticmethod
    def _page(host):
        try:
            with open(host.path(INSIDE), "rb", buffering=0) as file:
                return file.read(HEAD.size + 100 * SLOT.size)
        except OSError:
            return b""  # watchdogd has not made it yet

    def found_since(self, at_ns):
        return [one for one in list(self._found) if one[0] >= at_ns]

    def stop(self):
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join(2)
