"""Whether a sequence went as promised, from what was seen from outside. Pure: each demand can be shown a wrong run."""

from collections import Counter
from dataclasses import dataclass, field

from bascule_hosts import find_overlaps
from bascule_story.activity import find_double_writers


@dataclass
class Evidence:
    """What was seen of one sequence."""

    segments: list = field(default_factory=list)      # WireWatch: runs of answers at the address
    moves: list = field(default_factory=list)         # (at_ns, hardware address) of each grant of the service
    writings: list = field(default_factory=list)      # activity pages: who wrote in which epoch
    acknowledged: list = field(default_factory=list)  # ids of orders that the client was told are written
    present: list = None                              # ids that are in the volume in the end; None: it was not read
    served_after_s: float = None                      # from the end of the faults, with a healthy majority, to an answer
    rightly_refused: str = ""                         # why the majority must not serve: nobody in it has the data
    whole_after_s: float = None                       # from the last repair to a cluster in order
    names: dict = field(default_factory=dict)         # hardware address -> host
    believed: list = field(default_factory=list)      # lease pages: (at_ns, lease, {host: epoch}) when several hosts held one
    answered_ns: list = field(default_factory=list)   # when the client was answered


def two_answered(evidence):
    """Hosts that answered without having been given the service, or still after another one began."""
    def name(segment):
        return evidence.names.get(segment.mac, segment.mac)

    return [f"{name(after)} answered ({after.packets} packets, {after.arp} of them ARP, for "
            f"{(after.last_ns - after.first_ns) / 1e6:.1f} ms), {(after.first_ns - before.last_ns) / 1e6:.1f} ms after "
            f"{name(before)} did, without having been given the service in between"
            for before, after in find_overlaps(evidence.segments, evidence.moves)]


def two_wrote(evidence):
    return [f"{earlier.host} acknowledged a write of epoch {earlier.epoch} "
            f"{(earlier.last_acknowledged_ns - later.since_ns) / 1e6:.1f} ms after {later.host} was primary (epoch "
            f"{later.epoch})" for earlier, later in find_double_writers(evidence.writings)]


def two_believed(evidence):
    """The leases that two hosts held at once, each once, by the hosts' own pages."""
    found = {}
    for _, lease, holders in evidence.believed:
        who = " and ".join(f"{host} (epoch {epoch})" for host, epoch in sorted(holders.items()))
        found[f"{who} both held {lease}"] = found.get(f"{who} both held {lease}", 0) + 1
    return [f"{text}, seen {count} times" for text, count in found.items()]


def orders_wrong(evidence):
    if evidence.present is None:
        return []
    counts = Counter(evidence.present)
    lost = [one for one in evidence.acknowledged if not counts[one]]
    twice = [one for one, count in counts.items() if count > 1]
    return ([f"{len(lost)} acknowledged orders are lost, the first is {lost[0]}"] if lost else []) + \
        ([f"{len(twice)} orders are there more than once, for example {twice[0]}"] if twice else [])


def has_led_or_followed(manager_log):
    """Whether a manager knew of a leader since its last start, as its log says. Of two nodes without a witness one that did not may
    not go on alone (docs/safety.md, section 7): the other one may have gone on without it."""
    life = manager_log[max(manager_log.rfind(" is up\n"), 0):]
    return "leader-elected" in life


def judge(evidence, patience_s):
    """{demand: [what speaks against it]}; as promised when all lists are empty."""
    served = []
    if not evidence.rightly_refused and (evidence.served_after_s is None or evidence.served_after_s > patience_s):
        served = [f"a majority was healthy for {patience_s:g} s and did not serve" if evidence.served_after_s is None
                  else f"a healthy majority served only after {evidence.served_after_s:.1f} s"]
    whole = [] if evidence.whole_after_s is not None else ["the cluster did not get in order after the last repair"]
    return {"one_answers": two_answered(evidence), "one_writes": two_wrote(evidence), "one_believes": two_believed(evidence),
            "nothing_lost": orders_wrong(evidence), "majority_serves": served, "gets_in_order": whole}


def judge_all(evidence, patience_s):
    """The same for several services: `evidence` is {service: Evidence}; with more than one its name goes before each word."""
    together = {}
    for service, one in evidence.items():
        before = f"{service}: " if len(evidence) > 1 else ""
        for demand, why in judge(one, patience_s).items():
            together.setdefault(demand, []).extend(before + word for word in why)
    return together


def passed(verdicts):
    return not any(verdicts.values())
