"""What a run came to, in figures that can be quoted. Pure: it works on the lines of the results."""

from .plan import REPAIRS

CHARGED_LATER_NS = 500_000_000  # a fault is felt at once, or when a lease that it ended has run out


def longest_gaps(answered_ns, steps, until_ns):
    """{kind: the longest gap in ms} between two answers up to `until_ns`. A gap is charged to the last thing that was done until half
    a second after it began, and to nothing before the first. `steps`: [(at_ns, kind)] in order."""
    times = [at_ns for at_ns in sorted(answered_ns) if at_ns <= until_ns] + [until_ns]
    found = {}
    for before, after in zip(times, times[1:]):
        kind = next((kind for at_ns, kind in reversed(steps) if at_ns <= min(after, before + CHARGED_LATER_NS)), None)
        if kind is not None:
            found[kind] = max(found.get(kind, 0), round((after - before) / 1e6))
    return found


def kinds_of(entry):
    return [step.split()[2] if step.split()[1] == "s" else step.split()[1] for step in entry["steps"]]


def summarise(entries):
    """Of the lines of one run, or of several."""
    by_kind, gaps, against, by_nodes = {}, {}, {}, {}
    for entry in entries:
        for kind in kinds_of(entry):
            by_kind[kind] = by_kind.get(kind, 0) + 1
        for kind, gap_ms in entry.get("longest_gap_ms", {}).items():
            gaps[kind] = max(gaps.get(kind, 0), gap_ms)
        for demand, why in entry["verdicts"].items():
            against[demand] = against.get(demand, 0) + bool(why)
        of_nodes = by_nodes.setdefault(str(entry["nodes"]), {"sequences": 0, "failed": 0})
        of_nodes["sequences"] += 1
        of_nodes["failed"] += not entry["passed"]
    return {"sequences": len(entries), "passed": sum(entry["passed"] for entry in entries),
            "failed": sorted(entry["name"] for entry in entries if not entry["passed"]), "failed_by_demand": against,
            "by_nodes": by_nodes, "faults": sum(count for kind, count in by_kind.items() if kind not in REPAIRS),
            "repairs": sum(count for kind, count in by_kind.items() if kind in REPAIRS),
            "steps_by_kind": dict(sorted(by_kind.items())), "longest_gap_ms_by_kind": dict(sorted(gaps.items())),
            "left_broken": sum(entry["left_broken"] is not None for entry in entries),
            "rightly_refused": sum(bool(entry["rightly_refused"]) for entry in entries),
            "served_after_s": _spread([one for entry in entries for one in entry["served_after_s"].values() if one is not None]),
            "orders_answered": sum(entry["answered_orders"] for entry in entries), "grants": sum(entry["grants"] for entry in entries),
            "looks_at_lease_pages": sum(entry.get("looks_at_lease_pages", 0) for entry in entries),
            "took_s": round(sum(entry["took_s"] for entry in entries)),
            "programs": sorted({entry["programs"] for entry in entries}), "plan_version": sorted({entry["plan_version"] for entry in entries})}


def _spread(values):
    values = sorted(values)
    if not values:
        return {}
    return {"median": round(values[len(values) // 2], 2), "longest": round(values[-1], 2)}
