"""What happens to the cluster while the client posts. Each fault is a function that makes it happen, waits until the
service is there again, brings back what died, and returns what was seen."""

import time
from dataclasses import dataclass, field

from bascule_hosts import kernel, read_orders

from .cluster import ADDRESSES, DATA_NODES, StoryError

SERVICE_TIMEOUT_S = 60
RETURN_TIMEOUT_S = 120


@dataclass
class Seen:
    """What a fault left to judge by. Moments are CLOCK_BOOTTIME."""

    fault_ns: int
    victim: str                      # whose loss is to be detected; empty: none
    answered_ns: int = None          # the first answered request after the fault
    returned_ns: int = None          # the victim's programs were started again, or its link healed
    served_stale: bool = None
    remarks: list = field(default_factory=list)
    verdicts: dict = field(default_factory=dict)  # further demands of this fault: name -> whether it was met


class Stage:
    """What the faults need to know and do."""

    def __init__(self, cluster, timeline, after_s):
        self.cluster, self.timeline, self.after_s = cluster, timeline, after_s
        self.hosts = cluster.hosts
        self.owner = cluster.owner()  # alice, unless several faults are played on one cluster
        self.other = next(name for name in DATA_NODES if name != self.owner)

    def strike(self, at_ns):
        """The fault happens now: the timeline counts from here."""
        self.timeline.fault_ns = at_ns

    def acknowledged(self):
        return read_orders(self.cluster.orders_path)

    def wait_answer(self, after_ns, timeout_s=SERVICE_TIMEOUT_S):
        found = self.cluster.wait_for("The client is answered again", lambda: self.acknowledged().first_after(after_ns),
                                      timeout_s, 0.02)
        return found

    def wait_granted(self, fault_ns, owner):
        """Waits until the service was given to another node than this one; the moment."""
        event = self.cluster.wait_for(
            f"The service is granted to another node than {owner}",
            lambda: next((e for e in self.timeline.find("service-granted", fault_ns)
                          if e["fields"].get("node") not in (None, owner)), None), SERVICE_TIMEOUT_S, 0.02)
        return max(fault_ns, event["at_ns"])

    def answered(self, after_ns):
        """The first answer after a moment, told in the timeline."""
        answered = self.wait_answer(after_ns)
        self.timeline.note({"at_ns": answered, "host": "client", "kind": "answered",
                            "text": "the first request is answered again"})
        return answered

    def wait_gap_over(self, fault_ns, owner_not):
        """The first answer of the service's new place: one that came after it was given to another node."""
        return self.answered(self.wait_granted(fault_ns, owner_not))

    def run_on(self, seconds=None):
        time.sleep(self.after_s if seconds is None else seconds)

    def wait_resynced(self):
        if self.cluster.service == "lamp":
            self.cluster.wait_in_sync("resync", RETURN_TIMEOUT_S)


def death(stage):
    """Alice dies: every process at once, and her link."""
    fault = stage.hosts[stage.owner].kill()
    stage.strike(fault)
    seen = Seen(fault, stage.owner)
    seen.answered_ns = stage.wait_gap_over(fault, owner_not=stage.owner)
    stage.run_on()
    return seen


def death_return(stage, seen):
    seen.returned_ns = kernel.boottime_ns()
    stage.cluster.boot(seen.victim)
    stage.wait_resynced()


def cut(stage):
    """Alice's link goes down while her processes live on."""
    fault = stage.hosts[stage.owner].link_down()
    stage.strike(fault)
    seen = Seen(fault, stage.owner)
    seen.answered_ns = stage.wait_gap_over(fault, owner_not=stage.owner)
    stage.run_on()
    return seen


def cut_return(stage, seen):
    seen.returned_ns = stage.hosts[seen.victim].link_up()
    stage.wait_resynced()
    stage.run_on(1)


def freeze(stage):
    """All of Alice's processes stop; her kernel goes on. They go on before her watchdog bites, or it has bitten."""
    frozen = stage.hosts[stage.owner]
    fault = frozen.freeze()
    stage.strike(fault)
    seen = Seen(fault, stage.owner)
    granted = stage.wait_granted(fault, stage.owner)
    thaw_at = fault + int(stage.cluster.world.watchdog_ms * 0.8 * 1e6)
    time.sleep(max(0.0, (thaw_at - kernel.boottime_ns()) / 1e9))
    if frozen.up():
        frozen.thaw()
    seen.answered_ns = stage.answered(granted)
    stage.run_on(max(stage.after_s, 2))
    return seen


def freeze_return(stage, seen):
    seen.returned_ns = kernel.boottime_ns()
    bitten = any(note["kind"] == "watchdog-bite" and note["host"] == seen.victim and note["at_ns"] > seen.fault_ns
                 for note in stage.cluster.world.notes)
    if not stage.hosts[seen.victim].up():
        stage.cluster.boot(seen.victim)
    stage.wait_resynced()
    seen.remarks.append(f"{seen.victim}'s watchdog killed the host" if bitten else
                        f"{seen.victim} was thawed before the watchdog would have killed the host")


def kill(stage):
    """Only MariaDB's (or Apache's) main process dies."""
    owner = stage.cluster.owner()
    file = "/run/shop/mysql.pid" if stage.cluster.service == "lamp" else "/run/shop/apache.pid"
    host = stage.hosts[owner]
    pid = host.read(file).strip()
    if not pid:
        raise StoryError(f"{file} on {owner} is empty")
    fault = kernel.boottime_ns()
    host.run(["kill", "-9", pid])
    stage.strike(fault)
    stage.timeline.note({"at_ns": fault, "host": owner, "kind": "process-killed",
                         "text": f"the main process of {'MariaDB' if 'mysql' in file else 'Apache'} is killed"})
    seen = Seen(fault, "")
    event = stage.cluster.wait_for(
        "The failure is seen", lambda: stage.timeline.first("step-failed", fault) or
        stage.timeline.first("service-failed", fault) or stage.timeline.first("step-started", fault), 30)
    seen.remarks.append(f"seen {(event['at_ns'] - fault) // 1000000} ms after")
    seen.answered_ns = stage.wait_answer(event["at_ns"])
    stage.cluster.wait_started(SERVICE_TIMEOUT_S)
    stage.run_on()
    return seen


def move(stage):
    """A planned move from Alice to Bob."""
    fault = kernel.boottime_ns()
    stage.strike(fault)
    stage.timeline.note({"at_ns": fault, "host": stage.owner, "kind": "story",
                         "text": f"bascule move shop --to {stage.other}"})
    stage.cluster.bascule(stage.owner, "move", "shop", "--to", stage.other)
    seen = Seen(fault, "")
    seen.answered_ns = stage.wait_gap_over(fault, owner_not=stage.owner)
    stage.cluster.wait_started(SERVICE_TIMEOUT_S, on=stage.other)
    stage.run_on()
    return seen


def _other_dies(stage, victim):
    fault = stage.hosts[victim].kill()
    stage.strike(fault)
    seen = Seen(fault, victim)
    seen.answered_ns = stage.wait_answer(fault + 10_000_000)
    stage.cluster.wait_for(f"The loss of {victim} is seen", lambda: stage.timeline.first(
        "node-lost", fault, subject=victim), 20)
    stage.run_on()
    seen.verdicts["service_stayed"] = stage.cluster.owner() == stage.owner and not stage.timeline.find(
        "service-granted", fault)
    return seen


def secondary(stage):
    """Bob dies: writes stall for at most a second, the service stays."""
    return _other_dies(stage, stage.other)


def witness(stage):
    """Carol dies: nothing happens."""
    return _other_dies(stage, "carol")


def blackout(stage):
    """All three die, twice, and come back in two different orders."""
    seen = None
    for order in (("bob", "carol", "alice"), ("alice", "carol", "bob")):
        fault = kernel.boottime_ns()
        for name in ADDRESSES:
            stage.hosts[name].kill()
        if seen is None:
            stage.strike(fault)
            seen = Seen(fault, "")
        stage.timeline.say(f"they come back in the order {', '.join(order)}")
        for name in order:
            stage.run_on(1)
            stage.cluster.boot(name)
        answered = stage.answered(kernel.boottime_ns())
        seen.answered_ns = seen.answered_ns or answered
        stage.cluster.wait_started(SERVICE_TIMEOUT_S)
        stage.wait_resynced()
        seen.remarks.append(f"order {', '.join(order)}: served by {stage.cluster.owner()}")
        stage.run_on(2)
    seen.returned_ns = kernel.boottime_ns()
    return seen


def stale(stage):
    """The link between Alice and Bob is cut while orders go on; then Alice dies. Bob's copy is old."""
    cluster, owner, other = stage.cluster, stage.hosts[stage.owner], stage.hosts[stage.other]
    cut_ns = cluster.world.cut(owner, other)
    cluster.wait_for(f"{owner.name} goes on alone", lambda: cluster.volume_state().get("in_sync") == [owner.name], 20)
    shrunk = kernel.boottime_ns()
    cluster.wait_for("Orders go on", lambda: sum(1 for one in stage.acknowledged().acknowledged if one[2] > shrunk) > 50,
                     20)
    fault = owner.kill()
    stage.strike(fault)
    seen = Seen(fault, owner.name)
    cluster.wait_for("The takeover is refused", lambda: stage.timeline.first("takeover-refused", fault) or
                     (cluster.status("carol") or {}).get("problems"), 20)
    stage.run_on(max(stage.after_s, 4))
    status = cluster.any_status() or {}
    service = cluster.service_state()
    seen.remarks.append(f"status: {status.get('summary', '')}")
    seen.verdicts["status_says_why"] = bool(service.get("why") or status.get("problems"))
    seen.verdicts["status_says_what_to_do"] = bool(service.get("hint"))
    promoted = stage.timeline.find("volume-promoted", cut_ns, host=other.name)
    answered = [one for one in stage.acknowledged().acknowledged if one[1] > fault]
    seen.served_stale = bool(promoted or answered)
    return seen


def stale_return(stage, seen):
    cluster = stage.cluster
    cluster.world.heal(stage.hosts[stage.owner], stage.hosts[stage.other])
    seen.returned_ns = kernel.boottime_ns()
    cluster.boot(seen.victim)
    seen.answered_ns = stage.answered(seen.returned_ns)
    cluster.wait_started(SERVICE_TIMEOUT_S)
    first = stage.timeline.first("service-granted", seen.fault_ns)
    seen.verdicts["service_only_with_the_returned_node"] = first is None or \
        first["fields"].get("node") == seen.victim and first["at_ns"] > seen.returned_ns
    stage.wait_resynced()
    stage.run_on()


def nothing_returns(stage, seen):
    stage.wait_resynced()


FAULTS = {
    "death": (death, death_return), "cut": (cut, cut_return), "freeze": (freeze, freeze_return),
    "kill": (kill, nothing_returns), "move": (move, nothing_returns), "secondary": (secondary, death_return),
    "witness": (witness, death_return), "blackout": (blackout, nothing_returns), "stale": (stale, stale_return),
}
NEEDS_VOLUME = {"stale", "secondary"}
