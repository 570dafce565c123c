"""Writes under every protocol, roles, crashes, discards, digests, failing disks."""

from .guest import GuestError
from .bascule_side import Refused
from .rows import row
from .side import RowFailed

MIB = 1 << 20
ALONE = ("WFConnection", "Unconnected", "StandAlone")


def load_row(bed, active, writes, **options):
    bed.synced(active, **options)
    active.load_start(offset=0, length=bed.usable(), depth=8, blocks_max=16)
    bed.load_until(active, writes)
    load = active.load_stop()
    if load["error"]:
        raise RowFailed(f"the load failed: {load['error']}")
    bed.finish(load)


@row("protocol-C", quick=True)
def protocol_c(bed, primary, secondary):
    """protocol C under load"""
    load_row(bed, primary, 300)


@row("protocol-B")
def protocol_b(bed, primary, secondary):
    """protocol B under load"""
    load_row(bed, primary, 300, net={"protocol": "B"})


@row("protocol-A")
def protocol_a(bed, primary, secondary):
    """protocol A under load"""
    load_row(bed, primary, 300, net={"protocol": "A"})


@row("large-writes")
def large_writes(bed, primary, secondary):
    """writes of 1 MiB and of 512 bytes"""
    bed.synced(primary)
    primary.write([(number * MIB, MIB, 20 + number) for number in range(16)])
    primary.write([(50 * MIB + 512 * number, 512, 60 + number) for number in range(0, 40, 3)])
    bed.finish()


def integrity_row(bed, active, algorithm):
    load_row(bed, active, 150, net={"data-integrity-alg": algorithm})


@row("integrity-crc32c")
def integrity_crc32c(bed, primary, secondary):
    """data-integrity-alg crc32c under load"""
    integrity_row(bed, primary, "crc32c")


@row("integrity-sha1")
def integrity_sha1(bed, primary, secondary):
    """data-integrity-alg sha1 under load"""
    integrity_row(bed, primary, "sha1")


@row("integrity-in-resync")
def integrity_in_resync(bed, source, target):
    """data-integrity-alg in a resync"""
    bed.seeded(source, net={"data-integrity-alg": "md5"})
    target.disconnect()
    source.wait(connection=ALONE, peer_disk=("DUnknown", "Outdated"))
    source.write([(12 * MIB, 2 * MIB, 12)])
    target.connect()
    bed.finish()


def refused(action, what):
    try:
        action()
    except (GuestError, Refused):
        return
    raise RowFailed(f"{what} was not refused")


@row("roles")
def roles(bed, first, second):
    """promote and demote from either side, in turns; a second primary is refused"""
    bed.synced(first)
    for turn in range(2):
        for one, other in ((first, second), (second, first)):
            if one.state()["role"] != "Primary":
                bed.promote(one)
            if turn == 0:
                refused(other.primary, f"a second primary ({other.name})")
            one.write([((7 * turn + 3) * MIB, 64 * 1024, turn * 2 + 1), (MIB, 4096, 10 * turn + len(one.name))])
            bed.demote(one)
            other.wait(peer_role="Secondary")
    bed.finish()


@row("discard")
def discard(bed, primary, secondary):
    """discards"""
    bed.seeded(primary)
    primary.discard(9 * MIB, MIB)
    primary.discard(40 * MIB, 4096 * 3)
    primary.write([(9 * MIB + 8192, 8192, 77)])
    bed.finish()
    for one in bed.sides:
        if any(one.image_bytes(40 * MIB + 12288)[40 * MIB:]):
            raise RowFailed(f"the discarded range is not zero on {one.name}")


@row("zeroes")
def zeroes(bed, primary, secondary):
    """write zeroes"""
    bed.seeded(primary)
    primary.zeroes(9 * MIB + 4096, MIB)
    primary.zeroes(40 * MIB, 512 * 3)
    bed.finish()
    for one in bed.sides:
        data = one.image_bytes(11 * MIB)
        if any(data[9 * MIB + 4096:10 * MIB + 4096]) or not any(data[9 * MIB:9 * MIB + 4096]):
            raise RowFailed(f"the zeroes are not where they belong on {one.name}")


@row("zeroes-with-integrity")
def zeroes_with_integrity(bed, primary, secondary):
    """discards and zeroes while digests are on"""
    bed.seeded(primary, net={"data-integrity-alg": "crc32c"})
    primary.zeroes(9 * MIB + 4096, MIB)
    primary.discard(40 * MIB, MIB)
    primary.write([(MIB, MIB, 31)])
    bed.finish()


@row("disconnect-in-writes")
def disconnect_in_writes(bed, primary, secondary):
    """the primary disconnects under load and comes back"""
    bed.synced(primary)
    primary.load_start(offset=0, length=bed.usable(), depth=4)
    bed.load_until(primary, 60)
    primary.disconnect()
    primary.wait(connection="StandAlone")
    bed.load_until(primary, 60)
    primary.connect()
    bed.in_step(60)
    bed.load_until(primary, 60)
    bed.finish(primary.load_stop())


@row("secondary-disconnects-in-writes")
def secondary_disconnects(bed, secondary, primary):
    """the secondary disconnects while its peer writes, and comes back"""
    bed.synced(primary)
    primary.load_start(offset=0, length=bed.usable(), depth=4)
    bed.load_until(primary, 60)
    secondary.disconnect()
    primary.wait(connection=ALONE)
    bed.load_until(primary, 60)
    secondary.connect()
    bed.in_step(60)
    bed.load_until(primary, 60)
    bed.finish(primary.load_stop())


@row("secondary-killed-in-writes")
def secondary_killed(bed, secondary, primary):
    """the secondary is killed while its peer writes, and comes back"""
    bed.synced(primary)
    primary.load_start(offset=0, length=bed.usable(), depth=4)
    bed.load_until(primary, 60)
    secondary.cut_power()
    primary.wait(25, connection=ALONE)
    bed.load_until(primary, 60)
    secondary.start_again()
    secondary.wait(20, connection=("SyncTarget", "Connected"))
    bed.load_until(primary, 60)
    bed.finish(primary.load_stop())


@row("crashed-primary")
def crashed_primary(bed, primary, secondary):
    """the primary is killed under load and comes back"""
    bed.synced(primary)
    primary.load_start(offset=8 * MIB, length=16 * MIB, depth=8)
    bed.load_until(primary, 80)
    primary.cut_power()
    secondary.wait(25, connection=ALONE)
    primary.start_again()
    bed.in_step(60)
    total = bed.bascule.state()["resync_total_bytes"]
    if not 4 * MIB <= total <= 24 * MIB:
        raise RowFailed(f"{total} bytes were resynced where 16 MiB were hot")
    bed.finish()


@row("crashed-primary-replaced")
def crashed_primary_replaced(bed, primary, secondary):
    """the primary is killed under load, its peer takes over and writes, the old primary comes back as target"""
    bed.synced(primary)
    primary.load_start(offset=8 * MIB, length=16 * MIB, depth=8)
    bed.load_until(primary, 80)
    primary.cut_power()
    secondary.wait(25, connection=ALONE)
    secondary.primary()
    secondary.wait(role="Primary")
    secondary.write([(30 * MIB, MIB, 30)])
    primary.start_again()
    bed.in_step(60)
    if not primary.was(connection="SyncTarget"):
        raise RowFailed("the old primary was never SyncTarget")
    bed.finish()


@row("detach-and-attach")
def detach(bed, primary, secondary):
    """the primary lets its disk go, reads and writes through its peer, and attaches again"""
    bed.seeded(primary)
    digest = primary.read_digest(9 * MIB, MIB)
    primary.detach()
    primary.wait(disk="Diskless")
    if primary.read_digest(9 * MIB, MIB) != digest:
        raise RowFailed("the peer's data is not what was written")
    primary.write([(20 * MIB, MIB, 20), (9 * MIB, 4096, 21)])
    primary.attach()
    bed.finish()


@row("secondary-detaches")
def secondary_detaches(bed, secondary, primary):
    """the secondary lets its disk go, misses writes, and attaches again"""
    bed.seeded(primary)
    secondary.detach()
    secondary.wait(disk="Diskless")
    primary.wait(peer_disk="Diskless")
    primary.write([(20 * MIB, MIB, 20), (9 * MIB, 4096, 21)])
    secondary.attach()
    bed.finish()


def broken_disk(bed, broken, writer):
    """The disk of one side fails under the writes of a primary, is mended, and attached again."""
    bed.seeded(writer, mapped=True)
    broken.break_disk(20 * MIB, MIB)
    writer.write([(20 * MIB, 64 * 1024, 1)])
    broken.wait(disk="Diskless")
    writer.write([(20 * MIB, MIB, 2), (2 * MIB, MIB, 3)])
    broken.mend_disk()
    broken.attach()
    bed.finish()


@row("primary-disk-fails")
def primary_disk_fails(bed, primary, secondary):
    """detach on I/O error: the primary's disk fails under a write, the application does not notice"""
    broken_disk(bed, primary, primary)


@row("secondary-disk-fails")
def secondary_disk_fails(bed, secondary, primary):
    """detach on I/O error: the secondary's disk fails under a write"""
    broken_disk(bed, secondary, primary)


@row("cable-cut-in-writes")
def cable_cut(bed, primary, secondary):
    """the network is cut under load, and comes back"""
    bed.synced(primary)
    primary.load_start(offset=0, length=bed.usable(), depth=4)
    bed.load_until(primary, 60)
    bed.cut_cable()
    primary.wait(25, connection=ALONE)
    bed.load_until(primary, 60)
    secondary.wait(25, connection=ALONE)
    bed.mend_cable()
    bed.in_step(60)
    bed.load_until(primary, 60)
    bed.finish(primary.load_stop())


TWO = {"net": {"allow-two-primaries": True}}


@row("two-primaries")
def two_primaries(bed, active, passive):
    """allow-two-primaries: both write, each to its own half"""
    bed.synced(active, **TWO)
    bed.promote(passive)
    half = bed.usable() // 8192 * 4096
    active.load_start(offset=0, length=half, depth=4, blocks_max=16)
    passive.load_start(offset=half, length=half, depth=4, blocks_max=16)
    for one in bed.sides:
        bed.load_until(one, 100)
    loads = [active.load_stop(), passive.load_stop()]
    bed.finish({"acknowledged": loads[0]["acknowledged"] + loads[1]["acknowledged"]})


@row("two-primaries-conflicts", both=False)
def conflicts(bed, active, passive):
    """allow-two-primaries: both write to the same few blocks

    Always whole blocks: over ranges that overlap in part two kernels lose count of their own barriers and part in a split brain.
    """
    bed.synced(active, **TWO)
    bed.promote(passive)
    for number, one in enumerate(bed.sides):
        one.load_start(offset=0, length=4 * 4096, depth=2, blocks_max=1, seed=5 + number)
    for one in bed.sides:
        bed.load_until(one, 60)
    for one in bed.sides:
        error = one.load_stop()["error"]
        if error:
            raise RowFailed(f"the load on {one.name} failed: {error}")
    bed.finish()


@row("diskless-primary-promoted")
def diskless_primary(bed, diskless, peer):
    """a node without a disk is promoted, writes through its peer, and attaches again"""
    bed.seeded(diskless)
    bed.demote(diskless)
    diskless.detach()
    diskless.wait(disk="Diskless")
    bed.promote(diskless)
    diskless.write([(30 * MIB, MIB, 30)])
    diskless.attach()
    bed.finish()
