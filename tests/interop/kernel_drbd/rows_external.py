"""Metadata on a device of their own: `meta-disk /dev/x;` and `meta-disk /dev/x[1];`."""

from . import side
from .rows import row
from .rows_sync import ALONE, SLOW, full_sync, under_way
from .side import RowFailed

MIB = 1 << 20


def flexible(bed):
    return {bed.bascule: "flex-external"}


@row("external-metadata", quick=True)
def external(bed, source, target):
    """ours are external: full sync, the target is killed in its middle and comes back"""
    full_sync(bed, source, external=flexible(bed), **SLOW)
    expected = source.image_bytes(bed.usable())
    under_way(bed)
    target.cut_power()
    source.wait(20, connection=ALONE)
    target.start_again()
    bed.finish()
    if target.image_bytes(bed.usable()) != expected:
        raise RowFailed("the source's contents changed")


@row("external-metadata-crashed-primary")
def crashed_primary(bed, primary, secondary):
    """ours are external in an indexed piece: the primary is killed under load and comes back"""
    bed.synced(primary, external={bed.bascule: "1"})
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


@row("external-metadata-on-both")
def on_both(bed, primary, secondary):
    """external on both: writes, the primary detaches and attaches under load, bitmap resync"""
    bed.seeded(primary, external={bed.bascule: "flex-external", bed.kernel: "flex-external"})
    primary.load_start(offset=8 * MIB, length=16 * MIB, depth=4)
    bed.load_until(primary, 40)
    primary.detach()
    primary.wait(disk="Diskless")
    bed.load_until(primary, 40)
    primary.attach()
    bed.in_step()
    load = primary.load_stop()
    secondary.disconnect()
    primary.wait(connection=ALONE, peer_disk=("DUnknown", "Outdated"))
    primary.write([(33 * MIB + 4096, 12 * 4096, 8)])
    secondary.connect()
    bed.finish(load)


@row("external-metadata-resize")
def resize(bed, active, passive):
    """ours are external: both disks grow, the active side resizes, the metadata stay where they are"""
    bed.seeded(active, mapped=True, external=flexible(bed))
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


@row("external-metadata-fails", both=False)
def fails(bed, secondary, primary):
    """our metadata device fails under a write of ours: detach on I/O error, the application does not notice"""
    bed.seeded(primary, mapped=True, external=flexible(bed))
    primary.break_metadata()
    primary.write([(20 * MIB, 64 * 1024, 1)])  # cold: it waits for the activity log
    primary.wait(disk="Diskless")
    primary.write([(20 * MIB, MIB, 2), (2 * MIB, MIB, 3)])
    primary.mend_disk()
    primary.attach()
    secondary.in_step()
    bed.finish()
