"""Who wrote the volume, and when: the activity pages of both blockd, read from outside and kept over a host's death."""

import os
import struct
import threading
from dataclasses import dataclass

MAGIC = 0x6261736C61637476  # "baslactv"
PAGE = struct.Struct("=QqqQqQ")  # src/runtime/block_host/activity_page.h


@dataclass
class Writing:
    """What one node did to the volume in one epoch of its ownership."""

    host: str
    epoch: int
    since_ns: int = 0
    last_acknowledged_ns: int = 0
    last_written_ns: int = 0


def find_double_writers(writings):
    """Pairs in which the owner of an earlier epoch acknowledged a write after a later epoch's node was primary."""
    found = []
    for earlier in writings:
        for later in writings:
            if earlier.epoch < later.epoch and earlier.host != later.host and later.since_ns and \
                    earlier.last_acknowledged_ns >= later.since_ns:
                found.append((earlier, later))
    return found


class ActivityWatch:
    """Samples the pages, each life of a host having its own, until `stop()`."""

    def __init__(self, world, names, volume="data"):
        self._hosts = [world.hosts[name] for name in names]
        self._path = f"/run/bascule/activity.{volume}"
        self._pages = {}  # (host, boot) -> descriptor
        self._writings = {}
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()
        world.at_close(self.stop)

    def _loop(self):
        while not self._stop.wait(0.05):
            self.sample()

    def sample(self):
        with self._lock:
            if self._stop.is_set():
                return
            for host in self._hosts:
                if host.pid and (host.name, host.boots) not in self._pages:
                    self._open(host)
            for (name, boot), fd in self._pages.items():
                self._read(name, boot, fd)

    def _open(self, host):
        key = (host.name, host.boots)
        try:
            self._pages[key] = os.open(host.path(self._path), os.O_RDONLY)
        except OSError:
            pass  # blockd has not made it yet

    def _read(self, name, boot, fd):
        data = os.pread(fd, PAGE.size, 0)
        if len(data) < PAGE.size:
            return
        magic, acknowledged, written, _, since, epoch = PAGE.unpack(data)
        if magic != MAGIC or epoch == 0:
            return
        writing = self._writings.setdefault((name, boot, epoch), Writing(name, epoch))
        writing.since_ns = writing.since_ns or since
        if acknowledged >= writing.since_ns:
            writing.last_acknowledged_ns = max(writing.last_acknowledged_ns, acknowledged)
        if written >= writing.since_ns:
            writing.last_written_ns = max(writing.last_written_ns, written)

    def writings(self):
        self.sample()
        with self._lock:
            return sorted(self._writings.values(), key=lambda writing: writing.epoch)

    def stop(self):
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(2)
        with self._lock:
            for fd in self._pages.values():
                os.close(fd)
            self._pages.clear()
