"""From when on which host may answer for a service: what the nodes' journals say, and their programs' logs, which lie
elsewhere, because a full disk takes no journal."""

import re
import time

from bascule_hosts import kernel

LINE = re.compile(r"^(\d+-\d+-\d+ \d+:\d+:\d+)\.(\d{3}) \S+ \S+: service-granted (\S+): \S+ goes to (\S+) \(epoch (\d+)\)")


def read_line(line):
    """(service, node, epoch, at_ns of the wall clock) of a line of a manager's log; None: it tells of no grant. The log has
    milliseconds, cut off: the next one counts, so that no answer is explained by a grant that may have come after it."""
    found = LINE.match(line)
    if not found:
        return None
    second, milliseconds, service, node, epoch = found.groups()
    at_ns = int(time.mktime(time.strptime(second, "%Y-%m-%d %H:%M:%S"))) * 1_000_000_000
    return service, node, epoch, at_ns + (int(milliseconds) + 1) * 1_000_000


def grants_of(service, cluster, timeline):
    """[(at_ns, hardware address)]: the earliest word of each grant."""
    heard = [(event["fields"].get("node"), event["fields"].get("epoch"), event["at_ns"])
             for event in timeline.find("service-granted", subject=service.name)]
    earliest = {}
    for node, epoch, at_ns in heard + _logged(service, cluster):
        if node in cluster.hosts:
            earliest[node, epoch] = min(at_ns, earliest.get((node, epoch), at_ns))
    return [(at_ns, cluster.hosts[node].mac) for (node, _), at_ns in earliest.items()]


def _logged(service, cluster):
    offset_ns, found = kernel.boottime_ns() - time.time_ns(), []
    for name in cluster.addresses:
        for line in cluster.manager_log(name).splitlines():
            grant = read_line(line)
            if grant and grant[0] == service.name:
                found.append((grant[1], grant[2], grant[3] + offset_ns))
    return found
