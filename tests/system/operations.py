"""What an administrator does on a working day, on three hosts with the real programs: maintenance, restart in place, drain,
move, the stop of everything over a power failure, and the history of it. `operations.py --programs DIR`."""

import sys
import time

from chapters import arguments, asked, expect, history, play, told
from bascule_story.cluster import ADDRESSES, Cluster

DUMMY = "/run/shop.dummy"


def prepare(cluster):
    cluster.start_all_programs()
    cluster.wait_connected()
    device = cluster.volume_primary("alice")
    cluster.hosts["alice"].run(["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", device])
    cluster.wait_in_sync("initial sync")
    cluster.volume_secondary("alice")
    cluster.bascule("alice", "start", "shop")
    cluster.wait_started(30, on="alice")


def maintenance(cluster):
    alice = cluster.hosts["alice"]
    asked(cluster, "bob", "maintenance", "on", "--service", "shop", "--for", "1h", "--reason", "new release")
    first = cluster.bascule("carol", "status").out
    expect("Maintenance of shop by " in first and "new release" in first, f"status does not show it: {first}")
    began = int(time.time() * 1000)
    alice.run(["rm", DUMMY])
    cluster.wait_for("The missing step is told", lambda: told(cluster, "step-failed", began - 1000), 15)
    time.sleep(3)
    expect(alice.run(["test", "-e", DUMMY], check=False).code != 0, "it was started again in maintenance")
    refused = cluster.bascule("bob", "move", "shop", check=False)
    expect(refused.code == 1 and "bascule maintenance off --service shop" in refused.err, f"not refused: {refused.err}")
    alice.run(["touch", DUMMY])  # the administrator has done it by hand
    asked(cluster, "carol", "maintenance", "off", "--service", "shop")
    cluster.wait_started(15, on="alice")
    time.sleep(2)
    expect(not told(cluster, "step-stopped", began), "what ran was stopped when maintenance was over")
    asked(cluster, "carol", "maintenance", "on", "--for", "2s")
    cluster.wait_for("It ends by itself", lambda: not cluster.any_status().get("maintenance"), 15)
    cluster.wait_started(15, on="alice")  # everything is probed once


def restart(cluster):
    done = asked(cluster, "bob", "restart", "shop", "--step", "Dummy")
    expect([step["name"] for step in done["steps"]] == ["Dummy"], f"other steps: {done}")
    done = asked(cluster, "carol", "restart", "--all")
    expect(done["restarted"] and len(done["steps"]) == 3, f"not restarted: {done}")
    print(f"restart of all: {done['duration_ms']} ms {done['steps']}")


def unmounted_by_hand(cluster):
    """The kernel tells: its monitor's interval of 10 s is not waited for. By the history: it may be back before one can look."""
    began = int(time.time() * 1000)
    cluster.hosts["alice"].run(["umount", "-l", "/srv/shop"])
    cluster.wait_for("The mount is missed", lambda: told(cluster, "step-failed", began), 5)
    cluster.wait_for("It runs again", lambda: told(cluster, "service-started", began), 20)
    cluster.wait_started(20, on="alice")
    cluster.hosts["alice"].run(["mountpoint", "-q", "/srv/shop"])
    missed, back = told(cluster, "step-failed", began)[0], told(cluster, "service-started", began)[-1]
    expect(missed["fields"]["step"] == "mount", f"another step is missed: {missed}")
    print(f"unmounted by hand: missed after {missed['wall_ms'] - began} ms, back after {back['wall_ms'] - began} ms")


def moves(cluster):
    """A move costs the agents' own stop and start times and little more, by the nodes' own events (one clock here)."""
    for to in ("bob", "alice"):
        began = time.time() * 1000
        asked(cluster, "carol", "move", "shop", "--to", to)
        events = history(cluster, "carol", "--since", "1min")
        mine = [one for one in events if one["wall_ms"] >= began - 5]
        moved = next(one["wall_ms"] for one in mine if one["kind"] == "move")
        started = next(one["wall_ms"] for one in mine if one["kind"] == "service-started")
        agents = sum(int(one["fields"]["ms"]) for one in mine if one["kind"] in ("step-stopped", "step-started"))
        steps = {f"{one['kind'][5:]} {one['fields']['step']}": int(one["fields"]["ms"])
                 for one in mine if one["kind"] in ("step-stopped", "step-started")}
        print(f"move to {to}: {started - moved} ms, of which the steps {agents} ms {steps}")
        expect(started - moved < agents + 1500, "a move takes much longer than its steps")
        cluster.wait_in_sync("resync", 30)


def manager_killed_while_the_disk_waits(cluster):
    """Cut off, alice unmounts a disk whose writes are held. Who waits for that cannot be killed; her manager can, and the
    next one is there before the lease is missed."""
    alice, began = cluster.hosts["alice"], int(time.time() * 1000)
    alice.run(["sh", "-c", "echo not flushed > /srv/shop/note"])
    alice.link_down()

    def unmounting():
        return "D bascule-mount" in alice.run(["ps", "-eo", "state=,comm="]).out
    cluster.wait_for("The unmount waits", unmounting, 20, 0.05)
    killed = time.monotonic()
    alice.crash("managerd")
    expect(time.monotonic() - killed < 5, "the manager could not be killed")
    cluster.wait_for("The next manager answers", lambda: cluster.bascule("alice", "status", check=False).out, 10)
    alice.link_up()
    cluster.wait_started(30)
    cluster.wait_in_sync("alice is back", 60)
    expect(told(cluster, "service-granted", began), "nobody took over")
    asked(cluster, "carol", "move", "shop", "--to", "alice")
    cluster.wait_in_sync("moved back", 30)


def the_only_complete_copy_cannot_start(cluster):
    """The other copy is brought up to date without an owner, joins the set, and the service starts there."""
    cluster.hosts["bob"].kill()
    cluster.wait_for("alice goes on alone", lambda: cluster.volume_state().get("in_sync") == ["alice"], 30)
    asked(cluster, "carol", "stop", "shop")
    began = int(time.time() * 1000)
    cluster.hosts["alice"].run(["ln", "-s", "/nowhere/shop.dummy", DUMMY])  # the agent cannot write there
    cluster.hosts["carol"].start([cluster.program("bascule"), "start", "shop"], cluster.environment).abandon()
    cluster.wait_for("The start failed on alice", lambda: told(cluster, "service-failed", began), 30)
    cluster.wait_for("Nobody has the volume", lambda: not cluster.volume_state().get("owner"), 30)
    cluster.boot("bob")
    cluster.wait_started(60, on="bob")
    grown = told(cluster, "in-sync-grown", began)
    granted = [one for one in told(cluster, "service-granted", began) if "goes to bob" in one["text"]]
    expect(grown and granted and grown[0]["index"] < granted[0]["index"], "bob was given the volume before he joined")
    cluster.hosts["alice"].run(["rm", DUMMY])
    asked(cluster, "carol", "clear", "shop")
    asked(cluster, "carol", "move", "shop", "--to", "alice")
    cluster.wait_started(30, on="alice")
    cluster.wait_in_sync("moved back", 30)


def drain(cluster):
    done = asked(cluster, "carol", "drain", "alice")
    expect(done["drained"] and done["safe_to_power_off"], f"not safe: {done}")
    expect(cluster.owner() == "bob", "the service is not on bob")
    cluster.hosts["alice"].kill()
    done = asked(cluster, "carol", "drain", "bob", "--timeout", "2", code=4)
    expect(cluster.owner() == "bob", "it left although nobody else can have it")
    asked(cluster, "carol", "online", "bob")
    cluster.boot("alice")
    asked(cluster, "carol", "online", "alice")
    cluster.wait_in_sync("alice is back", 60)


def history_of_a_dead_node(cluster):
    cluster.hosts["alice"].kill()
    done = cluster.bascule("bob", "history", "--node", "alice")
    expect("could not be asked" in done.err and "alice" in done.err, f"alice is not named: {done.err}")
    expect("step-started" in done.out, "what alice told is not on bob")
    cluster.hosts["bob"].run(["true"])
    cluster.boot("alice")
    cluster.wait_in_sync("alice is back", 60)
    order = [one["index"] for one in history(cluster, "alice") if "index" in one]
    expect(order == sorted(order) and len(order) == len({(one["index"], one["text"]) for one in history(
        cluster, "alice") if "index" in one}), "what was agreed is not in its order, or told twice")


def stop_of_everything(cluster):
    asked(cluster, "bob", "stop", "--all")
    expect(not cluster.owner() and not cluster.volume_state().get("owner"), "something is owned yet")
    for name in ADDRESSES:
        cluster.hosts[name].kill()
    for name in ADDRESSES:
        cluster.boot(name)
    cluster.wait_for("A leader is elected", lambda: (cluster.any_status() or {}).get("quorum", {}).get("have"), 30)
    time.sleep(3)
    expect(cluster.any_status()["halted"] and not cluster.owner(), "the power failure has started something")
    asked(cluster, "alice", "start", "--all")
    cluster.wait_started(5)


def decisions_again(cluster):
    """What the managers decided in all this is decided again from what they kept."""
    kept = "/var/lib/bascule/decisions.jsonl"
    leaders = [name for name in ADDRESSES if cluster.hosts[name].run(["test", "-s", kept], check=False).code == 0]
    expect(leaders, "nobody kept a decision")
    for name in leaders:
        answer = asked(cluster, name, "simulate", "--snapshot", kept, "--all-decisions")
        expect(answer["of"] > 0 and not answer["others"], f"{name} would decide otherwise now: {answer}")
        said = cluster.bascule(name, "simulate", "--snapshot", kept).out
        expect("Taken again by this program: the same" in said, said)


if __name__ == "__main__":
    sys.exit(play(arguments("operations", __doc__).parse_args(),
                  lambda directory, programs, timeline: Cluster(directory, programs, "small", timeline),
                  (prepare, maintenance, restart, unmounted_by_hand, moves, manager_killed_while_the_disk_waits,
                   the_only_complete_copy_cannot_start, drain, history_of_a_dead_node, stop_of_everything,
                   decisions_again), "root", True))
