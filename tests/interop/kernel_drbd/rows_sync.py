"""Connections, full and bitmap resyncs, and what comes in between."""

import random
import time

from . import side
from .rows import row
from .side import RowFailed

MIB = 1 << 20
SLOW = {"disk": {"resync-rate": "12M", "c-plan-ahead": 0}}
ALONE = ("WFConnection", "Unconnected", "StandAlone")
SYNCING = ("SyncSource", "SyncTarget")


def plant_everything(bed, seed):
    """Both disks hold different contents before they ever meet."""
    for number, one in enumerate(bed.sides):
        one.plant(0, random.Random(seed * 2 + number).randbytes(bed.usable()))


def full_sync(bed, source, **options):
    """Up, connected, and the source promoted by force: a full sync is under way."""
    bed.prepare(**options)
    plant_everything(bed, 1)
    bed.up()
    for one in bed.sides:
        one.wait(20, connection="Connected")
    bed.promote(source, force=True)


def under_way(bed, seconds=15):
    """A resync runs on both sides and some of it is done."""
    for one in bed.sides:
        one.wait(seconds, connection=SYNCING)
    limit = time.monotonic() + seconds
    while bed.kernel.out_of_sync() > bed.usable() - 4 * MIB:
        if time.monotonic() > limit:
            raise RowFailed("the resync does not move")
        time.sleep(0.05)  # progress has no event
    if bed.kernel.state()["connection"] not in SYNCING:
        raise RowFailed("the resync was through before it could be disturbed")


@row("connect")
def connect(bed, active, passive):
    """connect; the active side starts first, and a new pair skips its first sync"""
    bed.prepare()
    active.up()
    active.wait(connection="WFConnection")
    passive.up()
    for one in bed.sides:
        one.wait(20, connection="Connected", disk="Inconsistent", peer_disk="Inconsistent")
    active.new_current_uuid(clear_bitmap=True)
    bed.finish()


@row("full-sync", quick=True)
def full(bed, source, target):
    """full sync of disks that differ everywhere"""
    full_sync(bed, source)
    expected = source.image_bytes(bed.usable())
    bed.finish()
    if target.image_bytes(bed.usable()) != expected:
        raise RowFailed("the source's contents changed")


@row("full-sync-with-writes")
def full_with_writes(bed, source, target):
    """the source is written to while it is resynced"""
    full_sync(bed, source, **SLOW)
    source.load_start(offset=0, length=bed.usable(), depth=4)
    under_way(bed)
    bed.load_until(source, 100)
    load = source.load_stop()
    bed.finish(load)


@row("bitmap-resync", quick=True)
def bitmap(bed, source, target):
    """bitmap resync of what the source wrote alone"""
    bed.seeded(source)
    target.disconnect()
    source.wait(connection=ALONE, peer_disk=("DUnknown", "Outdated"))
    source.write([(3 * MIB, MIB, 7), (33 * MIB + 4096, 12 * 4096, 8)])
    target.connect()
    bed.in_step()
    total = bed.bascule.state()["resync_total_bytes"]
    if not MIB <= total <= 2 * MIB:
        raise RowFailed(f"{total} bytes were resynced for 1.05 MiB")
    bed.finish()


@row("resync-after-source-disconnects")
def source_disconnects(bed, source, target):
    """the source disconnects in the middle of the full sync"""
    full_sync(bed, source, **SLOW)
    under_way(bed)
    source.disconnect()
    source.wait(connection="StandAlone")
    source.write([(5 * MIB, MIB, 5)])
    source.connect()
    bed.finish()


@row("resync-after-target-disconnects")
def target_disconnects(bed, source, target):
    """the target disconnects in the middle of the full sync"""
    full_sync(bed, source, **SLOW)
    under_way(bed)
    target.disconnect()
    target.wait(connection="StandAlone")
    source.write([(5 * MIB, MIB, 5)])
    target.connect()
    bed.finish()


@row("source-killed-in-sync")
def source_killed(bed, source, target):
    """the source is killed in the middle of the full sync"""
    full_sync(bed, source, **SLOW)
    under_way(bed)
    source.cut_power()
    target.wait(20, connection=ALONE)
    source.start_again()
    bed.finish()


@row("target-killed-in-sync")
def target_killed(bed, source, target):
    """the target is killed in the middle of the full sync"""
    full_sync(bed, source, **SLOW)
    under_way(bed)
    target.cut_power()
    source.wait(20, connection=ALONE)
    source.write([(5 * MIB, MIB, 5)])
    target.start_again()
    bed.finish()


@row("target-promoted-in-sync")
def target_promoted(bed, source, target):
    """the target is promoted, and reads and writes, while it is resynced"""
    full_sync(bed, source, **SLOW)
    under_way(bed)
    bed.demote(source)
    bed.promote(target)
    far = bed.usable() - MIB
    if target.read_digest(far, MIB) != bed.digest(source, far, MIB):
        raise RowFailed("the target read something else than the source has")
    target.write([(far, MIB, 9), (0, MIB, 10)])
    bed.finish()


@row("checksum-resync")
def checksum_resync(bed, source, target):
    """checksum-based resync sends only what differs"""
    bed.seeded(source, net={"csums-alg": "crc32c"})
    target.disconnect()
    source.wait(connection=ALONE, peer_disk=("DUnknown", "Outdated"))
    source.write([(0, MIB, 1), (9 * MIB, MIB, 2), (40 * MIB, 64 * 1024, 99)])  # only the last is new
    target.connect()
    bed.finish()


@row("invalidate")
def invalidate(bed, active, passive):
    """the active side throws its own copy away"""
    bed.seeded(passive)
    active.plant(20 * MIB, b"rot" * 4096)
    since = time.monotonic()
    active.invalidate()
    active.wait_for(lambda state: active.was(since, connection="SyncTarget"), "SyncTarget")
    bed.finish()


@row("invalidate-remote")
def invalidate_remote(bed, active, passive):
    """the active side has its peer's copy thrown away"""
    bed.seeded(active)
    passive.plant(20 * MIB, b"rot" * 4096)
    since = time.monotonic()
    active.invalidate_remote()
    active.wait_for(lambda state: active.was(since, connection="SyncSource"), "SyncSource")
    bed.finish()


@row("pause-and-resume")
def pause(bed, active, passive):
    """the active side is the source, and pauses and resumes the resync"""
    full_sync(bed, active, **SLOW)
    under_way(bed)
    active.pause_sync()
    active.wait(connection="PausedSyncS")
    passive.wait(connection="PausedSyncT")
    active.resume_sync()
    bed.finish()


@row("plain-bitmap")
def plain_bitmap(bed, source, target):
    """bitmap exchange without run lengths"""
    bed.seeded(source, net={"use-rle": False})
    target.disconnect()
    source.wait(connection=ALONE, peer_disk=("DUnknown", "Outdated"))
    source.write([(number * 257 * 4096, 4096, 50 + number) for number in range(60)])
    target.connect()
    bed.finish()


@row("verify")
def verify(bed, active, passive):
    """the active side verifies, finds what was planted at its peer, and a reconnect repairs it"""
    bed.seeded(active, net={"verify-alg": "crc32c"})
    passive.plant(8 * MIB, b"planted!" * 512)
    passive.plant(50 * MIB, b"planted!" * 1536)
    active.verify()
    for one in bed.sides:
        one.wait_for(lambda state, one=one: one.was(connection=("VerifyS", "VerifyT")) and
                     state["connection"] == "Connected", "through with the verify", 30)
    found = bed.bascule.out_of_sync()
    if found != 16384:
        raise RowFailed(f"{found} bytes were found where 16384 were planted")
    passive.disconnect()
    active.wait(connection=ALONE, peer_disk=("DUnknown", "Outdated"))
    passive.connect()
    bed.finish()


@row("verify-clean")
def verify_clean(bed, active, passive):
    """verify of equal disks finds nothing"""
    bed.seeded(active, net={"verify-alg": "sha1"})
    active.verify()
    for one in bed.sides:
        one.wait_for(lambda state, one=one: one.was(connection=("VerifyS", "VerifyT")) and
                     state["connection"] == "Connected", "through with the verify", 30)
    if bed.bascule.out_of_sync():
        raise RowFailed("differences were found where there are none")
    bed.finish()


@row("resize")
def resize(bed, active, passive):
    """both disks grow, the active side resizes, the new part is resynced"""
    bed.seeded(active, mapped=True)
    for one in bed.sides:
        one.plant(side.DISK_BYTES + 5 * MIB, one.name.encode() * 1000)
    for one in bed.sides:
        one.grow_disk(96 * MIB)
    active.resize()
    bed.disk_bytes = 96 * MIB
    for one in bed.sides:
        bed.wait_size(one, bed.usable())
    bed.in_step(60)
    active.write([(80 * MIB, MIB, 80)])
    bed.finish()


@row("reconnect-often")
def reconnect_often(bed, active, passive):
    """disconnects and connects in turns while the active side is Primary and writes between them"""
    bed.seeded(active)
    for turn in range(6):
        one = (active, passive)[turn % 2]
        one.disconnect()
        bed.other(one).wait(connection=ALONE)
        active.write([(turn * 5 * MIB, 64 * 1024, 30 + turn)])
        one.connect()
        if bed.other(one).state()["connection"] == "StandAlone":
            bed.other(one).connect()
        bed.in_step()
    bed.finish()


@row("cable-cut-in-sync")
def cable_cut(bed, source, target):
    """the network is cut in the middle of the full sync, and comes back"""
    full_sync(bed, source, **SLOW)
    under_way(bed)
    bed.cut_cable()
    for one in bed.sides:
        one.wait(25, connection=ALONE)
    source.write([(5 * MIB, MIB, 5)])
    bed.mend_cable()
    bed.finish()
