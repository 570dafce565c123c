"""ext4 with a running database on the volume."""

from .rows import row
from .rows_io import ALONE
from .side import RowFailed


def whole(one, committed):
    wrong = one.database_check(committed)
    if wrong:
        raise RowFailed(f"the database on {one.name}: {wrong}")


def stop(one, expect_error=False):
    done = one.database_stop()
    if done["error"] and not expect_error:
        raise RowFailed(f"the database on {one.name} failed: {done['error']}")
    return done["committed"]


@row("database", quick=False)
def on_both(bed, first, second):
    """ext4 with a database on the first, which loses and gets back its peer; then on the second, and back again"""
    bed.synced(first)
    first.make_file_system()
    first.mount()
    first.database_start()
    bed.commits(first, 10)
    second.disconnect()
    first.wait(connection=ALONE)
    bed.commits(first, 10)
    second.connect()
    bed.in_step(60)
    bed.commits(first, 10)
    committed = stop(first)
    for old, new in ((first, second), (second, first)):
        old.unmount()
        bed.demote(old)
        bed.promote(new)
        new.mount()
        whole(new, committed)
        new.database_start()
        bed.commits(new, 10)
        committed = stop(new)
    first.unmount()
    bed.finish()


@row("database-power-cut")
def power_cut(bed, primary, secondary):
    """the primary is killed while its database commits; the secondary has every committed entry"""
    bed.synced(primary)
    primary.make_file_system()
    primary.mount()
    primary.database_start()
    bed.commits(primary, 30)
    committed = primary.database_commits()
    primary.cut_power()
    secondary.wait(25, connection=ALONE)
    secondary.primary()
    secondary.wait(role="Primary")
    secondary.mount()
    whole(secondary, committed)
    secondary.database_start()
    bed.commits(secondary, 10)
    primary.start_again()
    bed.in_step(60)
    committed = stop(secondary)
    whole(secondary, committed)
    secondary.unmount()
    bed.finish()


