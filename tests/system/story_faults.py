"""Several faults one after the other on one cluster: after each the client is served, nothing is lost, nobody answered
beside the owner; at the end the disks are compared. `story_faults.py --programs DIR --group quiet|owner|disk|web`."""

import argparse
import os
import random
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "tests", "harness"), os.path.join(ROOT, "tests", "story")]
from bascule_hosts import HostError, kernel, read_orders  # noqa: E402
from bascule_story import shop  # noqa: E402
from bascule_story.cluster import Cluster, StoryError  # noqa: E402
from bascule_story.faults import FAULTS, Stage  # noqa: E402
from bascule_story.judge import Figures, describe_failures  # noqa: E402
from bascule_story.timeline import Timeline  # noqa: E402

GROUPS = {
    "quiet": ("lamp", ["garbage", "witness", "secondary", "kill", "move", "restart-managers", "crash-managers",
                       "crash-blockd"]),
    "owner": ("lamp", ["death", "cut", "freeze"]),
    "disk": ("lamp", ["stale", "blackout"]),
    "links": ("web", ["one-link", "death"]),
    "web": ("web", ["death", "witness", "freeze"]),
}


# --- faults that only the tests play ----------------------------------------------------------------------------------

def send_from(cluster, name, kind, address, data):
    """Sends bytes out of a host's network namespace."""
    def enter_and_send():
        fd = os.open(f"/proc/{cluster.hosts[name].pid}/ns/net", os.O_RDONLY)
        here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            kernel.setns(fd, kernel.CLONE_NEWNET)
            with socket.socket(socket.AF_INET, kind) as sender:
                sender.settimeout(0.5)
                try:
                    sender.connect(address)
                    sender.sendall(data)
                except OSError:
                    pass  # refused or reset: as good as any answer
        finally:
            kernel.setns(here, kernel.CLONE_NEWNET)
            os.close(fd)
            os.close(here)
    enter_and_send()


def garbage(stage):
    """Nonsense on every port that the programs listen on: none of them may end, and the service goes on."""
    cluster = stage.cluster
    at_ns = kernel.boottime_ns()
    before = {name: cluster.hosts[name].programs() for name in shop_hosts(cluster)}
    chance = random.Random(7)
    for name in shop_hosts(cluster):
        address = cluster.hosts[name].address
        for size in (0, 1, 8, 16, 63, 200, 1400):
            data = bytes(chance.randrange(256) for _ in range(size))
            send_from(cluster, "client", socket.SOCK_DGRAM, (address, 7788), data)
            send_from(cluster, "client", socket.SOCK_STREAM, (address, 7789), data)
            # The magic and a length that promises more than comes.
            send_from(cluster, "client", socket.SOCK_STREAM, (address, 7789), b"\x83\x74\x02\x67\x00\x0b\xff\xff" + data)
        for path in ("/run/bascule/manager.sock", "/run/bascule/blockd.data.sock", "/run/bascule/nbd.data.sock"):
            to_unix_socket(cluster.hosts[name].path(path), bytes(chance.randrange(256) for _ in range(300)) + b"\n{\n")
    stage.run_on(1)
    after = {name: cluster.hosts[name].programs() for name in shop_hosts(cluster)}
    expect(before == after, f"a program ended over garbage: {before} -> {after}")
    stage.wait_answer(at_ns)
    stage.wait_resynced()


def to_unix_socket(path, data):
    if not os.path.exists(path):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sender:
        sender.settimeout(0.5)
        try:
            sender.connect(path)
            sender.sendall(data)
        except OSError:
            pass


def crash_managers(stage):
    """kill -9 of each manager in turn: the service is not touched."""
    cluster = stage.cluster
    at_ns = kernel.boottime_ns()
    owner = cluster.owner()
    starts = len(stage.timeline.find("step-started"))
    for name in ("carol", stage.other, owner):
        cluster.hosts[name].crash("managerd")
        cluster.wait_for(f"The manager of {name} is back", lambda name=name: cluster.status(name), 20)
        cluster.wait_for("The service is there", lambda: cluster.service_state().get("state") == "Started", 20)
    stage.wait_answer(kernel.boottime_ns())
    expect(cluster.owner() == owner, f"the service left {owner} for {cluster.owner()}")
    expect(len(stage.timeline.find("step-started")) == starts, "a step was started again")
    expect(not stage.timeline.find("service-stopped", at_ns), "the service was stopped")


def all_links_up(cluster):
    """As each node sees it; the kernel asks for a neighbour's address only once a second."""
    seen = [cluster.status(name) for name in shop_hosts(cluster)]
    return all(seen) and all(link["up"] for status in seen for node in status["nodes"] for link in node["links"])


def one_link(stage):
    """Each of the owner's two links goes down in its turn, only for the other nodes: that is told, and nothing else happens."""
    cluster, owner = stage.cluster, stage.hosts[stage.owner]
    at_ns = kernel.boottime_ns()
    for network in (1, 0):
        since_ns = kernel.boottime_ns()
        others = [stage.hosts[name] for name in shop_hosts(cluster) if name != stage.owner]
        if network == 1:
            owner.link_down(network)
        else:
            for other in others:  # the client is on this network as well
                cluster.world.cut(owner, other)
        cluster.wait_for("The loss of a link is told", lambda: stage.timeline.find("link-lost", since_ns), 20)
        stage.run_on(3)
        stage.wait_answer(kernel.boottime_ns())
        if network == 1:
            owner.link_up(network)
        else:
            for other in others:
                cluster.world.heal(owner, other)
        cluster.wait_for("Its return is told", lambda: stage.timeline.find("link-back", since_ns), 20)
        cluster.wait_for("All links are up", lambda: all_links_up(cluster), 20)
    for kind in ("node-lost", "service-held", "service-granted", "service-stopped"):
        expect(not stage.timeline.find(kind, at_ns), f"the loss of one link led to {kind}")


def restart_managers(stage):
    """Each manager is ended and started three seconds later: nothing is held, and the volume stays connected."""
    cluster = stage.cluster
    at_ns = kernel.boottime_ns()
    owner = cluster.owner()
    for name in ("carol", stage.other, owner):
        cluster.hosts[name].end("managerd")
        orders = len(stage.acknowledged().acknowledged)
        stage.run_on(3)
        expect(len(stage.acknowledged().acknowledged) > orders + 20, f"hardly any answer while {name} had no manager")
        cluster.start_manager(name)
        cluster.wait_for(f"The manager of {name} is back", lambda name=name: cluster.status(name), 20)
        cluster.wait_for("The service is there", lambda: cluster.service_state().get("state") == "Started", 20)
    expect(cluster.owner() == owner, f"the service left {owner} for {cluster.owner()}")
    for kind in ("service-held", "service-stopped", "in-sync-shrunk", "service-granted"):
        expect(not stage.timeline.find(kind, at_ns), f"a restart on purpose led to {kind}")


def crash_blockd(stage):
    """kill -9 of the secondary's blockd: the supervisor starts it again and the replicas meet."""
    stage.cluster.hosts[stage.other].crash("blockd")
    stage.wait_answer(kernel.boottime_ns())
    stage.wait_resynced()


def shop_hosts(cluster):
    return [name for name in cluster.hosts if name != "client"]


EXTRA = {"garbage": garbage, "one-link": one_link, "crash-managers": crash_managers, "restart-managers": restart_managers,
         "crash-blockd": crash_blockd}


# --- the run ------------------------------------------------------------------------------------------------------------

class Unexpected(Exception):
    pass


def expect(condition, what):
    if not condition:
        raise Unexpected(what)


def wait_orders(cluster, count):
    have = len(read_orders(cluster.orders_path).acknowledged)
    cluster.wait_for(f"{count} more answers", lambda: len(read_orders(cluster.orders_path).acknowledged) >= have + count,
                     60)


def play(cluster, timeline, fault):
    wait_orders(cluster, 200)
    stage = Stage(cluster, timeline, 1)
    start = time.monotonic()
    if fault in EXTRA:
        EXTRA[fault](stage)
        print(f"{fault:<15} ok, {time.monotonic() - start:.1f} s", flush=True)
        return None
    strike, come_back = FAULTS[fault]
    seen = strike(stage)
    come_back(stage, seen)
    figures = Figures(cluster, timeline, fault, seen)
    figures.from_client()
    figures.from_wire()
    figures.from_events()
    figures.from_resync()
    print(f"{fault:<15} {'ok' if figures.passed() else 'NOT AS PROMISED'}, {time.monotonic() - start:.1f} s: outage "
          f"{figures.values['outage_ms']} ms, detected after {figures.values['detection_ms']} ms, agents "
          f"{figures.values['agent_start_ms']}", flush=True)
    expect(figures.passed(), f"{fault}: {describe_failures(figures)} {figures.remarks}")
    return figures


def finish(cluster, timeline, last):
    cluster.stop_client()
    if cluster.service != "lamp":
        return
    figures = last or Figures(cluster, timeline, "none", type("Seen", (), {"verdicts": {}, "remarks": [], "fault_ns": 0})())
    figures.from_database(read_orders(cluster.orders_path))
    cluster.stop_service()
    figures.from_disks()
    print(f"orders {figures.values['acknowledged_rows']}, lost {figures.values['lost_rows']}, twice "
          f"{figures.values['duplicate_rows']}, identical {figures.values['replicas_identical']}", flush=True)
    expect(figures.passed(), f"at the end: {describe_failures(figures)} {figures.remarks}")


def run(options):
    service, faults = GROUPS[options.group]
    faults = options.faults or faults
    timeline = Timeline(quiet=not options.verbose)
    directory = os.path.join(ROOT, "out", f"test-{options.group}")
    cluster = Cluster(directory, options.programs, service, timeline, networks=2 if options.group == "links" else 1)
    passed = False
    try:
        cluster.make_hosts()
        cluster.start_everything()
        cluster.start_client()
        last = None
        for fault in faults:
            last = play(cluster, timeline, fault) or last
        finish(cluster, timeline, last)
        passed = True
    except (StoryError, HostError, Unexpected) as error:
        print(f"FAILED: {error}\nLogs: {os.path.relpath(cluster.world.logs, ROOT)}/")
        for entry in timeline.as_json()[-40:]:
            print(f"  {entry['at_ms']:10.1f} {entry['host']:<7} {entry['kind']:<18} {entry['text']}")
    finally:
        timeline.stop()
        cluster.close()
    left = cluster.world.footprint.leftovers()
    if left:
        print(f"left behind: {left}")
    return 0 if passed and not left else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True)
    parser.add_argument("--group", choices=GROUPS, required=True)
    parser.add_argument("--verbose", action="store_true", help="the timeline as it happens")
    parser.add_argument("faults", nargs="*", help="instead of the group's")
    options = parser.parse_args()
    if os.geteuid() != 0 or not shop.has_php():
        print("needs root and Debian's Apache, PHP and MariaDB: skipped")
        return 77
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
