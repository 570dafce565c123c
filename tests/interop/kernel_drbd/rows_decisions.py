"""Authentication, and who wins after a split brain."""

import time

from .rows import row
from .side import RowFailed

MIB = 1 << 20
TRYING = ("Unconnected", "WFConnection", "WFReportParams")
ALONE = ("WFConnection", "Unconnected", "StandAlone")


@row("authentication")
def authentication(bed, active, passive):
    """the same secret on both sides"""
    bed.synced(active, net={"cram-hmac-alg": "sha1", "shared-secret": "our little secret"})
    active.write([(MIB, MIB, 1)])
    bed.finish()


def becomes_alone(one, since, seconds=20):
    """It tried, and is StandAlone because of that."""
    one.wait_for(lambda state: state.get("connection") == "StandAlone" and one.was(since, connection=TRYING),
                 "StandAlone after it tried", seconds)


def both_connected(bed):
    """The kernel takes the first generation without a sync only when it is Connected, too."""
    for one in bed.sides:
        one.wait(20, connection="Connected")


@row("authentication-wrong")
def authentication_wrong(bed, active, passive):
    """different secrets: StandAlone; with the right one they connect"""
    net = {"cram-hmac-alg": "sha256", "shared-secret": "right"}
    bed.prepare(net=net, only_on={active: {"net": {"shared-secret": "wrong"}}})
    since = bed.up()
    for one in bed.sides:
        becomes_alone(one, since)
    for one in bed.sides:
        one.down()
    active.reconfigure(passive.options)
    bed.up()
    both_connected(bed)
    passive.new_current_uuid(clear_bitmap=True)
    bed.finish()


@row("authentication-missing")
def authentication_missing(bed, active, passive):
    """only the active side asks for authentication: they do not connect"""
    bed.prepare(only_on={active: {"net": {"cram-hmac-alg": "sha1", "shared-secret": "right"}}})
    since = bed.up()
    becomes_alone(active, since, 25)
    if any(one.was(connection="Connected") for one in bed.sides):
        raise RowFailed("they connected")
    for one in bed.sides:
        one.down()
    passive.reconfigure(active.options)
    bed.up()
    both_connected(bed)
    active.new_current_uuid(clear_bitmap=True)
    bed.finish()


@row("protocol-differs")
def protocol_differs(bed, active, passive):
    """protocol C meets protocol A: they do not connect"""
    bed.prepare(only_on={active: {"net": {"protocol": "A"}}})
    stays_split(bed, bed.up())
    for one in bed.sides:
        one.down()
    active.reconfigure(passive.options)
    bed.up()
    both_connected(bed)
    active.new_current_uuid(clear_bitmap=True)
    bed.finish()


def split(bed, elder, younger, elder_writes=4, younger_writes=2, primaries=(), **options):
    """Both were Primary alone, the elder first; those of `primaries` still are when they meet again."""
    bed.synced(elder, **options)
    elder.write([(0, MIB, 1)])
    younger.disconnect()
    younger.wait(connection="StandAlone")
    elder.wait(connection=ALONE)
    if elder.state()["connection"] != "StandAlone":
        elder.disconnect()
        elder.wait(connection="StandAlone")
    if elder_writes:
        elder.write([(10 * MIB, elder_writes * MIB, 2)])
    if elder not in primaries:
        bed.demote(elder)
    bed.promote(younger)
    if younger_writes:
        younger.write([(12 * MIB, younger_writes * MIB, 3)])
    if younger not in primaries:
        bed.demote(younger)


def meet(bed, **on_connect):
    """Both look for each other; returns since when."""
    since = time.monotonic()
    for one in bed.sides:
        one.connect(**on_connect.get(one.name, {}))
    return since


def stays_split(bed, since):
    """Nobody decides: they met, one or both end StandAlone, and neither is Connected."""
    bed.bascule.wait_for(lambda state: any(one.state().get("connection") == "StandAlone" and
                                           one.was(since, connection="WFReportParams") for one in bed.sides) and
                         not any(one.was(since, connection=("Connected", "SyncSource", "SyncTarget")) for one in bed.sides),
                         "apart from its peer", 20)


def decide_by_hand(bed, loser):
    for one in bed.sides:
        if one.state()["connection"] != "StandAlone":
            one.disconnect()
        one.wait(connection="StandAlone")
        if one.state()["role"] == "Primary" and one is loser:
            bed.demote(one)
    expect_winner(bed, loser, {loser.name: {"discard_my_data": True}})


def expect_winner(bed, loser, on_connect=None):
    """They connect, the loser becomes SyncTarget, and everything is equal to the winner's."""
    winner = bed.other(loser)
    expected = winner.image_bytes(bed.usable())
    since = meet(bed, **(on_connect or {}))
    loser.wait_for(lambda state: loser.was(since, connection="SyncTarget"), "SyncTarget", 20)
    bed.finish()
    if loser.image_bytes(bed.usable()) != expected:
        raise RowFailed(f"{winner.name} was to win")


@row("split-brain-disconnect")
def policy_disconnect(bed, elder, younger):
    """after-sb-0pri disconnect: they stay apart until discard-my-data is said"""
    split(bed, elder, younger, net={"after-sb-0pri": "disconnect"})
    stays_split(bed, meet(bed))
    decide_by_hand(bed, younger)


# after-sb-0pri: (options of the split, who loses)
ZERO_PRIMARIES = {
    "discard-younger-primary": ({}, "younger"),
    "discard-older-primary": ({}, "elder"),
    "discard-zero-changes": ({"younger_writes": 0}, "younger"),
    "discard-least-changes": ({}, "younger"),
}
# after-sb-1pri while the younger is Primary: (after-sb-0pri, who loses; None: nobody)
ONE_PRIMARY = {
    "disconnect": ("discard-older-primary", None),
    "consensus": ("discard-older-primary", "elder"),
    "discard-secondary": ("disconnect", "elder"),
    "violently-as0p": ("discard-older-primary", "elder"),
    "call-pri-lost-after-sb": ("discard-older-primary", "elder"),
}


def zero_primaries_row(policy, options, loser):
    def run(bed, elder, younger):
        split(bed, elder, younger, net={"after-sb-0pri": policy}, **options)
        expect_winner(bed, {"elder": elder, "younger": younger}[loser])
    run.__doc__ = f"after-sb-0pri {policy}: the {loser} loses"
    row(f"split-brain-{policy}")(run)


def one_primary_row(policy, zero_policy, loser):
    def run(bed, elder, younger):
        split(bed, elder, younger, net={"after-sb-0pri": zero_policy, "after-sb-1pri": policy}, primaries=(younger,))
        if loser is not None:
            expect_winner(bed, {"elder": elder, "younger": younger}[loser])
            return
        stays_split(bed, meet(bed))
        decide_by_hand(bed, elder)
    run.__doc__ = f"after-sb-1pri {policy}: " + (f"the {loser} loses" if loser else "they stay apart")
    row(f"split-brain-1pri-{policy}")(run)


for _policy, (_options, _loser) in ZERO_PRIMARIES.items():
    zero_primaries_row(_policy, _options, _loser)
for _policy, (_zero, _loser) in ONE_PRIMARY.items():
    one_primary_row(_policy, _zero, _loser)


@row("split-brain-discard-local")
def discard_local(bed, loser, winner):
    """after-sb-0pri discard-local here meets discard-remote there: the active side loses"""
    split(bed, loser, winner, net={"after-sb-0pri": "discard-remote"},
          only_on={loser: {"net": {"after-sb-0pri": "discard-local"}}})
    expect_winner(bed, loser)


@row("split-brain-1pri-consensus-fails")
def consensus_fails(bed, elder, younger):
    """after-sb-1pri consensus where 0pri would discard the primary: they stay apart"""
    split(bed, elder, younger, net={"after-sb-0pri": "discard-younger-primary", "after-sb-1pri": "consensus"},
          primaries=(younger,))
    stays_split(bed, meet(bed))
    decide_by_hand(bed, elder)


@row("split-brain-two-primaries")
def two_primaries(bed, elder, younger):
    """after-sb-2pri disconnect: two primaries stay apart; one is demoted and loses"""
    split(bed, elder, younger, net={"after-sb-0pri": "discard-older-primary"}, primaries=(elder, younger))
    stays_split(bed, meet(bed))
    decide_by_hand(bed, younger)


@row("unrelated-data")
def unrelated(bed, active, passive):
    """two disks that never met, each with data: they stay apart"""
    bed.prepare()
    for one in bed.sides:
        one.plant(5 * MIB, one.name.encode() * 100)
        one.up()
        one.disconnect()
        one.wait(connection="StandAlone")
        one.primary(force=True)
        one.wait(role="Primary")
        bed.demote(one)
    stays_split(bed, meet(bed))
    for one in bed.sides:
        one.down()
    active.wipe()
    since = bed.up()
    active.wait_for(lambda state: active.was(since, connection="SyncTarget"), "SyncTarget", 20)
    bed.finish()


