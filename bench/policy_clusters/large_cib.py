"""Clusters of any size as CIB XML: half of the resources in groups of five, the others with a twentieth each of locations,
colocations and orders. The same numbers give the same bytes."""

import random
from xml.sax.saxutils import quoteattr

VARIANTS = {
    "cold": "nothing is known of any resource: each is probed on each node, then started",
    "noprobe": "nothing runs, and no probes are asked for",
    "steady": "everything runs, and the first node has just been lost",
}
GROUP = 5
MONITOR_MS = 10000
DIGEST = "f2317cad3d54cec5d7d7aa7d0bf35cf8"  # of no parameters


UNDERSCORED = {"crm_feature_set", "num_updates", "admin_epoch", "in_ccm", "operation_key", "on_node"}


def element(tag, children=(), /, **attributes):
    """Names of attributes have hyphens, but for a few."""
    text = "".join(f" {key if key in UNDERSCORED else key.replace('_', '-')}={quoteattr(str(value))}"
                   for key, value in attributes.items())
    inside = "".join(children)
    return f"<{tag}{text}>{inside}</{tag}>\n" if inside else f"<{tag}{text}/>\n"


class LargeCib:
    def __init__(self, nodes, resources, variant):
        self.nodes, self.variant = nodes, variant
        self.chance = random.Random(nodes * 100003 + resources)
        in_groups = resources // 2 // GROUP * GROUP
        self.groups = [range(first, first + GROUP) for first in range(0, in_groups, GROUP)]
        self.singles = list(range(in_groups, resources))
        self.home = {member: number % nodes + 1 for number, group in enumerate(self.groups) for member in group}
        self.home.update({single: number % nodes + 1 for number, single in enumerate(self.singles)})
        self.constraints = list(self.make_constraints(max(1, resources // 20)))

    def make_constraints(self, each):
        for number, single in enumerate(self.chance.sample(self.singles, min(each, len(self.singles)))):
            node = f"node{self.chance.randint(1, self.nodes)}"
            yield element("rsc_location", id=f"location-{number}", rsc=f"r{single}", node=node, score=50)
        pool = self.chance.sample(self.singles, len(self.singles))
        for number, (one, other) in enumerate(list(zip(pool[::2], pool[1::2]))[:each]):
            self.home[one] = self.home[other]
            yield element("rsc_colocation", id=f"colocation-{number}", rsc=f"r{one}", with_rsc=f"r{other}",
                          score="INFINITY")
            yield element("rsc_order", id=f"order-{number}", first=f"r{other}", then=f"r{one}", kind="Mandatory")

    def properties(self):
        wanted = {"stonith-enabled": "false", "no-quorum-policy": "ignore"}
        if self.variant != "cold":
            wanted["enable-startup-probes"] = "false"
        pairs = [element("nvpair", id=f"p-{name}", name=name, value=value) for name, value in wanted.items()]
        return element("crm_config", [element("cluster_property_set", pairs, id="p")])

    @staticmethod
    def primitive(number):
        monitor = element("op", id=f"r{number}-monitor", name="monitor", interval=f"{MONITOR_MS}ms", timeout="20s")
        return element("primitive", [element("operations", [monitor])], id=f"r{number}", **{"class": "ocf"},
                       provider="heartbeat", type="Dummy")

    def resources(self):
        groups = [element("group", map(self.primitive, members), id=f"g{number}")
                  for number, members in enumerate(self.groups)]
        return element("resources", groups + [self.primitive(single) for single in self.singles])

    @staticmethod
    def history(number, node):
        def operation(name, interval_ms, call):
            key = f"r{number}_{name}_{interval_ms}"
            transition = f"{call}:1:0:aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
            return element("lrm_rsc_op", id=key, **{
                "operation_key": key, "operation": name, "crm_feature_set": "3.16.1", "transition-key": transition,
                "transition-magic": f"0:0;{transition}", "call-id": number * 2 + call, "rc-code": 0, "op-status": 0,
                "interval": interval_ms, "op-digest": DIGEST, "on_node": f"node{node}"})
        return element("lrm_resource", [operation("start", 0, 1), operation("monitor", MONITOR_MS, 2)], id=f"r{number}",
                       **{"class": "ocf"}, provider="heartbeat", type="Dummy")

    def node_state(self, node, running):
        up = not (self.variant == "steady" and node == 1)
        here = [self.history(number, node) for number in running] if self.variant == "steady" and up else []
        words = {"in_ccm": "true" if up else "false", "crmd": "online" if up else "offline",
                 "join": "member" if up else "down", "expected": "member" if up else "down"}
        return element("node_state", [element("lrm", [element("lrm_resources", here)], id=node)], id=node,
                       uname=f"node{node}", **words)

    def status(self):
        running = {node: [] for node in range(1, self.nodes + 1)}
        for number, node in self.home.items():
            running[node].append(number)
        return element("status", [self.node_state(node, numbers) for node, numbers in running.items()])

    def xml(self):
        nodes = element("nodes", [element("node", id=node, uname=f"node{node}") for node in range(1, self.nodes + 1)])
        configuration = element("configuration", [self.properties(), nodes, self.resources(),
                                                  element("constraints", self.constraints)])
        return element("cib", [configuration, self.status()], crm_feature_set="3.16.1", validate_with="pacemaker-3.9",
                       epoch=10, num_updates=1, admin_epoch=0, have_quorum=1, dc_uuid=2)
