"""Plays the story of the first failover and measures it. Started by ./demo, which checks and builds before."""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "harness"), HERE]
from bascule_hosts import HostError, read_orders  # noqa: E402
from bascule_story.cluster import Cluster, StoryError  # noqa: E402
from bascule_story.faults import FAULTS, NEEDS_VOLUME, Stage  # noqa: E402
from bascule_story.judge import Figures, describe_failures  # noqa: E402
from bascule_story.timeline import Timeline  # noqa: E402

ORDERS_BEFORE_FAULT = 250
STORY = {
    "death": "alice dies", "cut": "alice is cut off", "freeze": "alice freezes", "kill": "a daemon is killed",
    "move": "the service is moved", "secondary": "bob dies", "witness": "carol dies", "blackout": "all die, twice",
    "stale": "alice and bob lose each other, then alice dies",
}


def arguments(argv):
    parser = argparse.ArgumentParser(prog="./demo", description="Two servers, one disk, a shop on top, and one of the "
                                     "servers dies: the story, in network namespaces of this one machine.")
    parser.add_argument("--yes", action="store_true", help="install missing packages of Debian without asking")
    parser.add_argument("--fault", choices=FAULTS, default="death", help="what happens (default: %(default)s)")
    parser.add_argument("--service", choices=("lamp", "web"), default="lamp",
                        help="lamp: file system, address, MariaDB, Apache with PHP; web: address and Apache, no disk")
    parser.add_argument("--seconds", type=float, default=3, metavar="S",
                        help="how long the client posts before and after the fault, at least (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also write the figures")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up afterwards, in the background")
    parser.add_argument("--enter", metavar="HOST",
                        help="a shell inside a host of the cluster that was kept; what follows is run instead")
    parser.add_argument("--stop", action="store_true", help="take down the cluster that was kept")
    parser.add_argument("--programs", default=os.path.join(ROOT, "build/release/bin"), help=argparse.SUPPRESS)
    parser.add_argument("--directory", default=os.path.join(ROOT, "out/demo"), help=argparse.SUPPRESS)
    parser.add_argument("--quiet", action="store_true", help="no timeline, only the table")
    parser.add_argument("--only-parse", action="store_true", help=argparse.SUPPRESS)
    command = []
    if "--enter" in argv:
        at = argv.index("--enter")
        argv, command = argv[:at + 2], argv[at + 2:]
    options = parser.parse_args(argv)
    options.command = command
    return options


# --- the cluster that was kept --------------------------------------------------------------------------------------

def kept_path(options):
    return os.path.join(options.directory, "kept.json")


def kept(options):
    """What an earlier --keep left, if its keeper still lives."""
    try:
        with open(kept_path(options)) as file:
            found = json.load(file)
        with open(f"/proc/{found['keeper']}/cmdline") as file:
            return found if "keeper.py" in file.read() else None
    except (OSError, ValueError):
        return None


def stop_kept(options):
    found = kept(options)
    if found is None:
        print("There is no cluster to stop.")
        return 0
    os.kill(found["keeper"], signal.SIGTERM)
    end = time.monotonic() + 30
    while os.path.exists(f"/proc/{found['keeper']}") and time.monotonic() < end:
        time.sleep(0.05)
    subprocess.run(["rm", "-rf", *(os.path.join(options.directory, name) for name in found["hosts"]),
                    kept_path(options)], check=False)
    print("The cluster is gone.")
    return 0


def enter_kept(options):
    found = kept(options)
    if found is None:
        print("./demo: there is no cluster; ./demo --keep leaves one up.", file=sys.stderr)
        return 2
    if options.enter not in found["hosts"]:
        print(f"./demo: the hosts are {', '.join(found['hosts'])}.", file=sys.stderr)
        return 2
    environment = {**os.environ, "PATH": f"{options.programs}:{os.environ.get('PATH', '')}",
                   "PS1": f"{options.enter}# ", "debian_chroot": options.enter}
    command = options.command or ["bash", "--norc"]
    os.execvpe("nsenter", ["nsenter", "-t", str(found["hosts"][options.enter]), "-m", "-n", "-p", "-u", "-i", "--",
                           *command], environment)
    return 1


def keep(options, cluster):
    with open(kept_path(options), "w") as file:
        json.dump({"keeper": cluster.world.keeper_pid, "cgroup": cluster.world.cgroup,
                   "hosts": {name: host.pid for name, host in cluster.hosts.items()}}, file)
    cluster.world.stay()
    print("The cluster stays up. Look at it:\n"
          "  ./demo --enter alice bascule status     on alice, bob or carol\n"
          "  ./demo --enter bob                      a shell\n"
          "  ./demo --enter client curl -d id=me http://10.77.0.10/order.php\n"
          f"  {os.path.relpath(cluster.world.logs, ROOT)}/                       what every program says\n"
          "  ./demo --stop                           takes it down")


# --- the story --------------------------------------------------------------------------------------------------------

def load(cluster, timeline, seconds):
    """The client posts until it has enough answers."""
    cluster.start_client()
    timeline.say("the client posts as fast as it is answered" if cluster.service == "lamp" else
                 "the client asks as fast as it is answered", "client")
    start = time.monotonic()
    cluster.wait_for("The client is answered", lambda: time.monotonic() - start >= seconds and len(
        read_orders(cluster.orders_path).acknowledged) >= ORDERS_BEFORE_FAULT, 90)
    count = len(read_orders(cluster.orders_path).acknowledged)
    timeline.say(f"{count} {'orders are acknowledged' if cluster.service == 'lamp' else 'requests are answered'}",
                 "client")


def play(options, cluster, timeline):
    timeline.say("three hosts and a client: alice and bob with a disk each, carol has the deciding vote")
    cluster.make_hosts()
    cluster.start_everything()
    load(cluster, timeline, options.seconds)
    strike, come_back = FAULTS[options.fault]
    stage = Stage(cluster, timeline, options.seconds)
    seen = strike(stage)
    come_back(stage, seen)
    cluster.stop_client()
    timeline.say("the check: every acknowledged order, the database, the file system, the replicas, the wire")
    figures = Figures(cluster, timeline, options.fault, seen)
    orders = figures.from_client()
    figures.from_database(orders)
    figures.from_wire()
    cluster.stop_service()
    figures.from_disks()
    figures.from_events()
    return figures


def one_story(options):
    timeline = Timeline(options.quiet)
    cluster = Cluster(options.directory, options.programs, options.service, timeline)
    kept_up = False
    try:
        figures = play(options, cluster, timeline)
        if options.keep:
            cluster.bascule("alice", "start", "shop")
            cluster.wait_started(60)
            kept_up = True
    finally:
        timeline.stop()
        try:
            cluster.keep_logs()
        finally:
            if kept_up:
                keep(options, cluster)
            cluster.world.close()
            if not kept_up:
                cluster.remove_disks()
    return figures, [] if kept_up else cluster.world.footprint.leftovers()


def report(options, figures):
    print(f"\n{STORY[options.fault]} ({options.service})\n\n{figures.table()}\n")
    for remark in figures.remarks:
        print(f"  {remark}")
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures.as_json(), file, indent=1)
            file.write("\n")
    if not figures.passed():
        print(f"\nNot as promised: {'; '.join(describe_failures(figures))}.")
        return 1
    return 0


def interrupt(number, _frame):
    raise SystemExit(128 + number)


def main():
    options = arguments(sys.argv[1:])
    if options.enter and not options.only_parse:
        return enter_kept(options)
    if options.stop and not options.only_parse:
        return stop_kept(options)
    if options.service == "web" and options.fault in NEEDS_VOLUME:
        print(f"./demo: --fault {options.fault} is about the disk, and --service web has none.", file=sys.stderr)
        return 2
    if kept(options) and not (options.stop or options.enter):
        print("./demo: a cluster of an earlier ./demo --keep is up; ./demo --stop takes it down.", file=sys.stderr)
        return 2
    if options.only_parse:
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it ignored
    os.makedirs(options.directory, exist_ok=True)
    with open(options.directory.rstrip("/") + ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("./demo: another ./demo is running in this checkout.", file=sys.stderr)
            return 2
        try:
            figures, left = one_story(options)
        except (HostError, StoryError) as error:
            print(f"\n./demo: the story stopped: {error}\nThe logs are in "
                  f"{os.path.relpath(os.path.join(options.directory, 'logs'), ROOT)}/.", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nInterrupted; everything is taken down.", file=sys.stderr)
            return 130
        code = report(options, figures)
        if left:
            print("Left behind: " + "; ".join(left), file=sys.stderr)
            return 1
        return code


if __name__ == "__main__":
    sys.exit(main())
