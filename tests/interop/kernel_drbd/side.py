"""What both sides of a pair have in common: a state that is heard, not asked for, and a disk image on this host."""

import os
import subprocess
import threading
import time

# The raw size of a disk. The kernel forgets the last 64 bits of a bitmap whose length is a multiple of 64 when it attaches
# (its count of set bits masks the wrong word), so that sizes that are multiples of 256 KiB are avoided.
DISK_BYTES = 64 << 20
META_BYTES, INDEXED_BYTES = 1 << 20, 128 << 20
IN_STEP = {"connection": "Connected", "disk": "UpToDate", "peer_disk": "UpToDate"}


class RowFailed(Exception):
    pass


class Heard:
    """The latest state of one side, told by its events."""

    def __init__(self, name):
        self.name, self.changed, self.now, self.past = name, threading.Condition(), {}, []

    def update(self, **fields):
        with self.changed:
            before = dict(self.now)
            self.now.update(fields)
            if before != self.now:
                self.past.append((time.monotonic(), dict(self.now)))
                self.changed.notify_all()

    def note(self, **fields):
        """A state that it went through without staying there: it counts as one that was, not as the one that is."""
        with self.changed:
            self.past.append((time.monotonic(), {**self.now, **fields}))

    def changes(self):
        """How many there were; grows with each."""
        with self.changed:
            return len(self.past)

    def clear(self):
        with self.changed:
            self.now, self.past = {}, []
            self.changed.notify_all()

    def wait(self, condition, text, seconds, still=lambda: None):
        """Until condition(state) holds; its value. `still` raises when waiting has become pointless."""
        limit = time.monotonic() + seconds
        with self.changed:
            while True:
                value = condition(self.now)
                if value:
                    return value
                left = limit - time.monotonic()
                if left <= 0:
                    raise RowFailed(f"{self.name} was not {text} within {seconds} s; it is {short(self.now)}")
                still()
                self.changed.wait(min(left, 0.5))


def short(state):
    words = [str(state.get(key, "-")) for key in ("connection", "role", "peer_role", "disk", "peer_disk")]
    return "cs:{} ro:{}/{} ds:{}/{}".format(*words)


def wants(wanted):
    """A condition: every field is the wanted one, or one of the wanted tuple."""
    def holds(state):
        return all(state.get(key) in value if isinstance(value, tuple) else state.get(key) == value
                   for key, value in wanted.items())
    return holds


class Side:
    """A node of the pair. Commands return when they are done; states come by events."""

    name = "?"

    def __init__(self, image):
        self.image, self.placement, self.meta_image = image, "internal", None
        self.heard = Heard(self.name)

    def fresh_image(self, size):
        """Zeroes in the same file: the guest has it open."""
        with open(self.image, "wb") as file:
            file.truncate(size)

    def place_metadata(self, placement, image):
        """Where drbdmeta has them: "internal", or in an image of their own, "flex-external" or an index."""
        self.placement, self.meta_image = placement, image if placement != "internal" else None
        if self.meta_image:
            with open(self.meta_image, "wb") as file:
                file.truncate(META_BYTES if placement == "flex-external" else (int(placement) + 1) * INDEXED_BYTES)

    def create_metadata(self):
        """A replica that never held data; the node is down. The whole image is the disk."""
        subprocess.run(["drbdmeta", "--force", "0", "v08", self.meta_image or self.image, self.placement, "create-md"],
                       check=True, capture_output=True)

    def state(self):
        with self.heard.changed:
            return dict(self.heard.now)

    def wait(self, seconds=20, **wanted):
        self.heard.wait(wants(wanted), " ".join(f"{key}={value}" for key, value in wanted.items()), seconds, self.still)

    def wait_for(self, condition, text, seconds=20):
        return self.heard.wait(condition, text, seconds, self.still)

    def still(self):
        """Raises when this side cannot come to any other state."""

    def in_step(self, seconds=30):
        self.wait(seconds, **IN_STEP)

    def was(self, since=0.0, **wanted):
        """Whether it ever was in this state since that moment, or since the row began."""
        with self.heard.changed:
            return any(wants(wanted)(state) for at, state in self.heard.past if at >= since)

    def plant(self, offset, data):
        """Changes the image behind the node's back."""
        descriptor = os.open(self.image, os.O_WRONLY)
        try:
            os.pwrite(descriptor, data, offset)
        finally:
            os.close(descriptor)

    def image_bytes(self, length):
        with open(self.image, "rb") as file:
            return file.read(length)
