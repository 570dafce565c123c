"""A run between two nodes is captured, and Wireshark's own DRBD dissector must understand every packet of it: handshake,
initial sync, writes, a cut, the bitmap exchange and the resync. `wire_decode.py --programs DIR`."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "harness"), os.path.join(ROOT, "tests", "story")]
from bascule_hosts import HostError  # noqa: E402
from bascule_story.cluster import Cluster, StoryError  # noqa: E402
from bascule_story.judge import compare_files  # noqa: E402
from bascule_story.timeline import Timeline  # noqa: E402

VOLUME_BYTES = 64 << 20
# What such a run must contain; else the capture proves nothing.
EXPECTED = {0x00: "P_DATA", 0x03: "P_BARRIER", 0x0B: "P_PROTOCOL", 0x0C: "P_UUIDS", 0x0D: "P_SIZES", 0x0E: "P_STATE",
            0x0F: "P_SYNC_UUID", 0x13: "P_PING", 0x14: "P_PING_ACK", 0x16: "P_WRITE_ACK", 0x1C: "P_BARRIER_ACK"}
SEVERITY_ERROR = 0x800000

def write(cluster, device, mebibytes, skip):
    cluster.hosts["alice"].run(["dd", "if=/dev/urandom", f"of={device}", "bs=64k", f"count={mebibytes * 16}",
                                f"seek={skip * 16}", "oflag=direct", "conv=fsync,notrunc", "status=none"])


def run_and_capture(cluster):
    alice, bob = cluster.hosts["alice"], cluster.hosts["bob"]
    capture = os.path.join(cluster.directory, "alice", "srv", "run.pcapng")
    tshark = alice.start(["tshark", "-q", "-i", "eth0", "-B", "64", "-f", "tcp port 7789", "-w", "/srv/run.pcapng"])
    cluster.wait_for("The capture begins", lambda: os.path.exists(capture), 20)
    cluster.start_all_programs()
    cluster.wait_connected()
    device = cluster.volume_primary("alice")
    write(cluster, device, 8, 0)
    cluster.wait_in_sync("initial sync")
    cluster.world.cut(alice, bob)
    cluster.wait_for("Alice goes on alone", lambda: cluster.volume_state().get("in_sync") == ["alice"], 20)
    write(cluster, device, 8, 16)
    cluster.world.heal(alice, bob)
    cluster.wait_in_sync("resync")
    write(cluster, device, 2, 40)
    cluster.volume_secondary("alice")
    time.sleep(0.5)  # what is on the wire now has been captured then; tshark says no more about it
    alice.run(["kill", "-INT", str(tshark.pid)])
    tshark.wait(30)
    different = compare_files(cluster.backing_path("alice"), cluster.backing_path("bob"), VOLUME_BYTES)
    return capture, different


def fields(capture, condition, *names):
    command = ["tshark", "-r", capture, "--enable-heuristic", "drbd_tcp", "-Y", condition, "-T", "fields"]
    for name in names:
        command += ["-e", name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def decode(capture):
    """(how often each command was seen, lines about frames that the dissector did not understand)."""
    # What TCP sends again when the link is cut is TCP's affair: those frames repeat bytes that were decoded before.
    again = "tcp.analysis.retransmission || tcp.analysis.fast_retransmission || tcp.analysis.out_of_order"
    bad = fields(capture, f"(_ws.malformed || (drbd && _ws.expert.severity == {SEVERITY_ERROR}) || "
                 f"(tcp.port == 7789 && data)) && !({again})", "frame.number", "_ws.col.Info", "_ws.expert.message")
    seen = Counter()
    for line in fields(capture, "drbd", "drbd.command"):
        seen.update(int(word, 16) for word in line.split(","))
    return seen, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True)
    options = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("tshark"):
        print("needs root and tshark: skipped")
        return 77
    timeline = Timeline(quiet=True)
    cluster = Cluster(os.path.join(ROOT, "out", "test-wire"), options.programs, "volume", timeline)
    failed = []
    try:
        cluster.make_hosts()
        capture, different = run_and_capture(cluster)
        seen, bad = decode(capture)
        print({EXPECTED.get(command, hex(command)): count for command, count in sorted(seen.items())})
        failed += [f"{different} blocks differ"] if different else []
        failed += [f"not understood: {line}" for line in bad[:10]]
        failed += [f"no {name} in the capture" for command, name in EXPECTED.items() if not seen[command]]
        if failed:
            shutil.copy(capture, cluster.world.logs)
    except (StoryError, HostError) as error:
        failed.append(str(error))
    finally:
        timeline.stop()
        cluster.close()
    print("\n".join(failed) or "ok")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
