"""The figures: each is measured here, from what the client, the wire, the disks and the nodes' events say."""

import subprocess
from collections import Counter

from bascule_hosts import find_overlaps, read_orders

from . import shop
from .activity import find_double_writers
from .cluster import DATA_NODES

MILESTONES = (
    ("detected", "node-lost", {}),
    ("granted to the new owner", "service-granted", {}),
    ("promoted", "volume-promoted", {}),
    ("mounted", "step-started", {"step": "mount"}),
    ("address", "step-started", {"step": "address"}),
    ("database", "step-started", {"step": "mysql"}),
    ("web", "step-started", {"step": "apache"}),
)


def count_rows(orders, present):
    """(acknowledged, of these present, of these missing, rows that are there more than once)."""
    counts = Counter(present)
    ids = [one[0] for one in orders.acknowledged]
    lost = sum(1 for one in ids if counts[one] == 0)
    return len(ids), len(ids) - lost, lost, sum(count - 1 for count in counts.values() if count > 1)


def compare_files(one, other, size):
    """The number of 4 KiB blocks that differ in the first `size` bytes."""
    different = 0
    with open(one, "rb", buffering=0) as left, open(other, "rb", buffering=0) as right:
        done = 0
        while done < size:
            step = min(4 << 20, size - done)
            a, b = left.read(step), right.read(step)
            if len(a) != step or len(b) != step:
                raise OSError(f"a backing file ends before {size} bytes")
            if a != b:
                different += sum(1 for at in range(0, step, 4096) if a[at:at + 4096] != b[at:at + 4096])
            done += step
    return different


def check_filesystem(path):
    """e2fsck -fn on a stopped volume; (clean, what it says)."""
    found = subprocess.run(["e2fsck", "-fn", path], capture_output=True, text=True, check=False)
    return found.returncode == 0, (found.stdout + found.stderr).strip()


def moves(cluster, timeline):
    """From when on which hardware address may answer: each grant of the service names its node."""
    by_node = {}
    for event in timeline.find("service-granted"):
        node = event["fields"].get("node")
        if node in cluster.hosts and event["subject"] != "data":
            by_node.setdefault((node, event["fields"].get("epoch")), event["at_ns"])
    return [(at_ns, cluster.hosts[node].mac) for (node, _), at_ns in by_node.items()]


def two_nodes_answered(cluster, timeline):
    """(True if two hosts ever answered or wrote in overlapping time, why)."""
    cluster.wire.settle()
    names = {host.mac: name for name, host in cluster.hosts.items()}
    why = [f"{names.get(after.mac, after.mac)} answered ({after.packets} packets) after {names.get(before.mac)} did, "
           "without having been given the service"
           for before, after in find_overlaps(cluster.wire.segments, moves(cluster, timeline))]
    why += [f"{earlier.host} acknowledged a write of epoch {earlier.epoch} "
            f"{(earlier.last_acknowledged_ns - later.since_ns) / 1e6:.1f} ms after {later.host} was primary (epoch "
            f"{later.epoch})" for earlier, later in find_double_writers(cluster.activity.writings())]
    return bool(why), why


def resync_bytes(timeline, after_ns):
    """Bytes that were resynced after the fault, as the nodes reported; both ends report the same resync."""
    by_node = {}
    for event in timeline.find("resync-finished", after_ns):
        if "bytes" in event["fields"]:
            by_node[event["host"]] = by_node.get(event["host"], 0) + int(event["fields"]["bytes"])
    return max(by_node.values()) if by_node else None


def milestones(timeline, seen):
    """[(what, ms after the fault, host)] in the order of the story, only what was seen."""
    found = []
    for what, kind, wanted in MILESTONES:
        if what == "detected" and seen.victim:
            wanted = {"subject": seen.victim}
        elif what == "detected":
            continue
        event = timeline.first(kind, seen.fault_ns, **wanted)
        if event is not None and (seen.returned_ns is None or event["at_ns"] < seen.returned_ns or
                                  seen.answered_ns and event["at_ns"] < seen.answered_ns + 5_000_000_000):
            found.append((what, (event["at_ns"] - seen.fault_ns) / 1e6, event["host"]))
    if seen.answered_ns:
        found.append(("first answered request", (seen.answered_ns - seen.fault_ns) / 1e6, "client"))
    return sorted(found, key=lambda one: one[1])


def agent_start_ms(timeline, seen):
    """How long each agent's start took after the fault, on the node that served then."""
    found = {}
    for event in timeline.find("step-started", seen.fault_ns):
        step, took = event["fields"].get("step"), event["fields"].get("ms")
        if step and took is not None:
            found.setdefault(step, int(float(took)))
    return found


def detection_ms(timeline, seen):
    kinds = {"node-lost": {"subject": seen.victim}} if seen.victim else {"step-failed": {}, "service-failed": {}}
    found = [timeline.first(kind, seen.fault_ns, **wanted) for kind, wanted in kinds.items()]
    found = [event["at_ns"] for event in found if event is not None]
    return round((min(found) - seen.fault_ns) / 1e6, 1) if found else None


class Figures:
    """Collects them while the cluster is taken down, and says whether they are as promised."""

    def __init__(self, cluster, timeline, fault, seen):
        self.cluster, self.timeline, self.fault, self.seen = cluster, timeline, fault, seen
        self.values = {}
        self.verdicts = dict(seen.verdicts)
        self.remarks = list(seen.remarks)

    def from_client(self):
        orders = read_orders(self.cluster.orders_path)
        before = sum(1 for one in orders.acknowledged if one[2] <= self.seen.fault_ns)
        gap = orders.outage(self.seen.fault_ns)
        self.values["acknowledged_before_fault"] = before
        self.values["outage_ms"] = round(gap[0] / 1e6, 1) if gap else None
        self.verdicts["at_least_200_before_the_fault"] = before >= 200
        return orders

    def from_database(self, orders):
        if self.cluster.service != "lamp":
            for key in ("present_rows", "lost_rows", "duplicate_rows"):
                self.values[key] = None
            self.values["acknowledged_rows"] = None
            return
        owner = self.cluster.hosts[self.cluster.owner()]
        acknowledged, present, lost, twice = count_rows(orders, shop.rows(owner))
        self.values.update(acknowledged_rows=acknowledged, present_rows=present, lost_rows=lost, duplicate_rows=twice)
        self.verdicts["no_row_lost"] = lost == 0
        self.verdicts["no_row_twice"] = twice == 0
        complaints = shop.check_database(owner)
        self.values["mariadb_check_clean"] = not complaints
        self.verdicts["mariadb_check_clean"] = not complaints
        self.remarks += [f"mariadb-check: {line}" for line in complaints[:3]]

    def from_disks(self):
        """Needs the stopped volume."""
        if self.cluster.service != "lamp":
            self.values.update(device_bytes=None, replicas_identical=None)
            self.from_resync()
            return
        size = self.cluster.volume_state().get("size_bytes") or shop.VOLUME_BYTES
        paths = [self.cluster.backing_path(name) for name in DATA_NODES]
        for name, path in zip(DATA_NODES, paths):
            clean, said = check_filesystem(path)
            self.verdicts[f"e2fsck_clean_{name}"] = clean
            if not clean:
                self.remarks.append(f"e2fsck on {name}: {said[-300:]}")
        self.values["e2fsck_clean"] = all(self.verdicts[f"e2fsck_clean_{name}"] for name in DATA_NODES)
        different = compare_files(*paths, size)
        self.values["device_bytes"] = size
        self.values["replicas_identical"] = different == 0
        self.verdicts["replicas_identical"] = different == 0
        if different:
            self.remarks.append(f"{different} blocks of 4 KiB differ")
        self.from_resync()

    def from_resync(self):
        """Once the replicas are alike again; the volume may still run."""
        if self.cluster.service != "lamp":
            self.values["resync_bytes"] = None
            return
        size = self.cluster.volume_state().get("size_bytes") or shop.VOLUME_BYTES
        resynced = resync_bytes(self.timeline, self.seen.fault_ns)
        self.values["resync_bytes"] = resynced
        if resynced is not None:
            self.verdicts["resynced_less_than_a_quarter"] = resynced < size / 4
        elif self.fault in ("death", "cut", "freeze", "secondary", "stale"):
            self.verdicts["resync_was_reported"] = False

    def from_wire(self):
        both, why = two_nodes_answered(self.cluster, self.timeline)
        self.values["two_nodes_answered"] = both
        self.verdicts["one_node_answered_at_a_time"] = not both
        self.remarks += why[:3]

    def from_events(self):
        self.values["detection_ms"] = detection_ms(self.timeline, self.seen)
        self.values["agent_start_ms"] = agent_start_ms(self.timeline, self.seen)
        self.values["served_stale"] = self.seen.served_stale
        self.values["milestones_ms"] = {what: round(at, 1) for what, at, _ in milestones(self.timeline, self.seen)}
        if self.seen.served_stale is not None:
            self.verdicts["nothing_old_was_served"] = not self.seen.served_stale
        if self.fault == "secondary":
            self.verdicts["writes_stalled_at_most_1_s"] = self.values["outage_ms"] is not None and \
                self.values["outage_ms"] <= 1000

    def passed(self):
        return all(self.verdicts.values())

    def as_json(self):
        order = ("fault", "service", "acknowledged_rows", "present_rows", "lost_rows", "duplicate_rows", "outage_ms",
                 "detection_ms", "resync_bytes", "device_bytes", "replicas_identical", "served_stale",
                 "two_nodes_answered")
        values = {"fault": self.fault, "service": self.cluster.service, **self.values}
        result = {key: values.get(key) for key in order}
        result.update({key: value for key, value in values.items() if key not in result})
        result["verdicts"] = self.verdicts
        result["remarks"] = self.remarks
        result["passed"] = self.passed()
        result["timeline"] = self.timeline.as_json()
        return result

    def table(self):
        def show(value, unit=""):
            if value is None:
                return "-"
            if isinstance(value, bool):
                return "yes" if value else "no"
            return f"{value:,}{unit}" if isinstance(value, int) else f"{value:,.0f}{unit}"

        values = self.values
        rows = []
        if values.get("acknowledged_rows") is not None:
            rows = [("acknowledged orders", show(values["acknowledged_rows"])),
                    ("  present in the database", show(values["present_rows"])),
                    ("  lost", show(values["lost_rows"])), ("  written twice", show(values["duplicate_rows"]))]
        rows += [
                ("outage, as the client saw it", show(values.get("outage_ms"), " ms")),
                ("  of it the agents' own starts",
                 show(sum(values["agent_start_ms"].values()) if values.get("agent_start_ms") else None, " ms")),
                ("the loss was detected after", show(values.get("detection_ms"), " ms"))]
        rows += [(f"  {what} ({host})", f"{at:,.0f} ms") for what, at, host in milestones(self.timeline, self.seen)]
        size = values.get("device_bytes")
        if size:
            part = f" of {size / 2**20:,.0f} MiB" if values.get("resync_bytes") is not None else ""
            resynced = values.get("resync_bytes")
            rows.append(("resynced", (f"{resynced / 2**20:,.1f}{part}") if resynced is not None else "-"))
            rows.append(("replicas identical, block by block", show(values.get("replicas_identical"))))
            rows.append(("mariadb-check and e2fsck clean",
                         show(bool(values.get("mariadb_check_clean") and values.get("e2fsck_clean")))))
        rows.append(("two nodes ever answered", show(values.get("two_nodes_answered"))))
        if values.get("served_stale") is not None:
            rows.append(("old data was served", show(values["served_stale"])))
        return "\n".join(f"  {name:<40} {value:>18}" for name, value in rows)


def describe_failures(figures):
    return [name.replace("_", " ") for name, met in figures.verdicts.items() if not met]


__all__ = ["Figures", "compare_files", "count_rows", "describe_failures"]
