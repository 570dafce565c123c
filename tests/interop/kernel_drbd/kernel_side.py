"""The kernel's DRBD in the guest, driven by drbdadm and drbdsetup."""

import os
import re
import time

from . import side
from .guest import GuestError

SETUP = "/usr/lib/drbd/drbdsetup-84"
RESOURCE, MINOR, DEVICE = "r0", 0, "/dev/drbd0"
META = "/dev/ubdc"
MAPPED, MOUNT = "/dev/mapper/row", "/run/mnt"
PREPARE = "modprobe drbd; echo disabled >/sys/module/drbd/parameters/usermode_helper"
BEGAN = re.compile(r"Began resync as .*will sync (\d+) KB")
OUT_OF_SYNC = re.compile(r"oos:(\d+)")
# drbdsetup names the states with DRBD 9's numbers: its "Connected" without replication is 8.4's WFReportParams.
CONNECTION_NAMES = {"Connecting": "WFConnection"}


class KernelSide(side.Side):
    def __init__(self, guest, addresses):
        """The guest's first disk is as large as a row's usual disk, the second has room to grow, the third is for metadata. `addresses`: of both nodes by
        name; the guest's name is one of them."""
        self.name = guest.name
        super().__init__(guest.disks[0])
        self.guest, self.addresses = guest, addresses
        self.disk, self.number, self.objects = "/dev/ubda", 0, {}
        guest.listeners.append(self._hear)

    # -- events
    def _hear(self, message):
        if began := BEGAN.search(message.get("kmsg", "")):
            self.heard.update(resync_total_bytes=int(began.group(1)) * 1024)
        line = message.get("drbd")
        if line is None:
            return
        words = line.split()
        if len(words) < 3 or words[0] not in ("exists", "create", "change", "destroy"):
            return
        kind = words[1]
        fields = dict(word.split(":", 1) for word in words[2:] if ":" in word)
        known = self.objects.setdefault(kind, {})
        if words[0] == "destroy":
            known.clear()
        known.update(fields if words[0] != "destroy" else {})
        self._tell()

    def _tell(self):
        resource, connection, device, peer = (self.objects.get(kind, {}) for kind in
                                              ("resource", "connection", "device", "peer-device"))
        word = connection.get("connection", "StandAlone")
        replication = peer.get("replication", "Off")
        if word == "Connected":
            word = "WFReportParams" if replication == "Off" else "Connected" if replication == "Established" else replication
        self.heard.update(connection=CONNECTION_NAMES.get(word, word), role=resource.get("role", "Unknown"),
                          peer_role=connection.get("role", "Unknown"), disk=device.get("disk", "Diskless"),
                          peer_disk=peer.get("peer-disk", "DUnknown"), suspended=resource.get("suspended", "no"))

    def still(self):
        if not self.guest.alive():
            raise side.RowFailed("the guest is not there")

    # -- life
    def prepare(self, options, port, disk_bytes, mapped=False, placement="internal"):
        """A fresh disk and a configuration; nothing is started. A `mapped` disk may grow, or turn bad."""
        assert placement in ("internal", "flex-external")
        self.place_metadata(placement, self.guest.disks[2])
        self.image = self.guest.disks[1 if mapped else 0]
        self.fresh_image(os.path.getsize(self.image))
        self.disk = MAPPED if mapped else "/dev/ubda"
        self.options, self.port, self.disk_bytes = options, port, disk_bytes
        self.boot_if_needed()
        self.objects.clear()
        self.heard.clear()
        self.map_disk()
        self.write_config()
        self.wipe()

    def boot_if_needed(self):
        if not self.guest.alive():
            self.guest.up()
        self.guest.call("watch")

    def map_disk(self):
        if self.disk == MAPPED:
            self.guest.check("modprobe -q dm-mod; dmsetup remove -f row 2>/dev/null; "
                             f"dmsetup create row --table '0 {self.disk_bytes // 512} linear /dev/ubdb 0'")

    def write_config(self):
        self.number += 1
        with open(f"{self.guest.share}/{self.number}.conf", "w") as file:
            file.write(self.config_text())
        self.config = f"/run/share/{self.number}.conf"

    def config_text(self):
        sections = "".join(f"  {section} {{ " + " ".join(f"{key} {word(value)};" for key, value in values.items()) + " }\n"
                           for section, values in self.options.items() if values)
        hosts = "".join(f"  on {name} {{ address {address}:{self.port}; }}\n" for name, address in self.addresses.items())
        return (f"global {{ usage-count no; }}\nresource {RESOURCE} {{\n{sections}"
                f"  device {DEVICE} minor {MINOR}; disk {self.disk}; meta-disk {META if self.meta_image else 'internal'};\n{hosts}}}\n")

    def reconfigure(self, options):
        """New options; they hold from the next up() on."""
        self.options = options
        self.write_config()

    def adm(self, command, seconds=60):
        return self.guest.check(f"drbdadm -c {self.config} {command}", seconds)

    def setup(self, command, seconds=60):
        return self.guest.check(f"{SETUP} {command}", seconds)

    def up(self):
        self.guest.check(f"blockdev --flushbufs {self.disk} {META}; drbdadm -c {self.config} up {RESOURCE}")

    def down(self):
        """The kernel refuses in the middle of a handshake with a peer that it tries again and again."""
        limit = time.monotonic() + 10
        while True:
            seen = len(self.heard.past)
            try:
                return self.setup(f"down {RESOURCE}")
            except GuestError as error:
                if "(-18)" not in str(error) or time.monotonic() > limit:
                    raise
            self.wait_for(lambda state, seen=seen: len(self.heard.past) > seen, "in another state")

    def clear(self):
        """Whatever is left of a row. A guest that cannot be cleared is switched off."""
        self.options = None
        if not self.guest.alive():
            return
        try:
            self.guest.check(f"grep -q 'cs:' /proc/drbd && {{ umount -l {MOUNT} 2>/dev/null; "
                             f"timeout 5 {SETUP} down {RESOURCE} || exit 1; }}; dmsetup remove -f row 2>/dev/null; true", 10)
        except GuestError:
            self.guest.kill()

    def cut_power(self):
        self.guest.kill()
        self.objects.clear()
        self.heard.update(connection="Off", role="Unknown", disk="Diskless")

    kill = cut_power

    def start_again(self):
        """After kill(): boots, attaches, connects."""
        self.boot_if_needed()
        self.map_disk()
        self.up()

    # -- commands
    def primary(self, force=False):
        self.setup(f"primary {MINOR}" + (" --force" if force else ""))

    def secondary(self):
        self.setup(f"secondary {MINOR}")

    def connect(self, discard_my_data=False):
        self.adm(("-- --discard-my-data " if discard_my_data else "") + f"connect {RESOURCE}")

    def disconnect(self, force=False):
        for _ in range(10):
            changes = self.heard.changes()
            try:
                return self.adm(("-- --force " if force else "") + f"disconnect {RESOURCE}")
            except GuestError as error:
                if "unknown connection" in str(error):
                    return  # it became StandAlone by itself meanwhile
                if "(-18)" not in str(error):
                    raise
            # "In transient state, retry after next state change"
            self.wait_for(lambda state, seen=changes: self.heard.changes() > seen, "in another state", 10)
        raise side.RowFailed("the kernel was in ten transient states when it was to disconnect")

    def verify(self):
        self.setup(f"verify {MINOR}")

    def invalidate(self):
        self.setup(f"invalidate {MINOR}")

    def invalidate_remote(self):
        self.setup(f"invalidate-remote {MINOR}")

    def detach(self):
        self.setup(f"detach {MINOR}")

    def attach(self):
        self.adm(f"attach {RESOURCE}")

    def pause_sync(self):
        self.setup(f"pause-sync {MINOR}")

    def resume_sync(self):
        self.setup(f"resume-sync {MINOR}")

    def new_current_uuid(self, clear_bitmap=False):
        self.setup(f"new-current-uuid {MINOR}" + (" --clear-bitmap" if clear_bitmap else ""))

    def grow_disk(self, disk_bytes):
        self.disk_bytes = disk_bytes
        self.guest.check(f"dmsetup suspend row; dmsetup load row --table '0 {disk_bytes // 512} linear /dev/ubdb 0'; "
                         "dmsetup resume row")

    def resize(self):
        self.adm(f"resize {RESOURCE}")

    def break_disk(self, first_byte, length):
        """Reads and writes of this range fail from now on."""
        first, count, total = first_byte // 512, length // 512, self.disk_bytes // 512
        table = f"0 {first} linear /dev/ubdb 0\\n{first} {count} error\\n" \
                f"{first + count} {total - first - count} linear /dev/ubdb {first + count}\\n"
        self.guest.check(f"printf '{table}' >/run/table; dmsetup suspend --nolockfs row; dmsetup load row /run/table; "
                         "dmsetup resume row")

    def mend_disk(self):
        self.grow_disk(self.disk_bytes)

    def wipe(self):
        """A replica that never held data; the node is down."""
        if self.disk == MAPPED and not self.meta_image:
            self.guest.check(f"drbdmeta --force {MINOR} v08 {self.disk} internal create-md")
        else:
            self.create_metadata()

    # -- I/O
    def write(self, spans):
        """spans: (offset, length, stamp)."""
        self.guest.call("write", path=DEVICE, spans=spans, durable=True)

    def read_digest(self, offset, length):
        return self.guest.call("read", path=DEVICE, offset=offset, length=length)["digest"]

    def load_start(self, **arguments):
        self.guest.call("load_start", lane="load", path=DEVICE, **arguments)

    def load_stop(self):
        return self.guest.call("load_stop", lane="load")

    def load_writes(self):
        return self.guest.call("load_progress", lane="load")["writes"]

    def discard(self, offset, length):
        self.guest.check(f"blkdiscard -o {offset} -l {length} {DEVICE}")

    def zeroes(self, offset, length):
        self.guest.check(f"blkdiscard -z -o {offset} -l {length} {DEVICE}")

    # -- a file system and a database
    def make_file_system(self):
        self.guest.check(f"mkfs.ext4 -q -F {DEVICE}")

    def mount(self):
        self.guest.check(f"mkdir -p {MOUNT} && mount {DEVICE} {MOUNT}")

    def unmount(self):
        self.guest.check(f"umount {MOUNT}")

    def database_start(self):
        self.guest.call("database_start", directory=MOUNT)

    def database_stop(self):
        return self.guest.call("database_stop")

    def database_commits(self):
        return self.guest.call("database_commits")["committed"]

    def database_check(self, committed):
        return self.guest.call("database_check", directory=MOUNT, committed=committed)["wrong"]

    def size(self):
        return int(self.guest.check(f"cat /sys/block/{os.path.basename(DEVICE)}/size")) * 512

    def out_of_sync(self):
        """Bytes."""
        found = OUT_OF_SYNC.search(self.status())
        return int(found.group(1)) * 1024 if found else 0

    def log(self):
        return ""

    def status(self):
        return self.guest.run("cat /proc/drbd")[1] if self.guest.alive() else ""


def word(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f'"{value}"' if " " in str(value) else str(value)
