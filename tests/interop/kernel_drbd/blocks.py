"""What is written and how: contents that say what they are, a device under O_DIRECT, and a load of random writes. Runs on
the host and in the guest."""

import hashlib
import mmap
import os
import random
import struct
import threading

BLOCK = 4096
DIRECT_MAX = 1 << 20


def block_content(number, stamp):
    """4 KiB that tell which block and which write they are; not compressible to one run, and never all zeroes."""
    head = struct.pack("<QQ", number, stamp)
    return head + hashlib.sha256(head).digest() * 127 + bytes(16)


def content(offset, length, stamp):
    if offset % BLOCK or length % BLOCK:
        return (hashlib.sha256(struct.pack("<QQ", offset, stamp)).digest() * (length // 32 + 1))[:length]
    return b"".join(block_content(number, stamp) for number in range(offset // BLOCK, (offset + length) // BLOCK))


def stamp_of(block):
    """(number, stamp) of a block that block_content made, None for anything else."""
    number, stamp = struct.unpack_from("<QQ", block)
    return (number, stamp) if block == block_content(number, stamp) else None


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Device:
    """A block device or file under O_DIRECT where there is such a thing."""

    def __init__(self, path):
        self.descriptor = os.open(path, os.O_RDWR | os.O_DIRECT)

    def write(self, offset, data):
        for start in range(0, len(data), DIRECT_MAX):
            piece = data[start:start + DIRECT_MAX]
            with mmap.mmap(-1, (len(piece) + BLOCK - 1) // BLOCK * BLOCK) as memory:
                memory[:len(piece)] = piece
                with memoryview(memory) as view, view[:len(piece)] as part:
                    written = os.pwrite(self.descriptor, part, offset + start)
                if written != len(piece):
                    raise OSError(f"{written} of {len(piece)} bytes written at {offset + start}")

    def read(self, offset, length):
        data = bytearray()
        while len(data) < length:
            with mmap.mmap(-1, DIRECT_MAX) as memory:
                wanted = min(DIRECT_MAX, length - len(data))
                with memoryview(memory) as view, view[:wanted] as part:
                    got = os.preadv(self.descriptor, [part], offset + len(data))
                if got == 0:
                    raise OSError(f"the device ends at {offset + len(data)}")
                data += memory[:got]
        return bytes(data)

    def flush(self):
        os.fsync(self.descriptor)

    def close(self):
        os.close(self.descriptor)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Load:
    """Random writes of one to `blocks_max` blocks inside [offset, offset + length), `depth` at once, until stopped or an
    error. `device` may be anything with write, flush and close. Each thread keeps to its own part of the range, so that the last
    acknowledged stamp of a block is known."""

    def __init__(self, device, offset, length, depth=4, blocks_max=4, seed=1, flush_every=64):
        self.device, self.writes, self.error = device, 0, None
        self.running, self.lock = True, threading.Lock()
        self.acknowledged = {}
        part = length // depth // BLOCK * BLOCK
        self.threads = [threading.Thread(target=self._write, daemon=True, args=(
            random.Random(seed * 1000 + lane), (offset + lane * part) // BLOCK, part // BLOCK, blocks_max, flush_every))
            for lane in range(depth)]
        for thread in self.threads:
            thread.start()

    def _write(self, dice, first, count, blocks_max, flush_every):
        stamp = 0
        while self.running:
            stamp += 1
            length = min(count, dice.randint(1, blocks_max))
            number = first + dice.randrange(count - length + 1)
            try:
                self.device.write(number * BLOCK, content(number * BLOCK, length * BLOCK, stamp))
                if flush_every and stamp % flush_every == 0:
                    self.device.flush()
            except OSError as error:
                self.error = self.error or str(error)
                return
            with self.lock:
                self.writes += 1
                for block in range(number, number + length):
                    self.acknowledged[block] = stamp

    def stop(self):
        """Ends it; what it did: {writes, error, acknowledged: [[block, stamp], ...]}."""
        self.running = False
        for thread in self.threads:
            thread.join()
        self.device.close()
        return {"writes": self.writes, "error": self.error, "acknowledged": sorted(self.acknowledged.items())}
