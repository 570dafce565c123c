"""From samples to rows. Pure."""

import math
import statistics


def find_alternation(segments, from_ns, to_ns):
    """For how long two hosts answered at one address by turns between two moments, in ns; None if they did not.

    `segments` are unbroken runs of answers by one hardware address (WireWatch). One change of the host is a takeover.
    A host that answers again after another one did has not stopped in between: from the first answer of the later one
    to the last of the earlier one both were there.
    """
    seen = [segment for segment in segments if segment.last_ns >= from_ns and segment.first_ns <= to_ns]
    longest = None
    for index, later in enumerate(seen):
        earlier = {segment.mac for segment in seen[:index]} - {later.mac}
        back = [segment for segment in seen[index + 1:] if segment.mac in earlier]
        if back:
            overlap = min(max(segment.last_ns for segment in back), to_ns) - max(later.first_ns, from_ns)
            longest = overlap if longest is None else max(longest, overlap)
    return longest


def percentile(values, share):
    """The smallest value that at least this share of them does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _median(values, digits=3):
    known = [value for value in values if value is not None]
    return round(statistics.median(known), digits) if known else None


def make_row(stack, service, fault, samples):
    """One row of the result. Samples with an error count only as errors."""
    good = [sample for sample in samples if sample.outage_s is not None]
    errors = [sample.error for sample in samples if sample.error]
    row = {"stack": stack, "service": service, "fault": fault, "n": len(good), "median_s": None, "p90_s": None,
           "max_s": None, "two_nodes_answered": any(sample.two_nodes_answered for sample in samples),
           "overlap_max_s": round(max((sample.overlap_s for sample in samples), default=0.0), 3),
           "return_outage_median_s": _median([sample.return_outage_s for sample in good]),
           "agents_start_s": _median([sample.agents_start_s for sample in samples]),
           "agents_stop_s": _median([sample.agents_stop_s for sample in samples])}
    if good:
        outages = [sample.outage_s for sample in good]
        row.update(median_s=_median(outages), p90_s=round(percentile(outages, 0.9), 3), max_s=round(max(outages), 3))
        row["beyond_agents_median_s"] = _median([beyond_agents_s(fault, sample) for sample in good])
    if errors:
        row["error"] = "; ".join(sorted(set(errors)))
    return row


def beyond_agents_s(fault, sample):
    """What of the outage is not the agents' own time, as measured by hand just before."""
    own = sample.agents_start_s + (sample.agents_stop_s if fault in ("move", "service-killed") else 0)
    return sample.outage_s - own


def table(rows):
    """The rows for a person."""
    lines = [f"{'stack':<17} {'service':<8} {'fault':<15} {'n':>3} {'median':>8} {'p90':>8} {'max':>8} "
             f"{'two nodes':>10} {'agents start / stop':>20}"]
    for row in rows:
        begin = f"{row['stack']:<17} {row['service']:<8} {row['fault']:<15} {row['n']:>3}"
        if row["n"]:
            answered = f"{row['overlap_max_s']:.2f} s" if row["two_nodes_answered"] else "never"
            begin += (f" {row['median_s']:>8.3f} {row['p90_s']:>8.3f} {row['max_s']:>8.3f} {answered:>10} "
                      f"{row['agents_start_s']:>12.3f} / {row['agents_stop_s']:.3f}")
        lines.append(begin + "".join(f"  {row[key]}" for key in ("left_out", "error") if row.get(key)))
    return "\n".join(lines)
