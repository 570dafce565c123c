"""One row's world: both sides with fresh disks, and what must hold at the end of every row."""

import hashlib
import os
import re
import shutil
import subprocess
import time

from . import side
from .bascule_side import BasculeSide
from .guest import Guest
from .kernel_side import PREPARE, KernelSide

ADDRESSES = {"kernel": "10.79.0.11", "bascule": "10.79.0.1"}
BRIDGE = "interop"
PORT_FIRST = 7800
GROWN_BYTES = 160 << 20
# The kernel's defaults are made for real networks: it would wait up to 20 s for a connection, look ping-timeout long whether its
# sockets stay open, and give up a ping after 0.5 s, which a busy machine does not always keep. With the default of 2048 buffers
# its full resync is four times slower.
NET = {"protocol": "C", "connect-int": 1, "ping-timeout": 20, "ping-int": 1, "timeout": 9, "ko-count": 14, "socket-check-timeout": 1,
       "max-buffers": 8000}
DISK = {"resync-rate": "400M", "c-plan-ahead": 0}


def checksum(image, length):
    return hashlib.sha256(side_bytes(image, length)).hexdigest()


def side_bytes(image, length):
    with open(image, "rb") as file:
        data = file.read(length)
    if len(data) != length:
        raise side.RowFailed(f"{image} has {len(data)} of {length} bytes")
    return data


def bits_set(dump, blocks):
    """Set bits of a dump's bitmap; behind the last block the kernel leaves garbage in the last page."""
    bitmap = re.sub(r"#.*", "", re.search(r"bm \{(.*?)\}", dump, re.S).group(1))
    total, at = 0, 0
    for times, word in re.findall(r"(?:(\d+) times )?0x([0-9A-F]+);", bitmap):
        for _ in range(int(times or 1)):
            total += bin(int(word, 16) & ((1 << max(0, min(64, blocks - at))) - 1)).count("1")
            at += 64
    return total


def without_comments(dump):
    """A dump begins with when and where it was made."""
    return [line for line in dump.splitlines() if not line.startswith("#")]


class Bed:
    """`reference`: a second guest takes our place, which shows whether a row asks for what DRBD does."""

    def __init__(self, programs, directory, reference=False):
        self.directory, self.programs = directory, programs
        self.kernel = self._kernel("kernel")
        self.guests = [self.kernel.guest]
        if reference:
            self.bascule = self._kernel("bascule")
            self.guests.append(self.bascule.guest)
        else:
            os.makedirs(f"{directory}/bascule", exist_ok=True)
            self.bascule = BasculeSide(programs, f"{directory}/bascule", ADDRESSES)
        self.sides = (self.kernel, self.bascule)
        self.port = PORT_FIRST

    def _kernel(self, name):
        disks = [f"{self.directory}/{name}-{kind}.img" for kind in ("first", "mapped", "meta")]
        for path, size in zip(disks, (side.DISK_BYTES, GROWN_BYTES, side.META_BYTES)):
            with open(path, "wb") as file:
                file.truncate(size)
        guest = Guest(f"{self.directory}/guest-{name}", name, ADDRESSES[name], f"tap-{name}", disks, PREPARE)
        return KernelSide(guest, ADDRESSES)

    def other(self, one):
        return self.bascule if one is self.kernel else self.kernel

    # -- beginnings
    def prepare(self, net=None, disk=None, options=None, disk_bytes=side.DISK_BYTES, mapped=False, only_on=None,
                external=None):
        """Fresh disks on both sides. `only_on`: {side: {section: options}} for what shall differ. `external`: {side: placement
        of its metadata}; when nobody's are internal the size is limited to what usable() says."""
        if external and len(external) == len(self.sides):
            disk = {"size": f"{(disk_bytes - 40 * 1024) // 1024}K", **(disk or {})}
        self.port += 1
        self.disk_bytes = disk_bytes
        for one in self.sides:
            chosen = {"net": {**NET, **(net or {})}, "disk": {**DISK, **(disk or {})}, "options": dict(options or {})}
            for section, values in (only_on or {}).get(one, {}).items():
                chosen[section].update(values)
            one.prepare(chosen, self.port, disk_bytes, mapped, (external or {}).get(one, "internal"))

    def up(self):
        """Both; returns since when."""
        since = time.monotonic()
        for one in self.sides:
            one.up()
        return since

    def connected(self, **options):
        """Both up and connected, both Inconsistent."""
        self.prepare(**options)
        self.up()
        for one in self.sides:
            one.wait(20, connection="Connected")

    def in_step(self, seconds=30):
        for one in self.sides:
            one.in_step(seconds)

    def synced(self, primary, **options):
        """Both UpToDate after a full sync; `primary` is Primary."""
        self.connected(**options)
        self.promote(primary, force=True)
        self.in_step()

    def promote(self, one, force=False):
        one.primary(force=force)
        one.wait(role="Primary")
        if one.state()["connection"] == "Connected":
            self.other(one).wait(peer_role="Primary")

    def demote(self, one):
        one.secondary()
        one.wait(role="Secondary")

    def seeded(self, one, **options):
        """In step, `one` is Primary, and some MiB of contents are on both."""
        self.synced(one, **options)
        one.write([(0, 1 << 20, 1), (9 << 20, 2 << 20, 2), (40 << 20, 1 << 20, 3)])

    # -- ends
    def usable(self):
        return self.disk_bytes - 40 * 1024

    def finish(self, load=None, length=None):
        """In step and Secondary on both sides, then down: equal checksums, equal generations, empty bitmaps."""
        self.in_step(60)
        for one in self.sides:
            if one.state()["role"] == "Primary":
                self.demote(one)
        self.kernel.down()
        self.bascule.down()
        self.compare(length or self.usable())
        self.compare_metadata()
        if load:
            self.check_acknowledged(load)

    def compare(self, length):
        """Equal checksums of both whole devices."""
        sums = [checksum(one.image, length) for one in self.sides]
        if sums[0] != sums[1]:
            raise side.RowFailed(f"the disks differ: {self.differences(length)}")

    def differences(self, length):
        ours, theirs = (side_bytes(one.image, length) for one in (self.bascule, self.kernel))
        blocks = [at // 4096 for at in range(0, length, 4096) if ours[at:at + 4096] != theirs[at:at + 4096]]
        return f"{len(blocks)} blocks, first {blocks[:4]}, last {blocks[-1]}"

    def metadata(self, one):
        """{"uuid": current, "bits": number of set ones} as drbdmeta reads them."""
        image = one.meta_image or one.image
        if not one.meta_image and os.path.getsize(image) != one.disk_bytes:
            image = f"{self.directory}/cut.img"
            with open(one.image, "rb") as whole, open(image, "wb") as cut:
                cut.write(whole.read(one.disk_bytes))
        arguments = ["0", "v08", image, one.placement]
        subprocess.run(["drbdmeta", "--force", *arguments, "apply-al"], check=True, capture_output=True)
        dump = subprocess.run(["drbdmeta", "--force", *arguments, "dump-md"], check=True, capture_output=True, text=True).stdout
        if one.meta_image:
            ours = subprocess.run([f"{self.programs}/bascule", "drbdmeta", *arguments, "dump-md"], check=True,
                                  capture_output=True, text=True).stdout
            if without_comments(ours) != without_comments(dump):
                raise side.RowFailed(f"bascule drbdmeta and drbdmeta read {image} differently")
        uuid = int(re.search(r"uuid \{\s*(0x[0-9A-F]+)", dump).group(1), 16)
        return {"uuid": uuid & ~1, "bits": bits_set(dump, (self.usable() + 4095) // 4096)}

    def compare_metadata(self):
        ours, theirs = self.metadata(self.bascule), self.metadata(self.kernel)
        if ours["uuid"] != theirs["uuid"]:
            raise side.RowFailed(f"the generations differ: {ours['uuid']:016X} here, {theirs['uuid']:016X} there")
        if ours["bits"] or theirs["bits"]:
            raise side.RowFailed(f"bits are left: {ours['bits']} here, {theirs['bits']} there")

    def check_acknowledged(self, load):
        """No acknowledged write of the load is missing: each block has the last acknowledged stamp, or a later one."""
        from .blocks import BLOCK, stamp_of
        data = side_bytes(self.bascule.image, self.usable())
        lost = []
        for number, stamp in load["acknowledged"]:
            there = stamp_of(data[number * BLOCK:(number + 1) * BLOCK])
            if there is None or there[0] != number or there[1] < stamp:
                lost.append((number, stamp, there))
        if lost:
            raise side.RowFailed(f"{len(lost)} acknowledged blocks are lost or old, first {lost[0]}")

    # -- rows
    def begin_row(self):
        self.row_begun = time.monotonic()
        for guest in self.guests:
            if not guest.alive():
                guest.up()

    def clear(self):
        self.mend_cable()
        for one in self.sides:
            one.clear()

    def close(self):
        for one in self.sides:
            one.clear()
        for guest in self.guests:
            guest.kill()

    def save(self, directory, detail):
        """What helps to understand a row: both logs on one clock, both images' metadata, a capture if there is one."""
        os.makedirs(directory, exist_ok=True)
        lines = [(at, f"{guest.name:<8} {text}") for guest in self.guests for at, text in guest.log if at >= self.row_begun]
        lines += [(at, f"kernel   => {side.short(state)}") for at, state in self.kernel.heard.past]
        lines += [(at, f"bascule  => {side.short(state)}") for at, state in self.bascule.heard.past]
        lines += [(at, f"bascule  {kind}: {text}") for at, kind, text in getattr(self.bascule, "story", [])]
        with open(f"{directory}/log", "w") as file:
            file.write(f"{detail}\n")
            file.writelines(f"{at - self.row_begun:8.3f} {text}\n" for at, text in sorted(lines))
            file.write(f"--- /proc/drbd\n{self.kernel.status()}--- blockd\n{self.bascule.log()[-20000:]}")
        capture = f"{self.directory}/row.pcapng"
        if os.path.exists(capture):
            shutil.move(capture, f"{directory}/row.pcapng")

    def digest(self, one, offset, length):
        """Of a part of a side's image."""
        return hashlib.sha256(one.image_bytes(offset + length)[offset:]).hexdigest()

    def wait_size(self, one, size, seconds=30):
        limit = time.monotonic() + seconds
        while one.size() != size:
            if time.monotonic() > limit:
                raise side.RowFailed(f"{one.name} has {one.size()} of {size} bytes")
            time.sleep(0.1)  # the kernel has no event for it

    # -- the network
    @staticmethod
    def cut_cable():
        subprocess.run(["ip", "link", "set", "tap-kernel", "nomaster"], check=True)

    @staticmethod
    def mend_cable():
        subprocess.run(["ip", "link", "set", "tap-kernel", "master", BRIDGE], check=True)

    # -- loads
    def load_until(self, one, writes, seconds=30):
        """Until the load has written so many more."""
        self._count(one, one.load_writes, writes, seconds)

    def commits(self, one, count, seconds=30):
        """Until the database has committed so many more."""
        self._count(one, one.database_commits, count, seconds)

    @staticmethod
    def _count(one, counter, more, seconds):
        limit, goal = time.monotonic() + seconds, counter() + more
        while counter() < goal:
            one.still()
            if time.monotonic() > limit:
                raise side.RowFailed(f"{one.name} did {counter()} of {goal} within {seconds} s")
            time.sleep(0.02)  # a counter tells nothing by itself
